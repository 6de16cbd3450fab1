"""``kill -9`` of a hub process before every step that a message meets: nothing lost, nothing doubled.

Each point is walked twice: a process dies at its first passing, its successor at a later one, the
third ends the flow. Records with every outcome are on their way meanwhile (`tests.faults.flow`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.faults.conftest import Placing
from tests.faults.lane import LOOK_EVERY_S, Lane, lane_at
from tests.faults.process import Nursery
from tests.faults.steps import all_points

LANES, LATER = 6, 3
# Steps that come only after a death at another point, which comes first: what it left is taken up.
COMMITTED = "hub.subscribers ServiceRunner._taken > publisher.sent"
AFTER = {
    "hub.subscribers ServiceRunner._publish_left > publisher.sent": COMMITTED,
    "hub.subscribers ServiceRunner._publish_left > publisher.confirmed": COMMITTED,
    "hub.subscribers ServiceRunner._publish_left > self._store.write": COMMITTED,
}
# Steps that come only with what this flow has not, and where that is tested.
ELSEWHERE = {
    # The database is away: test_servers_killed.
    "hub.pipeline Pipeline._waiting > asyncio.sleep",
    "hub.failures FailureWriter._keep > asyncio.sleep",
    "hub.subscribers ServiceRunner._written > asyncio.sleep",
    "hub.ledger LedgerWriter._write > asyncio.sleep",
    # A record that broke several processes: tests/hub/test_poison_record.
    "hub.pipeline Pipeline.run > converted.put",
    "hub.pipeline Pipeline.run > consumer.done",
    "hub.pipeline Pipeline.run > suspect.given_up",
    # The broker is away: test_servers_killed.
    "hub.delivery.worker RouteWorker._recover > job.back (2)",
    "hub.delivery.worker RouteWorker._recover > job.back (3)",
    # The order of a route was changed while messages waited: tests/hub/test_order_changes.
    "hub.delivery.worker RouteWorker._until_wanted > asyncio.sleep",
    "hub.delivery.worker RouteWorker._anything_left > self._order.look",
    "hub.delivery.worker RouteWorker._depth > depths",
    # Hours, grants, newer ones that replace older ones, targets that can be asked: tests/hub.
    "hub.delivery.worker RouteWorker._until_open > asyncio.sleep",
    "hub.delivery.worker RouteWorker._one > self._allowance.take",
    "hub.delivery.worker RouteWorker._one > job.back (2)",
    "hub.delivery.worker RouteWorker._tell_replaced > hand.receipts.tell",
    "hub.delivery.attempt _recalled > sink.recall",
    # What was taken is put down unended by a process that stops in order: tests/hub/test_order_outage.
    "hub.delivery.held Order._let_go > self._store.write",
}
# Steps that come only where three deaths in a row hit the same message: tests/hub/test_poison_message.
SUSPECTS = {
    "hub.delivery.worker RouteWorker._start > tasks.alone",
    "hub.delivery.worker RouteWorker._start_held > tasks.alone",
    "hub.delivery.worker RouteWorker._suspect > suspect.given_up",
    "hub.subscribers ServiceRunner._taken_up > suspect.given_up",
}
# Steps that come only where a route halts while others wait for their turn: tests/hub/test_link.
SOMETIMES = {"hub.delivery.worker RouteWorker._recover > job.back"}


def test_the_exceptions_are_steps() -> None:
    """What is walked elsewhere is still a step of the code."""
    assert ELSEWHERE | SUSPECTS | SOMETIMES | set(AFTER) <= set(all_points())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_killed_before_every_step(database: str, placing: Placing, nursery: Nursery) -> None:
    """Every other point on SQLite, the rest on PostgreSQL; several hubs are walked side by side."""
    skipped = ELSEWHERE | SUSPECTS | SOMETIMES
    every = [point for point in all_points() if point not in skipped]
    first = 0 if database == "sqlite" else 1
    points = every[first::2]
    assert points
    left = iter(points)
    places = [placing(database) for _ in range(LANES)]
    async with AsyncExitStack() as stack:
        lanes = [await stack.enter_async_context(lane_at(place, nursery)) for place in places]
        async with asyncio.TaskGroup() as walks:
            for lane in lanes:
                walks.create_task(_walk(lane, left))
        assert set() == ELSEWHERE & {point for lane in lanes for point in lane.passed()}


async def _walk(lane: Lane, points: Iterator[str]) -> None:
    for point in points:
        try:
            await _killed_at(lane, point)
        except BaseException as error:
            error.add_note(f"killed before {point}; its hubs said:\n{lane.said()}")
            raise


async def _killed_at(lane: Lane, point: str) -> None:
    flow = await lane.send()
    if before := AFTER.get(point):
        # The first message has no follow-up: it comes alone, before the others are fetched.
        assert -signal.SIGKILL == await lane.died(lane.start(dies_at=before, passing=2))
    assert -signal.SIGKILL == await lane.died(lane.start(dies_at=point))
    worker = lane.start(dies_at=point, passing=LATER)
    async with asyncio.TaskGroup() as looking:
        ending = looking.create_task(lane.ended(flow))
        while not ending.done() and not worker.ended:
            await asyncio.sleep(LOOK_EVERY_S)
        if worker.ended:
            assert -signal.SIGKILL == worker.wait()
            worker = lane.start()
        await ending
    worker.kill()
