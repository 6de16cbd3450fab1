"""Journeys as pages: ``/trace?q=…`` for any number, ``/messages/<id>`` for one message."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monitoring.console.desk import Desk
from monitoring.console.journey import journey

__all__ = ["JourneyPages"]

LONGEST = 128


class JourneyPages:
    """Endpoints over a `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def trace(self, request: Request) -> Response:
        """Everything about what was asked for, message by message."""
        asked = request.query_params.get("q", "").strip()[:LONGEST]
        if not asked:
            return RedirectResponse("/", 303)
        desk = self._desk
        return desk.shell.render(
            request,
            "monitoring.console:trace.html",
            asked=asked,
            journey=journey(await desk.ledger.trace(asked)),
            called=await desk.called(),
        )

    async def message(self, request: Request) -> Response:
        """One message: its body masked, its hops, and the other messages of its journey."""
        desk = self._desk
        message_id = request.path_params["id"][:LONGEST]
        found = journey(await desk.ledger.trace(message_id))
        legs = found.legs if found else ()
        leg = next((leg for leg in legs if leg.told_by(message_id)), None)
        return desk.shell.render(
            request,
            "monitoring.console:message.html",
            asked=message_id,
            status=200 if found else 404,
            journey=found,
            leg=leg,
            payload=await desk.ledger.payload(leg.id) if leg else None,
            called=await desk.called(),
        )
