"""The drawing of what really flowed: nothing more, nothing less, and in proportion (R-C8)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from catalog.lifecycle.flow import Flow
from catalog.pages.lineage import NODE_LEFT, NODE_RIGHT, WIDTH, Drawing, lineage
from schemas.receipt import Event

AT = datetime(2026, 3, 2, tzinfo=UTC)
NUMBER = r"(-?[\d.]+)"


def came(source: str, many: int) -> Flow:
    return Flow(Event.MESSAGE_PUBLISHED, "caseStep", source, "", "", many, AT)


def went(route: str, many: int, event: Event = Event.DELIVERY_DONE) -> Flow:
    return Flow(event, "caseStep", "any", route, f"system of {route}", many, AT)


def bands(drawing: Drawing) -> list[dict[str, float]]:
    """Where each begins, where it meets the node, and how thick it is at either end."""
    found = []
    for path in drawing.bands:
        told = re.fullmatch(
            rf"M{NUMBER} {NUMBER}C{NUMBER} {NUMBER} {NUMBER} {NUMBER} {NUMBER} {NUMBER}"
            rf"V{NUMBER}C{NUMBER} {NUMBER} {NUMBER} {NUMBER} {NUMBER} {NUMBER}Z",
            path,
        )
        assert told, path
        at = [float(each) for each in told.groups()]
        found.append(
            {
                "x": at[0],
                "top": at[1],
                "outer": at[14] - at[1],
                "meet": at[7],
                "inner": at[8] - at[7],
            }
            | {"edge": at[6]}
        )
    return found


def test_bands_are_in_proportion_and_do_not_overlap() -> None:
    """Twice as many messages are a band twice as thick; at the node one lies under the other."""
    found = lineage(
        [came("a", 100), came("b", 50), went("r", 150), went("s", 75, Event.SERVICE_DONE)]
    )

    drawn = bands(found.drawing)

    assert [0, 0, WIDTH, WIDTH] == [each["x"] for each in drawn]
    assert [NODE_LEFT, NODE_LEFT, NODE_RIGHT, NODE_RIGHT] == [each["edge"] for each in drawn]
    a, b, r, s = (each["inner"] for each in drawn)
    assert (2, 2, 1.5) == pytest.approx((a / b, r / s, r / a), abs=0.02)
    for side in (drawn[:2], drawn[2:]):
        for upper, lower in pairwise(side):
            assert lower["meet"] == pytest.approx(upper["meet"] + upper["inner"], abs=0.02)
            assert lower["top"] > upper["top"] + upper["outer"]
    top, high = found.drawing.node
    assert high == pytest.approx(r + s, abs=0.02)
    assert top >= 0
    assert top + high <= found.drawing.height


def test_the_most_stand_first_and_counts_add_up() -> None:
    """A source that sent at two times is one; what failed went nowhere."""
    found = lineage([came("b", 3), came("a", 5), came("b", 4), went("r", 9, Event.DELIVERY_FAILED)])

    assert [("b", 7), ("a", 5)] == [(end.name, end.many) for end in found.feeding]
    assert [] == found.taking


def test_many_equal_ones_fit_and_the_few_are_seen() -> None:
    """Thirty sources of one size, beside one that sent a single message."""
    found = lineage([*(came(f"s{n:02}", 1_000_000) for n in range(30)), came("last", 1)])

    drawn = bands(found.drawing)

    assert 31 == len(drawn)
    assert all(each["inner"] > 0.5 for each in drawn)
    assert sum(each["inner"] for each in drawn) <= found.drawing.height + 0.5
