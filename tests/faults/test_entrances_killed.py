"""``kill -9`` before every step by which records come in: nothing lost, nothing doubled.

A partner is polled that repeats itself and is often unwell; another pushes, and makes each call
again that was not answered. Each point is walked twice, as in `tests.faults.test_kill_walk`.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress

import pytest
from sqlalchemy import select

from hub.store.tables import ledger
from schemas.receipt import Event
from tests.connectors.socket_system import on_a_socket
from tests.faults.conftest import Placing
from tests.faults.entrances import Feed, Sender
from tests.faults.lane import LOOK_EVERY_S, Lane, lane_at
from tests.faults.process import Nursery
from tests.faults.steps import ENTRANCES, all_points
from tests.hub.ledger_rows import breaks

LANES, LATER, TIMES, STEPS = 4, 3, 3, 3
WITHIN_S = 120.0
DOORS = range(20_000, 32_000)


def _free_port() -> int:
    """One that no outgoing connection is given while the door is shut."""
    for port in random.sample(DOORS, len(DOORS)):
        with socket.socket() as trying, suppress(OSError):
            trying.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("database", "every"), [("sqlite", 2), ("postgresql", 1)])
async def test_killed_before_every_step_of_an_entrance(
    database: str, every: int, placing: Placing, nursery: Nursery
) -> None:
    """Each step on PostgreSQL, every other one on SQLite: what the polled partner tells and what the other one sends is at both receivers once."""
    points = tuple(all_points(ENTRANCES))[::every]
    assert points
    left = iter(points)
    async with AsyncExitStack() as stack:
        lanes = []
        for place in [placing(database) for _ in range(LANES)]:
            lane = await stack.enter_async_context(lane_at(place, nursery))
            lanes.append((lane, Feed()))
            lane.feed = (await stack.enter_async_context(on_a_socket(lanes[-1][1]))).url
            lane.door = _free_port()
        async with asyncio.TaskGroup() as walks:
            for lane, feed in lanes:
                walks.create_task(_walk(lane, feed, left))
        assert set(points) <= {point for lane, _ in lanes for point in lane.passed()}


async def _walk(lane: Lane, feed: Feed, points: Iterator[str]) -> None:
    for n, point in enumerate(points):
        try:
            async with asyncio.timeout(WITHIN_S):
                await _killed_at(lane, feed, point, f"G{n}")
        except BaseException as error:
            error.add_note(f"killed before {point}; its hubs said:\n{lane.said()}")
            raise
    assert {} == await asyncio.to_thread(breaks, lane.store)


async def _killed_at(lane: Lane, feed: Feed, point: str, name: str) -> None:
    sender = Sender(f"http://127.0.0.1:{lane.door}")
    async with asyncio.TaskGroup() as sending:
        calls = sending.create_task(_send(sender, name))
        _tell(feed, name, 1)
        assert -signal.SIGKILL == await lane.died(lane.start(dies_at=point))
        _tell(feed, name, 2)
        worker = lane.start(dies_at=point, passing=LATER)
        ending = sending.create_task(_arrived(lane, name))
        while not (ending.done() and calls.done()):
            await asyncio.sleep(LOOK_EVERY_S)
            if worker.ended:
                assert -signal.SIGKILL == worker.wait(), "it ended by itself"
                worker = lane.start()
    # Answered as if nothing had been: refused are only those that were rubbish.
    assert {202: TIMES, 400: TIMES, 200: 2 * TIMES} == sender.answers
    worker.kill()


def _tell(feed: Feed, name: str, half: int) -> None:
    for step in range(1, STEPS + 1):
        for n in range(TIMES):
            feed.add(f"{name}-{half}{n}g", step)
        feed.add_unsendable(f"{name}-{half}{step}u")


async def _send(sender: Sender, name: str) -> None:
    """In turns, so that every kind of call is under way when the hub dies."""
    for n in range(TIMES):
        told = await sender.sends(f"{name}-{n}p")
        await sender.sends_rubbish(f"{name}-{n}q")
        await sender.sends(f"{name}-{n}w", wait=True)
        # A repeat is told as one, whatever became of the first.
        assert await sender.asks(told) in ("accepted", "repeated")


def _wanted(name: str) -> Counter[tuple[str, str]]:
    told = {(f"{name}-{h}{n}g", f"{s}") for h in (1, 2) for n in range(TIMES) for s in (1, 2, 3)}
    return Counter(told | {(f"{name}-{n}{kind}", "1") for n in range(TIMES) for kind in "pw"})


async def _arrived(lane: Lane, name: str) -> None:
    """Until both partners hold all, and the ledger says that each came once; what can never be sent is
    refused, each of them, and nobody holds it."""
    wanted = _wanted(name)
    accepted = -1
    while accepted != wanted.total():
        await asyncio.sleep(LOOK_EVERY_S)
        held = [Counter(partner.holds(name)) for partner in lane.partners.values()]
        assert not any(each - wanted for each in held), "doubled"
        if all(each == wanted for each in held):
            accepted = await asyncio.to_thread(_accepted, lane, name)
    unsendable = {f"{name}-{half}{step}u" for half in (1, 2) for step in range(1, STEPS + 1)}
    while unsendable != await asyncio.to_thread(_refused, lane, name):
        await asyncio.sleep(LOOK_EVERY_S)
    steps: dict[str, list[str]] = defaultdict(list)
    for number, step in lane.partners["left"].holds(name):
        steps[number].append(step)
    assert all(each == sorted(each) for each in steps.values()), steps


def _accepted(lane: Lane, name: str) -> int:
    mine = ledger.c.subject.like(f"{name}-%") & (ledger.c.event == Event.RECORD_ACCEPTED.value)
    with lane.store.engine.connect() as connection:
        return len(connection.execute(select(ledger.c.id).where(mine)).all())


def _refused(lane: Lane, name: str) -> set[str]:
    mine = ledger.c.subject.like(f"{name}-%") & (ledger.c.event == Event.RECORD_REFUSED.value)
    with lane.store.engine.connect() as connection:
        subjects = connection.scalars(select(ledger.c.subject).where(mine))
        return {subject.rstrip("k") for subject in subjects}
