"""The map (`FlowMap`): who sends to which stream, who gets it by which route, and how much flows.

Three columns of equal rows: senders, streams, receivers. Names are HTML and keep their size;
only the links between the columns are drawn, in two SVG boxes 1000 units wide that stretch with
the page. Pure: a snapshot and counts in, places and lines out.

Units      heights in CSS pixels; rates per minute
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2

from monitoring.ports import Count, Names, Place, Route, RouteState, Snapshot
from schemas.receipt import Event

__all__ = ["WIDTH", "FlowMap", "Link", "Node", "flow_map"]

ROW_PX, WIDTH = 32, 1000
ARRIVED = {Event.DELIVERY_DONE, Event.SERVICE_DONE}
TRIED = {Event.DELIVERY_RETRYING, Event.SERVICE_RETRYING}
FAILED = {Event.DELIVERY_FAILED, Event.SERVICE_FAILED}
WORST: dict[RouteState, int] = {"flowing": 0, "retrying": 1, "halted": 2}
SWEEPS = 4


@dataclass(slots=True, kw_only=True)
class Node:
    """A row of the map. *key* is ``from:<system>``, ``stream:<resource>`` or ``to:<system>``."""

    key: str
    code: str
    names: Names
    kind: str
    rate: float = 0.0
    waiting: int = 0
    retrying: int = 0
    failed: int = 0
    state: RouteState = "flowing"
    routes: list[Route] = field(default_factory=list)
    y: float = 0.0

    @property
    def tone(self) -> str:
        """Its colour: ``bad``, ``warn``, ``good``, or none where nothing flows."""
        if self.state == "halted":
            return "bad"
        if self.state == "retrying" or self.failed:
            return "warn"
        return "good" if self.rate else ""


@dataclass(slots=True, kw_only=True)
class Link:
    """A line of the map, from one node's key to another's, with its shape for SVG's ``d``."""

    start: str
    end: str
    rate: float = 0.0
    waiting: int = 0
    state: RouteState = "flowing"
    routes: list[str] = field(default_factory=list)
    path: str = ""

    @property
    def width(self) -> float:
        """Grows with the logarithm: a stream of 600 a minute must not bury one of 6."""
        return 1.0 if not self.rate else round(min(1.5 + log2(1 + self.rate) * 0.55, 7.0), 2)

    @property
    def tone(self) -> str:
        """Its colour, as for a node."""
        if self.state == "halted":
            return "bad"
        if self.state == "retrying":
            return "warn"
        return "good" if self.rate else ""

    @property
    def pace(self) -> int:
        """How fast its dashes run, 0 (not at all) to 3."""
        return 0 if not self.rate else 1 if self.rate < 10 else 2 if self.rate < 100 else 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMap:
    """The whole map; links in trouble come last, to be drawn above the rest."""

    senders: tuple[Node, ...]
    streams: tuple[Node, ...]
    receivers: tuple[Node, ...]
    inward: tuple[Link, ...]
    outward: tuple[Link, ...]
    height: int


def flow_map(snapshot: Snapshot, counts: Sequence[Count], window_s: float) -> FlowMap:
    """Lay the hub out. *counts* cover the last *window_s* seconds."""
    per_minute = 60 / window_s
    streams = {
        resource: Node(key=f"stream:{resource}", code=resource, names=names, kind="stream")
        for resource, names in snapshot.streams.items()
    }
    inward = _inward(snapshot, counts, streams, per_minute)
    outward = _outward(snapshot, counts, streams, per_minute)
    used = {link.end for link in inward} | {link.start for link in outward}
    columns = (
        _side("from", snapshot.places, {link.start for link in inward}),
        [node for node in streams.values() if node.key in used],
        _side("to", snapshot.places, {link.end for link in outward}),
    )
    _fill_senders(columns[0], inward)
    _fill_receivers(columns[2], snapshot.routes, outward, counts)
    _order(columns, inward, outward)
    height = max((len(column) for column in columns), default=0) * ROW_PX
    _place(columns, height)
    at = {node.key: node.y for column in columns for node in column}
    for link in (*inward, *outward):
        link.path = _curve(at[link.start], at[link.end])
    return FlowMap(
        senders=tuple(columns[0]),
        streams=tuple(columns[1]),
        receivers=tuple(columns[2]),
        # What is in trouble is drawn last, above the rest.
        inward=tuple(sorted(inward, key=_rank)),
        outward=tuple(sorted(outward, key=_rank)),
        height=height,
    )


def _rank(link: Link) -> tuple[int, float]:
    return WORST[link.state], link.rate


