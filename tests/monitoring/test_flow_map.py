"""The map is laid out from a snapshot and counts, without I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitoring.console.flow_map import ROW_PX, flow_map
from monitoring.ports import Count, Names, Place, Route, Snapshot
from schemas.receipt import Event

SNAPSHOT = Snapshot(
    places=(
        Place(code="platform", names=Names("平台", "Platform"), publishes=("application",)),
        Place(code="fire", names=Names("消防", "Fire"), publishes=("result",)),
        Place(
            code="one-thing",
            names=Names("一件事", "One thing"),
            kind="service",
            publishes=("item",),
        ),
    ),
    streams={
        "application": Names("申请", "Application"),
        "item": Names("办件", "Item"),
        "result": Names("办结", "Result"),
        "unused": Names("无", "Unused"),
    },
    routes=(
        Route(name="items-to-fire", resources=("item",), to="fire", waiting=3),
        Route(name="results", resources=("result",), to="platform"),
        Route(name="one-thing", resources=("application", "result"), to="one-thing"),
    ),
)
COUNTS = [
    Count(event=Event.MESSAGE_PUBLISHED, source="platform", resource="application", count=5),
    Count(event=Event.MESSAGE_PUBLISHED, source="one-thing", resource="item", count=30),
    Count(
        event=Event.DELIVERY_DONE,
        resource="item",
        route="items-to-fire",
        system="fire",
        count=20,
    ),
    Count(event=Event.SERVICE_DONE, resource="application", route="one-thing", count=5),
    Count(
        event=Event.DELIVERY_FAILED,
        resource="item",
        route="items-to-fire",
        system="fire",
        count=2,
    ),
]


def test_rates_are_per_minute() -> None:
    """Counted over half a minute, so doubled."""
    made = flow_map(SNAPSHOT, COUNTS, 30)

    senders = {node.code: node.rate for node in made.senders}
    receivers = {node.code: node.rate for node in made.receivers}
    assert {"platform": 10.0, "fire": 0.0, "one-thing": 60.0} == senders
    assert {"platform": 0.0, "fire": 40.0, "one-thing": 10.0} == receivers


def test_a_receiver_adds_up_its_routes() -> None:
    """What waits, what failed, and the worst state of them."""
    routes = (
        *SNAPSHOT.routes,
        Route(name="replies-to-fire", resources=("result",), to="fire", waiting=4, retrying=1),
    )
    halted = tuple(
        replace(route, state="halted") if route.name == "items-to-fire" else route
        for route in routes
    )

    made = flow_map(replace(SNAPSHOT, routes=halted), COUNTS, 60)

    fire = next(node for node in made.receivers if node.code == "fire")
    assert (7, 1, 2, "halted", "bad") == (
        fire.waiting,
        fire.retrying,
        fire.failed,
        fire.state,
        fire.tone,
    )
    assert "halted" == made.outward[-1].state  # drawn last, above the rest


def test_only_what_is_used_is_shown() -> None:
    """A stream that nobody feeds or follows is not on the map."""
    made = flow_map(SNAPSHOT, [], 60)

    assert {"application", "item", "result"} == {node.code for node in made.streams}


def test_columns_share_one_height() -> None:
    """Rows are spread evenly; links end at the middle of their rows."""
    made = flow_map(SNAPSHOT, COUNTS, 60)

    assert 3 * ROW_PX == made.height
    assert [16.0, 48.0, 80.0] == [node.y for node in made.streams]
    at = {node.key: node.y for node in (*made.senders, *made.streams, *made.receivers)}
    for link in (*made.inward, *made.outward):
        assert link.path.startswith(f"M0 {at[link.start]}C")
        assert link.path.endswith(f" {at[link.end]}")


def test_services_stand_below_systems() -> None:
    """On either side."""
    made = flow_map(SNAPSHOT, COUNTS, 60)

    assert "one-thing" == made.senders[-1].code
    assert "one-thing" == made.receivers[-1].code


def test_the_order_does_not_depend_on_what_flows() -> None:
    """A map whose rows jump with the rates cannot be learned by heart."""
    busy, quiet = flow_map(SNAPSHOT, COUNTS, 60), flow_map(SNAPSHOT, [], 60)

    assert [n.key for n in quiet.streams] == [n.key for n in busy.streams]
    assert [n.key for n in quiet.receivers] == [n.key for n in busy.receivers]


def test_wider_means_more_but_not_in_proportion() -> None:
    """A hundred times the flow is about three times the width, and there is a limit."""
    widths = []
    for count in (0, 1, 100, 100_000):
        counts = [
            Count(
                event=Event.MESSAGE_PUBLISHED,
                source="platform",
                resource="application",
                count=count,
            )
        ]
        made = flow_map(SNAPSHOT, counts, 60)
        widths.append(next(link.width for link in made.inward if link.end == "stream:application"))

    assert sorted(set(widths)) == widths
    assert 7.0 == widths[-1]


def test_an_empty_hub_has_an_empty_map() -> None:
    """Before a site is loaded."""
    made = flow_map(Snapshot(places=(), streams={}, routes=()), [], 60)

    assert (0, (), ()) == (made.height, made.streams, made.inward)


@pytest.mark.parametrize("resource", ["gone", ""])
def test_counts_of_what_is_no_longer_declared_are_left_out(resource: str) -> None:
    """The ledger remembers streams that the site has dropped."""
    counts = [Count(event=Event.MESSAGE_PUBLISHED, source="x", resource=resource, count=9)]

    assert 0.0 == sum(node.rate for node in flow_map(SNAPSHOT, counts, 60).streams)
