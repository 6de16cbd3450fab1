"""Streams across declarations: who feeds them, who takes them, and what runs in a circle."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from routes.lint.conditions import allowed, mentions
from routes.lint.finding import Notebook
from routes.model import Destination, Publish, RouteDeclaration
from routes.site import Declarations
from schemas.message import Operation

__all__ = ["check_flows"]

OPERATIONS = tuple(each.value for each in Operation)


@dataclass(frozen=True, slots=True)
class _Hop:
    """From one type of message by a route to a system that sends another."""

    taken: str
    sent: str
    route: RouteDeclaration
    number: int
    system: str
    free: bool  # no condition on the way


def check_flows(
    declarations: Declarations, book: Notebook, fed: Collection[str], taken: Collection[str]
) -> None:
    """*fed*, *taken*: resources that domain services publish and follow."""
    feeding = {p.resource for i in declarations.intakes.values() for p in i.publish} | set(fed)
    followed = {s.partition(".")[0] for r in declarations.routes.values() for s in r.streams}
    for route in declarations.routes.values():
        page = book.page("route", route.route)
        for n, stream in enumerate(route.streams):
            if (name := stream.partition(".")[0]) not in feeding:
                page.warning("lint.unfed-stream", ("from", n), resource=name)
    for intake in declarations.intakes.values():
        page = book.page("intake", intake.intake)
        for n, publish in enumerate(intake.publish):
            if publish.resource not in followed | set(taken):
                where = ("publish", n, "resource")
                page.warning("lint.untaken-stream", where, resource=publish.resource)
    used = {to.system for route in declarations.routes.values() for to in route.to}
    used |= {intake.system for intake in declarations.intakes.values()}
    for system in declarations.systems:
        if system not in used:
            book.page("system", system).warning("lint.idle-system", ("system",), system=system)
    _check_circles(declarations, book)


def _check_circles(declarations: Declarations, book: Notebook) -> None:
    hops = list(_hops(declarations))
    for hop in hops:
        if hop.taken == hop.sent:
            page = book.page("route", hop.route.route)
            where = ("to", hop.number, "system")
            page.error("lint.cycle", where, system=hop.system, stream=hop.taken, way=hop.system)
    # A longer way round is meant (a notice and its reply) as soon as one condition is on it.
    free = [hop for hop in hops if hop.free and hop.taken != hop.sent]
    for hop in free:
        way = _way(hop.sent, hop.taken, free)
        if way is not None:
            page = book.page("route", hop.route.route)
            told = " → ".join([hop.system, *(each.system for each in way)])
            where = ("to", hop.number, "system")
            page.warning("lint.cycle", where, system=hop.system, stream=hop.taken, way=told)


def _hops(declarations: Declarations) -> Iterator[_Hop]:
    for route in declarations.routes.values():
        for number, to in enumerate(route.to):
            for intake in declarations.intakes.values():
                if intake.system != to.system:
                    continue
                for publish in intake.publish:
                    if _distinguished(route, to, publish):
                        continue
                    free = route.only is None and to.only is None
                    for taken in _types(route):
                        for sent in _sent(publish, declarations):
                            yield _Hop(taken, sent, route, number, to.system, free)


def _types(route: RouteDeclaration) -> set[str]:
    conditions = allowed(route.only).get("$.operation")
    return {
        f"{stream.partition('.')[0]}.{operation}"
        for stream in route.streams
        for operation in ([stream.partition(".")[2]] if "." in stream else OPERATIONS)
        if conditions is None or operation in conditions
    }


def _sent(publish: Publish, declarations: Declarations) -> set[str]:
    operation = publish.operation
    if operation.const is not None:
        given = {str(operation.const)}
    elif table := declarations.tables.get(operation.codes or ""):
        given = set(table.to_ours.values())
    else:
        given = set(OPERATIONS)
    return {f"{publish.resource}.{each}" for each in given}


def _distinguished(route: RouteDeclaration, to: Destination, publish: Publish) -> bool:
    """Whether the route's conditions keep out what *publish* sends."""
    for condition in (route.only, to.only):
        if mentions(condition, "$.source"):
            return True
        for path, values in allowed(condition).items():
            value = publish.map.get(path)
            if value is not None and value.const is not None and value.const not in values:
                return True
    return False


def _way(start: str, end: str, hops: list[_Hop]) -> list[_Hop] | None:
    """The shortest way by *hops* from one type to another."""
    ways: list[tuple[str, list[_Hop]]] = [(start, [])]
    seen = {start}
    while ways:
        at, way = ways.pop(0)
        for hop in hops:
            if hop.taken != at:
                continue
            if hop.sent == end:
                return [*way, hop]
            if hop.sent not in seen:
                seen.add(hop.sent)
                ways.append((hop.sent, [*way, hop]))
    return None
