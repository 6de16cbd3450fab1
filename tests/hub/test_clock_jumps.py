"""A clock that jumps while messages flow, wait, are halted and rationed: nothing lost, doubled or stuck.

The hub's clock is passed in, and here it is a test's: a day ahead, an hour back, and back below the
ids that were given out already (issue 3, "Faults as tests").
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time, timedelta

import pytest
import structlog
from sqlalchemy import Connection, Row, select

from hub.delivery import Hours, worker
from hub.store import Store
from hub.store.tables import retry_jobs, route_states
from hub.topology import depths, route_queue
from schemas.calendar import BEIJING
from schemas.errors import Transient
from schemas.message import Delivery
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, now, running_engine
from tests.hub.failing import (
    WORKING,
    Crash,
    a_runner,
    ended,
    fail,
    start,
    states_of,
    stop,
)
from tests.hub.ledger_rows import breaks
from tests.hub.site import small_plan
from tests.records import shape

IN_ORDER = small_plan("order_by: subject")
AHEAD, BACK = timedelta(days=1), timedelta(hours=-1)
STEPS = ("1", "2", "3")
OFFICE = Hours(time(9), time(17))
QUEUE = route_queue("steps-to-left", in_order=False)


class Clock:
    """The machine's, and what a person or a time server did to it."""

    def __init__(self) -> None:
        self.off = timedelta()

    def __call__(self) -> datetime:
        return now() + self.off

    def jumps(self, by: timedelta) -> None:
        self.off += by


