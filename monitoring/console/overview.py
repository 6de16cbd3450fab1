"""The front page: the strip of figures, the map, the panels; and the table of routes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from monitoring.console.desk import WINDOW_S, Desk
from monitoring.console.flow_map import FAILED, flow_map
from monitoring.ports import Count, Route
from schemas.receipt import Event
from web.shell import Panel, Tally

__all__ = ["Alarm", "Overview", "RouteRow"]

RECENT_ROWS = 14
SPARKED = {
    "received": Event.RECORD_RECEIVED,
    "published": Event.MESSAGE_PUBLISHED,
    "delivered": Event.DELIVERY_DONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The halted routes to one system that halted for one reason: *first* and how many others."""

    first: Route
    others: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRow:
    """A route with what passed it in the last minute."""

    route: Route
    rate: float
    failed: int


class Overview:
    """*panels*: what services contribute, in order."""

    def __init__(self, desk: Desk, panels: Sequence[Panel]) -> None:
        self._desk = desk
        self._strip = Panel(
            key="figures",
            title="console.figures",
            endpoint=self.figures,
            signals=("flow", "failures", "services"),
            shared=True,
        )
        self._map = Panel(
            key="map",
            title="console.map",
            endpoint=self.map,
            signals=("flow",),
            wide=True,
            shared=True,
        )
        recent = Panel(
            key="recent",
            title="console.recent",
            endpoint=self.recent,
            signals=("flow",),
            wide=True,
            shared=True,
        )
        narrow = [panel for panel in panels if not panel.wide]
        wide = [panel for panel in panels if panel.wide]
        self._columns = (*narrow, *wide, recent)

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every fragment of the page, to be served by the shell."""
        return (self._strip, self._map, *self._columns)

    async def page(self, request: Request) -> Response:
        """Everything at once: a page without JavaScript is whole, one with it starts whole."""
        shell = self._desk.shell
        made = await asyncio.gather(*(shell.fragment(request, each) for each in self.panels))
        strip, drawn, *rest = zip(self.panels, made, strict=True)
        return shell.render(
            request, "monitoring.console:overview.html", strip=strip, map=drawn, columns=rest
        )

    async def figures(self, request: Request) -> Response:
        """The strip: what passed today, what waits, what failed, and the services' own."""
        desk = self._desk
        today, snapshot, groups, sparks = await asyncio.gather(
            desk.today.get(), desk.snapshot.get(), desk.groups.get(), desk.sparks.get()
        )
        contributed = await asyncio.gather(*(tallies() for tallies in desk.tallies))
        waiting = sum(route.waiting for route in snapshot.routes)
        retrying = sum(route.retrying for route in snapshot.routes)
        failures = sum(group.count for group in groups)
        tallies = [
            _passed("received", today, SPARKED["received"]),
            _passed("published", today, SPARKED["published"]),
            _passed("delivered", today, SPARKED["delivered"]),
            Tally(key="waiting", title="console.tally.waiting", value=waiting, url="/routes"),
            Tally(
                key="retrying",
                title="console.tally.retrying",
                value=retrying,
                tone="warn",
                url="/routes",
            ),
            Tally(
                key="failures",
                title="console.tally.failures",
                value=failures,
                tone="bad",
                url="/failures",
            ),
            *(tally for several in contributed for tally in several),
        ]
        by_key = {key: sparks.get(event, ()) for key, event in SPARKED.items()}
        return desk.shell.render(
            request, "monitoring.console:figures.html", tallies=tallies, sparks=by_key
        )

    async def map(self, request: Request) -> Response:
        """The map, with an alarm line for every halted route."""
        desk = self._desk
        snapshot, counts = await asyncio.gather(desk.snapshot.get(), desk.window.get())
        return desk.shell.render(
            request,
            "monitoring.console:map.html",
            map=flow_map(snapshot, counts, WINDOW_S),
            alarms=_alarms(snapshot.routes),
            called=await desk.called(),
        )

    async def recent(self, request: Request) -> Response:
        """The newest hops, as the ledger has them."""
        desk = self._desk
        hops = await desk.ledger.recent(limit=RECENT_ROWS)
        return desk.shell.render(
            request, "monitoring.console:hops.html", hops=hops, called=await desk.called()
        )

    async def routes(self, request: Request) -> Response:
        """All routes, or those of one system or stream; with what happened there last."""
        desk = self._desk
        system = request.query_params.get("system", "")[:64]
        resource = request.query_params.get("stream", "")[:64]
        snapshot, counts, hops = await asyncio.gather(
            desk.snapshot.get(),
            desk.window.get(),
            desk.ledger.recent(limit=40, system=system, resource=resource),
        )
        shown = [
            row
            for row in _rows(snapshot.routes, counts)
            if (not system or row.route.to == system)
            and (not resource or resource in row.route.resources)
        ]
        bare = request.headers.get("x-fragment")
        template = "route_rows.html" if bare else "routes.html"
        return desk.shell.render(
            request,
            f"monitoring.console:{template}",
            rows=shown,
            hops=hops,
            system=system,
            resource=resource,
            called=await desk.called(),
        )


def _alarms(routes: Sequence[Route]) -> list[Alarm]:
    """One line each: a wrong key halts every route to a system, which is one thing to mend."""
    halted: dict[tuple[str, str], list[Route]] = defaultdict(list)
    for route in routes:
        if route.state == "halted":
            halted[route.to, route.fault.code if route.fault else ""].append(route)
    return [
        Alarm(first=each[0], others=len(each) - 1, waiting=sum(route.waiting for route in each))
        for each in halted.values()
    ]


def _passed(key: str, counts: Sequence[Count], event: Event) -> Tally:
    value = sum(count.count for count in counts if count.event == event)
    return Tally(key=key, title=f"console.tally.{key}", value=value)


def _rows(routes: Sequence[Route], counts: Sequence[Count]) -> list[RouteRow]:
    """In trouble first, then by what waits."""
    arrived: dict[str, int] = defaultdict(int)
    failed: dict[str, int] = defaultdict(int)
    for count in counts:
        if count.event in {Event.DELIVERY_DONE, Event.SERVICE_DONE}:
            arrived[count.route] += count.count
        elif count.event in FAILED:
            failed[count.route] += count.count
    rows = [
        RouteRow(
            route=route,
            rate=arrived[route.name] * 60 / WINDOW_S,
            failed=failed[route.name],
        )
        for route in routes
    ]
    rank = {"halted": 0, "retrying": 1, "flowing": 2}
    return sorted(rows, key=lambda r: (rank[r.route.state], -r.route.waiting, r.route.name))
