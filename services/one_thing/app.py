"""One-thing as a service: its subscriber, its API and its panel.

Speaks to   whoever asks ``GET /api/applications[/{number}]``: progress and results of all items in one
            place, names masked; the console's front page
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.streams import Subscriber
from schemas.errors import Fault
from schemas.texts import say
from services.one_thing import views
from services.one_thing.handlers import NAME, Seal, subscriber
from services.one_thing.rules import Due, OneThingRules
from services.one_thing.timeline import Moment
from web.shell import Panel, Shell, Tally

__all__ = ["Reader", "Service", "build"]

T = TypeVar("T")
STATES = ("1", "2", "3", "4")
PANEL_ROWS = 14


class Reader(Protocol):
    """Runs a question against the hub's records."""

    async def __call__(self, work: Callable[[Connection], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Service:
    """What the composition root joins to the hub."""

    name: str
    subscriber: Subscriber
    routes: Sequence[Route]
    panels: Sequence[Panel]
    tallies: Callable[[], Awaitable[Sequence[Tally]]]


def build(
    rules: OneThingRules, seal: Seal, read: Reader, shell: Shell, due: Due | None = None
) -> Service:
    """*due*: tells the last day of a promised limit (`services.supervision` can)."""
    pages = _Pages(read, shell)
    panel = Panel(
        key="applications",
        title="one-thing.applications",
        endpoint=pages.panel,
        signals=("services",),
        wide=True,
        page="/applications",
        shared=True,
    )
    return Service(
        name=NAME,
        subscriber=subscriber(rules, seal, due),
        routes=(
            Route("/api/applications", pages.listed),
            Route("/api/applications/{number}", pages.one),
            Route("/applications", pages.page),
            Route("/applications/{number}", pages.page_of_one),
        ),
        panels=(panel,),
        tallies=pages.tallies,
    )


@dataclass(frozen=True, slots=True)
class _Pages:
    read: Reader
    shell: Shell

    async def listed(self, request: Request) -> Response:
        state = request.query_params.get("state", "")
        limit = request.query_params.get("limit", "50")
        if (state and state not in STATES) or not re.fullmatch(r"[1-9][0-9]{0,5}", limit):
            return _refused(Fault("one-thing.query", "", {"states": " ".join(STATES)}), 400)
        ask = partial(views.newest, state=state, limit=int(limit))
        found = await self.read(ask)
        return JSONResponse({"applications": [_labelled(each) for each in found]})

    async def one(self, request: Request) -> Response:
        found = await self._application(request)
        if found is None:
            number = request.path_params["number"][:50]
            return _refused(Fault("one-thing.unknown", "", {"number": number}), 404)
        return JSONResponse(_labelled(found))

    async def panel(self, request: Request) -> Response:
        found = await self.read(partial(views.newest, limit=PANEL_ROWS))
        return self.shell.render(request, "services.one_thing:grid.html", applications=found)

    async def page(self, request: Request) -> Response:
        state = request.query_params.get("state", "")
        ask = partial(views.newest, state=state if state in STATES else "", limit=200)
        found = await self.read(ask)
        template = _part(request, page="applications", fragment="grid")
        return self.shell.render(request, template, applications=found, state=state)

    async def page_of_one(self, request: Request) -> Response:
        found = await self._application(request)
        number = request.path_params["number"][:50]
        template = _part(request, page="application", fragment="application_now" if found else "")
        told = {"application": found, "number": number, "events": _events(found)}
        return self.shell.render(request, template, status=200 if found else 404, **told)

    async def tallies(self) -> Sequence[Tally]:
        counts = await self.read(views.by_state)
        return (
            Tally(
                key="applications",
                title="one-thing.applications",
                value=sum(counts.values()),
                url="/applications",
            ),
        )

    async def _application(self, request: Request) -> dict[str, Any] | None:
        number = str(request.path_params["number"])
        return await self.read(lambda connection: views.application(connection, number))


def _part(request: Request, *, page: str, fragment: str) -> str:
    """The template: an open page asks again for its fragment alone."""
    name = fragment if fragment and "x-fragment" in request.headers else page
    return f"services.one_thing:{name}.html"


def _events(application: dict[str, Any] | None) -> list[tuple[dict[str, Any], Moment]]:
    """The events of all items, newest first."""
    every = application["items"] if application else []
    told = [(item, moment) for item in every for moment in item["timeline"]]
    return sorted(told, key=lambda event: event[1].at, reverse=True)


def _labelled(application: dict[str, Any]) -> dict[str, Any]:
    """Codes with their words beside them, in both languages."""
    told = {
        **application,
        "updated_at": application["updated_at"].isoformat(),
        "state_label": _words("one-thing.application-state", application["state"]),
        "delivery_label": _words("one-thing.delivery-mode", application["delivery_mode"]),
    }
    told["items"] = [
        {
            **item,
            "state_label": _words("one-thing.item-state", item["state"]),
            "dispatch_label": _words("one-thing.dispatch-state", item["dispatch_state"]),
            **({"timeline": [*map(_told, item["timeline"])]} if "timeline" in item else {}),
        }
        for item in application["items"]
    ]
    return told


def _told(moment: Moment) -> dict[str, Any]:
    label = _words("one-thing.moment", moment.what)
    return {"at": moment.at, "what": moment.what, "label": label, "said": moment.said}


def _words(area: str, code: str) -> dict[str, str]:
    return {lang: say(f"{area}.{code}", {}, lang) for lang in ("zh", "en")} if code else {}


def _refused(fault: Fault, status: int) -> Response:
    told = {lang: say(fault.code, fault.facts, lang) for lang in ("zh", "en")}
    return JSONResponse({"code": fault.code, **told}, status)
