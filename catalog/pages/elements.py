"""Data elements registered and changed on a page, with everything that is wrong told beside the text.

Promises   what an element that is in use would touch is shown before it is changed: a change is taken only with
           the digest of the text whose impact was shown
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.lifecycle.impact import ElementImpact
from catalog.pages.desk import PageDesk, faults_of
from schemas.declarations import InvalidDeclaration
from schemas.errors import Fault, Rejected
from web.shell import form_of

__all__ = ["ElementPages"]

MOST_TEXT = 16_000


class ElementPages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    async def form(self, request: Request) -> Response:
        """An element as it is declared; *element*: its short name, none for a new one."""
        name = request.query_params.get("element", "")[:64]
        text = await self._desk.elements.text(name)
        return self._shown(request, name, text)

    async def register(self, request: Request) -> Response:
        """Make it so, or tell everything that keeps it from being."""
        desk, form = self._desk, form_of(request)
        text = form.get("text", [""])[0].replace("\r\n", "\n")[:MOST_TEXT]
        name = form.get("element", [""])[0][:64]
        try:
            impact = await self._unseen(text, form.get("seen", [""])[0])
            if impact is not None:
                return self._shown(request, name, text, impact=impact)
            made = await desk.elements.register(text, desk.actors.of(request))
        except InvalidDeclaration as error:
            faults = faults_of(error)
        except Rejected as error:
            faults = list(error.faults)
        else:
            desk.shell.signals.announce("catalogue")
            return RedirectResponse(f"/catalogue/elements/{made.short_name}", 303)
        return self._shown(request, name, text, faults=faults)

    async def _unseen(self, text: str, seen: str) -> ElementImpact | None:
        """What it would touch, where it touches anything that was not shown yet."""
        if seen == _digest(text):
            return None
        impact = await self._desk.registry.element_impact(text)
        return impact if impact.bound else None

    def _shown(
        self,
        request: Request,
        name: str,
        text: str,
        *,
        faults: Sequence[Fault] = (),
        impact: ElementImpact | None = None,
    ) -> Response:
        return self._desk.render(
            request,
            "element_draft",
            status=422 if faults else 200,
            name=name,
            text=text,
            faults=faults,
            impact=impact,
            seen=_digest(text) if impact else "",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
