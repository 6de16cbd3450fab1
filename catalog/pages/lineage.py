"""Where a resource's messages really came from and went, and how that is drawn.

Form       bands from the names on the left to a node, and on to the names on the right; each name has a row of
           `ROW` units, the drawing is `WIDTH` units wide
Promises   a band is as thick as its share, on both sides by one measure; the thinnest is still seen
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.lifecycle.flow import Flow
from schemas.receipt import Event

__all__ = ["ROW", "WIDTH", "Drawing", "End", "Lineage", "lineage"]

WIDTH, ROW = 100.0, 34.0
NODE_LEFT, NODE_RIGHT = 47.0, 53.0
THICKEST, THINNEST = 26.0, 1.5


@dataclass(frozen=True, slots=True)
class End:
    """A system or service, by the source or route *name*, and how many messages it sent or got."""

    name: str
    system: str
    many: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """*bands*: as an SVG path's ``d``, the feeding ones first; *node*: top and height."""

    height: float
    bands: Sequence[str]
    node: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The most first."""

    feeding: Sequence[End]
    taking: Sequence[End]

    @property
    def drawing(self) -> Drawing:
        """Both sides stand in the middle of its height."""
        height = ROW * max(len(self.feeding), len(self.taking), 1)
        most = max((end.many for end in (*self.feeding, *self.taking)), default=1)
        sides = [
            [max(THINNEST, THICKEST * end.many / most) for end in ends]
            for ends in (self.feeding, self.taking)
        ]
        tallest = max(map(sum, sides), default=0.0)
        # Where there are many, they meet in a node no higher than the drawing.
        fit = min(1.0, height / tallest) if tallest else 1.0
        bands: list[str] = []
        for side, (outer, inner) in zip(
            sides, ((0.0, NODE_LEFT), (WIDTH, NODE_RIGHT)), strict=True
        ):
            bands += _bands([each * fit for each in side], outer, inner, height)
        node = max(tallest * fit, THINNEST)
        return Drawing(height, bands, ((height - node) / 2, node))


def lineage(flows: Sequence[Flow]) -> Lineage:
    """Of one resource's *flows*."""
    feeding, taking = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for flow in flows:
        if flow.event is Event.MESSAGE_PUBLISHED:
            feeding[flow.source, flow.source] += flow.many
        elif flow.event in {Event.DELIVERY_DONE, Event.SERVICE_DONE}:
            taking[flow.route, flow.system] += flow.many
    return Lineage(_ends(feeding), _ends(taking))


def _ends(counted: Counter[tuple[str, str]]) -> Sequence[End]:
    return [End(name, system, many) for (name, system), many in counted.most_common()]


def _bands(thick: Sequence[float], outer: float, inner: float, height: float) -> list[str]:
    """From the rows at *outer* to the node's edge at *inner*, one under the other there."""
    middle, bend = (height - ROW * len(thick)) / 2, (outer + inner) / 2
    meet = (height - sum(thick)) / 2
    found: list[str] = []
    for n, each in enumerate(thick):
        top = middle + ROW * (n + 0.5) - each / 2
        found.append(
            f"M{outer:g} {top:.2f}C{bend:g} {top:.2f} {bend:g} {meet:.2f} {inner:g} {meet:.2f}"
            f"V{meet + each:.2f}"
            f"C{bend:g} {meet + each:.2f} {bend:g} {top + each:.2f} {outer:g} {top + each:.2f}Z"
        )
        meet += each
    return found