@pytest.fixture
def records(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


def step(number: str, name: str) -> dict[str, str]:
    return {"bh": number, "hj": name, "qh": "130102"}


def _states(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(route_states.c.route, route_states.c.state))
    return {row[0]: row[1] for row in rows}


async def _all_of(running: Running, numbers: set[str]) -> None:
    wanted = {(number, name) for number in numbers for name in STEPS}

    async def held() -> list[Counter[tuple[object, object]]]:
        return [
            Counter((payload["no"], payload["step"]) for payload in system.payloads)
            for system in (running.left, running.right)
        ]

    found = await eventually(
        held, lambda both: all(set(each) == wanted for each in both), f"all of {sorted(numbers)}"
    )
    assert [Counter(wanted), Counter(wanted)] == found, "doubled"


@pytest.mark.parametrize("jump", [AHEAD, BACK, -AHEAD], ids=["day-ahead", "hour-back", "day-back"])
async def test_messages_that_flow_and_wait_while_the_clock_jumps(
    jump: timedelta, amqp_url: str, records: Store
) -> None:
    """A waits on its ladder, with later ones behind it, B flows: after the jump A waits no longer
    than its wait once more, everything comes once and in order, and the ledger's chain holds."""
    clock = Clock()
    async with running_engine(amqp_url, records, plan=IN_ORDER, clock=clock) as running:
        away = True

        def trouble(delivery: Delivery) -> Exception | None:
            first = delivery.payload["no"] == "A" and delivery.payload["step"] == "1"
            return Transient("target.down", "Away") if away and first else None

        running.left.trouble = trouble
        for name in STEPS:
            await running.send(step("A", name))
            await running.send(step("B", name))
        await running.until(Event.DELIVERY_RETRYING, 1)
        clock.jumps(jump)
        away = False
        for name in STEPS:
            await running.send(step("C", name))
        await _all_of(running, {"A", "B", "C"})
        done = await running.until(Event.DELIVERY_DONE, 18)
        published = await running.rows(Event.MESSAGE_PUBLISHED)

    for number in "ABC":
        taken = [p["step"] for p in running.left.payloads if p["no"] == number]
        assert list(STEPS) == taken, number
    assert 18 == len(done)
    assert 9 == len({row["message_id"] for row in published}) == len(published)
    assert {} == breaks(records)


async def test_an_open_breaker_closes_whatever_the_clock_does(
    amqp_url: str, records: Store
) -> None:
    """The system is away for so many calls that it is left alone; the clock is set back meanwhile.
    Well again, it gets everything: the probes are timed by the machine, not by the calendar."""
    clock = Clock()
    async with running_engine(amqp_url, records, clock=clock) as running:
        running.left.trouble = lambda _: Transient("target.down", "Away")
        running.left.ill = Transient("target.down", "Away")
        numbers = {f"N{n}" for n in range(4)}
        for name in STEPS:
            for number in sorted(numbers):
                await running.send(step(number, name))

        async def halted() -> str:
            return (await records.read(_states)).get("steps-to-left", "")

        await eventually(halted, lambda state: state == "halted", "an open breaker")
        clock.jumps(-AHEAD)
        running.left.ill = None
        running.left.trouble = lambda _: None
        await _all_of(running, numbers)
        assert not await running.failed()


async def test_ids_stay_unique_below_those_given_out(amqp_url: str, records: Store) -> None:
    """The clock is set back again and again by what it has gained: times come twice, ids do not; of
    one subject the later message stays the later one at the partner."""
    clock = Clock()
    async with running_engine(amqp_url, records, plan=IN_ORDER, clock=clock) as running:
        for name in STEPS:
            for number in ("A", "B"):
                await running.send(step(number, name))
            clock.jumps(BACK)
        await _all_of(running, {"A", "B"})
        published = await running.until(Event.MESSAGE_PUBLISHED, 6)
        await running.until(Event.DELIVERY_DONE, 12)
    assert 6 == len({row["message_id"] for row in published})
    for number in "AB":
        assert list(STEPS) == [p["step"] for p in running.left.payloads if p["no"] == number]
    assert {} == breaks(records)


@pytest.mark.parametrize("jump", [AHEAD, -AHEAD], ids=["day-ahead", "day-back"])
async def test_a_job_s_lease_means_what_it_meant_whatever_the_clock_does(
    jump: timedelta, amqp_url: str, records: Store
) -> None:
    """The clock of one process is set; the other's runner leaves the live one's job alone, and takes
    it over within the length of a lease when that one is killed."""
    clock, died = Clock(), False

    def fault(point: str) -> None:
        if died and point == "wait":
            raise Crash(point)

    async with running_engine(amqp_url, records, roles=WORKING) as running:
        fail(records, 2)
        running.left.gate = asyncio.Event()
        job = await start(records, steps=(1,))
        first = a_runner(running, fault=fault, lease_s=1.5)
        second = a_runner(running, clock=clock, lease_s=1.5)
        one = asyncio.create_task(first.run())

        query = select(retry_jobs.c.lease_owner, retry_jobs.c.lease_until)

        async def lease() -> Row[tuple[str | None, datetime | None]]:
            return await records.read(lambda connection: connection.execute(query).one())

        await eventually(lease, lambda found: found[0] == first.owner, "the first one's lease")
        clock.jumps(jump)
        other = asyncio.create_task(second.run())
        seen: set[datetime | None] = set()

        async def renewals() -> int:
            owner, until = await lease()
            assert first.owner == owner
            seen.add(until)
            return len(seen)

        # Of a lease's length there are three.
        await eventually(renewals, lambda n: n >= 6, "a lease that goes on")
        died = True
        await asyncio.wait((one,), timeout=10)
        assert one.done()
        await eventually(lease, lambda found: found[0] == second.owner, "taken over", within_s=10)
        running.left.gate.set()
        await ended(records, job.id)
        assert Counter(done=2) == await states_of(records, job.id)
        await stop(other)
        assert one.exception() is not None


async def test_the_day_s_number_is_kept_and_used_up_whatever_the_clock_does(
    amqp_url: str, records: Store
) -> None:
    """Four a day: two pass, then the clock is at tomorrow for one message, and back. The two that are
    left of today pass, the fifth waits; nothing of the day was forfeited or given twice (R-C8)."""
    clock = at_noon()
    granted = "grant: {number: G2026-000001, items: [caseNo, regionCode, stepName], per_day: 4}"
    async with running_engine(amqp_url, records, plan=small_plan(granted), clock=clock) as running:
        sent = 0
        for many, jump in ((2, AHEAD), (1, -AHEAD), (2, timedelta())):
            for _ in range(many):
                sent += 1
                await running.send(step(f"N{sent}", "1"))
            await _count_at_left(running, sent)
            clock.jumps(jump)
        await running.send(step("last", "1"))
        await running.until(Event.DELIVERY_DONE, 2 * sent + 1)

        async def waits() -> int:
            return (await depths(running.broker, [QUEUE]))[QUEUE][0]

        await eventually(waits, lambda n: n == 1, "the last in the queue")
        assert sent == len(running.left.payloads)


async def _count_at_left(running: Running, count: int) -> None:
    async def many() -> int:
        return len(running.left.payloads)

    await eventually(many, lambda n: n >= count, f"{count} at left")


def at_noon() -> Clock:
    """A clock that shows noon of today in Beijing."""
    clock, local = Clock(), now().astimezone(BEIJING)
    clock.jumps(local.replace(hour=12, minute=0, second=0, microsecond=0) - local)
    return clock


@pytest.mark.parametrize("order", ["", "order_by: subject"], ids=["unordered", "ordered"])
async def test_a_system_is_called_in_its_hours_whatever_the_clock_does(
    order: str, amqp_url: str, records: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is set past the end of its hours while one message waits for its retry: neither that
    nor what comes then is delivered, until the clock is back within them."""
    monkeypatch.setattr(worker, "LONGEST_SLEEP_S", 0.2)
    clock, away = at_noon(), True
    async with running_engine(
        amqp_url, records, plan=small_plan(order), clock=clock, hours=OFFICE
    ) as running:
        running.left.trouble = lambda _: Transient("target.down", "Away") if away else None
        await running.send(step("A", "1"))
        await running.until(Event.DELIVERY_RETRYING, 1)
        with structlog.testing.capture_logs() as logs:
            clock.jumps(timedelta(hours=8))
            calls = len(running.left.calls)
            await running.send(step("B", "1"))

            async def closed() -> bool:
                return "route.closed" in {entry["event"] for entry in logs}

            await eventually(closed, bool, "a route that is closed")
        await running.until(Event.DELIVERY_DONE, 2)
        assert calls == len(running.left.calls), "called out of its hours"
        assert {"A", "B"} == {payload["no"] for payload in running.right.payloads}
        clock.jumps(timedelta(hours=-8))
        away = False
        await _count_at_left(running, 2)
        assert {"A", "B"} == {payload["no"] for payload in running.left.payloads}
        assert not await running.failed()
