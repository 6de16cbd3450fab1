"""Supervision as a service: its subscriber, ``GET /api/cards``, and its panel of cards."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, func, select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.streams import Subscriber
from schemas.calendar import Calendar, read_calendars
from schemas.declarations import parse
from schemas.errors import Fault, Misconfigured
from schemas.texts import say
from services.supervision.clock import Limit, deadline
from services.supervision.handlers import FOLLOWS, NAME, Supervisor
from services.supervision.rules import COLOURS, SupervisionRules
from services.supervision.tables import cards
from web.shell import Panel, Shell, Tally

__all__ = ["FOLLOWS", "NAME", "Reader", "Service", "build"]

T = TypeVar("T")
FILE = "rules/supervision.yaml"
PANEL_ROWS, PAGE_ROWS = 12, 300
TONES = {"yellow": "warn", "red": "bad", "black": "black"}


class Reader(Protocol):
    """Runs a question against the hub's records."""

    async def __call__(self, work: Callable[[Connection], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Service:
    """
    What the composition root joins to the hub.

    *sweep*: to be called now and then (see `Supervisor.sweep`). *due*: the last day of a limit that
    starts on a day, by count and unit; None where the calendar does not reach that far.
    """

    name: str
    subscriber: Subscriber
    routes: Sequence[Route]
    panels: Sequence[Panel]
    tallies: Callable[[], Awaitable[Sequence[Tally]]]
    sweep: Callable[[Connection, datetime], int]
    due: Callable[[date, int, str], date | None]


def build(
    rules_texts: Mapping[str, str], calendar_texts: Mapping[str, str], read: Reader, shell: Shell
) -> Service:
    """Raises `InvalidDeclaration` where rules or calendars are wrong."""
    rules = parse(rules_texts.get(FILE, ""), SupervisionRules, file=FILE)
    calendar = read_calendars(calendar_texts)
    supervisor = Supervisor(rules, calendar)
    pages = _Pages(read, shell)
    panel = Panel(
        key="cards",
        title="supervision.cards",
        endpoint=pages.panel,
        signals=("services",),
        wide=True,
        page="/cards",
        shared=True,
    )
    return Service(
        name=NAME,
        subscriber=supervisor.subscriber,
        routes=(Route("/api/cards", pages.listed), Route("/cards", pages.page)),
        panels=(panel,),
        tallies=pages.tallies,
        sweep=supervisor.sweep,
        due=partial(_due, calendar),
    )


def _due(calendar: Calendar, start: date, count: int, unit: str) -> date | None:
    try:
        return deadline(start, Limit(count, unit), (), start, calendar)
    except Misconfigured:
        # Said loudly when that year begins; until then nobody can know its holidays.
        return None


@dataclass(frozen=True, slots=True)
class _Pages:
    read: Reader
    shell: Shell

    async def listed(self, request: Request) -> Response:
        asked = request.query_params.get("colour", "")
        limit = request.query_params.get("limit", "100")
        if (asked and asked not in COLOURS) or not re.fullmatch(r"[1-9][0-9]{0,5}", limit):
            return _refused(Fault("supervision.query", "", {"colours": " ".join(COLOURS)}))
        most = min(int(limit), PAGE_ROWS)
        found = await self.read(partial(_newest, colour=asked, limit=most))
        return JSONResponse({"cards": [_told(card) for card in found]})

    async def panel(self, request: Request) -> Response:
        found = await self.read(partial(_newest, colour="", limit=PANEL_ROWS))
        template = "services.supervision:grid.html"
        return self.shell.render(request, template, cards=found, tones=TONES, reason=_reason)

    async def page(self, request: Request) -> Response:
        colour = _colour(request)
        found = await self.read(partial(_newest, colour=colour, limit=PAGE_ROWS))
        counts = await self.read(_counts)
        name = "grid" if "x-fragment" in request.headers else "cards"
        return self.shell.render(
            request,
            f"services.supervision:{name}.html",
            cards=found,
            tones=TONES,
            reason=_reason,
            counts=counts,
            colour=colour,
            colours=COLOURS,
        )

    async def tallies(self) -> Sequence[Tally]:
        counts = await self.read(_counts)
        return tuple(
            Tally(
                key=f"cards-{colour}",
                title=f"supervision.{colour}",
                value=counts.get(colour, 0),
                tone=TONES[colour],
                url=f"/cards?colour={colour}",
            )
            for colour in COLOURS
        )


def _colour(request: Request) -> str:
    asked = request.query_params.get("colour", "")
    return asked if asked in COLOURS else ""


def _newest(connection: Connection, *, colour: str, limit: int) -> list[dict[str, Any]]:
    query = select(cards).order_by(cards.c.since.desc()).limit(limit)
    query = query.where(cards.c.colour == colour) if colour else query
    return [
        {**row, "since": datetime.fromisoformat(row["since"]).isoformat()}
        for row in connection.execute(query).mappings()
    ]


def _counts(connection: Connection) -> dict[str, int]:
    query = select(cards.c.colour, func.count()).group_by(cards.c.colour)
    return {row[0]: row[1] for row in connection.execute(query)}


def _reason(card: Mapping[str, Any], lang: str) -> str:
    """Which limit, how many working days, how many of pause."""
    rule = str(card["rule"]).partition("/")[0].rpartition(".")[2]
    facts = dict(card["facts"])
    if unit := facts.get("unit"):
        facts["unit"] = say(f"supervision.unit.{unit}", {}, lang)
    told = [say(f"supervision.reason.{rule}", facts, lang)]
    if facts.get("extended"):
        told.append(say("supervision.reason.extended", facts, lang))
    return ("" if lang == "zh" else " ").join(told)


def _told(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card with its colour and its reason in both languages."""
    langs = ("zh", "en")
    return {
        **card,
        "colour_label": {lang: say(f"supervision.{card['colour']}", {}, lang) for lang in langs},
        "reason": {lang: _reason(card, lang) for lang in langs},
    }


def _refused(fault: Fault) -> Response:
    told = {lang: say(fault.code, fault.facts, lang) for lang in ("zh", "en")}
    return JSONResponse({"code": fault.code, **told}, 400)