def _inward(
    snapshot: Snapshot, counts: Sequence[Count], streams: Mapping[str, Node], per_minute: float
) -> list[Link]:
    links = {
        (place.code, resource): Link(start=f"from:{place.code}", end=f"stream:{resource}")
        for place in snapshot.places
        for resource in place.publishes
        if resource in streams
    }
    for count in counts:
        if count.event != Event.MESSAGE_PUBLISHED or count.resource not in streams:
            continue
        rate = count.count * per_minute
        streams[count.resource].rate += rate
        if link := links.get((count.source, count.resource)):
            link.rate += rate
    return list(links.values())


def _outward(
    snapshot: Snapshot, counts: Sequence[Count], streams: Mapping[str, Node], per_minute: float
) -> list[Link]:
    arrived: dict[tuple[str, str], float] = defaultdict(float)
    for count in counts:
        if count.event in ARRIVED:
            arrived[count.route, count.resource] += count.count * per_minute
    links: dict[tuple[str, str], Link] = {}
    for route in snapshot.routes:
        for resource in route.resources:
            if resource not in streams:
                continue
            made = Link(start=f"stream:{resource}", end=f"to:{route.to}")
            link = links.setdefault((resource, route.to), made)
            link.rate += arrived[route.name, resource]
            link.waiting += route.waiting
            link.routes.append(route.name)
            link.state = max(link.state, route.state, key=WORST.__getitem__)
    return list(links.values())


def _side(side: str, places: Iterable[Place], used: set[str]) -> list[Node]:
    nodes = [
        Node(key=f"{side}:{place.code}", code=place.code, names=place.names, kind=place.kind)
        for place in places
    ]
    return [node for node in nodes if node.key in used]


def _fill_senders(nodes: Iterable[Node], inward: Sequence[Link]) -> None:
    for node in nodes:
        node.rate = sum(link.rate for link in inward if link.start == node.key)


def _fill_receivers(
    nodes: Iterable[Node],
    routes: Sequence[Route],
    outward: Sequence[Link],
    counts: Sequence[Count],
) -> None:
    failed: dict[str, int] = defaultdict(int)
    for count in counts:
        if count.event in FAILED:
            failed[count.route] += count.count
    for node in nodes:
        node.routes = [route for route in routes if route.to == node.code]
        node.rate = sum(link.rate for link in outward if link.end == node.key)
        node.waiting = sum(route.waiting for route in node.routes)
        node.retrying = sum(route.retrying for route in node.routes)
        node.failed = sum(failed[route.name] for route in node.routes)
        node.state = max((r.state for r in node.routes), key=WORST.__getitem__, default="flowing")


def _order(
    columns: tuple[list[Node], list[Node], list[Node]],
    inward: Sequence[Link],
    outward: Sequence[Link],
) -> None:
    """Fewer crossings: each row moves towards the middle of what it hangs on, a few times over.

    Services stay below systems, so that a reader finds them; ties keep the declared order, so
    that the map lies still from one refresh to the next.
    """
    senders, streams, receivers = columns
    beside: dict[str, set[str]] = defaultdict(set)
    for link in (*inward, *outward):
        beside[link.start].add(link.end)
        beside[link.end].add(link.start)
    for _ in range(SWEEPS):
        at = _positions(streams)
        for side in (senders, receivers):
            side.sort(key=lambda node: (node.kind == "service", _middle(beside[node.key], at)))
        at = _positions(senders) | _positions(receivers)
        streams.sort(key=_by_middle(beside, at))


def _by_middle(beside: Mapping[str, set[str]], at: Mapping[str, float]) -> Callable[[Node], float]:
    return lambda node: _middle(beside[node.key], at)


def _positions(nodes: Sequence[Node]) -> dict[str, float]:
    return {node.key: (index + 0.5) / len(nodes) for index, node in enumerate(nodes)}


def _middle(keys: Iterable[str], at: Mapping[str, float]) -> float:
    found = [at[key] for key in keys if key in at]
    return round(sum(found) / len(found), 6) if found else 1.0


def _place(columns: Iterable[Sequence[Node]], height: int) -> None:
    """Spread each column evenly over the height of the tallest."""
    for nodes in columns:
        pitch = height / max(len(nodes), 1)
        for index, node in enumerate(nodes):
            node.y = round((index + 0.5) * pitch, 1)


def _curve(start: float, end: float) -> str:
    bend = WIDTH * 0.45
    return f"M0 {start}C{bend:g} {start} {WIDTH - bend:g} {end} {WIDTH} {end}"
