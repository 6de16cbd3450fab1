"""What bounds the calls to a system: hours, pace, breaker, and what may not be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta

import pytest

from hub.delivery import Hours, Turns
from hub.delivery.link import Breaker
from hub.port import Traits
from hub.recover import Park, RetryIn, verdict
from hub.route_states import halted_routes
from hub.store import Store
from schemas.errors import Misconfigured, Transient
from schemas.message import Answer, Delivery
from schemas.receipt import Event
from tests.hub.conftest import Running, System, a_step, eventually, running_engine

NIGHT, DAY = Hours(time(22), time(6)), Hours(time(9), time(17, 30))


def beijing(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC) - timedelta(hours=8)


@pytest.mark.parametrize(
    ("hours", "now", "wait"),
    [
        (DAY, beijing(9), timedelta(0)),
        (DAY, beijing(17, 29), timedelta(0)),
        (DAY, beijing(17, 30), timedelta(hours=15, minutes=30)),
        (DAY, beijing(8), timedelta(hours=1)),
        (NIGHT, beijing(23), timedelta(0)),
        (NIGHT, beijing(5, 59), timedelta(0)),
        (NIGHT, beijing(6), timedelta(hours=16)),
    ],
)
def test_hours_are_those_of_beijing(hours: Hours, now: datetime, wait: timedelta) -> None:
    """Over midnight too."""
    assert wait.total_seconds() == hours.wait_s(now)


def test_a_breaker_trips_on_failures_in_a_row() -> None:
    """One success between starts anew; a system that names its wait is alive."""
    away, busy = Transient("target.down", "Away"), Transient("target.busy", "Busy", after_s=7)
    breaker = Breaker(after=3)

    assert [False, False] == [breaker.failed(away), breaker.failed(away)]
    breaker.succeeded()
    assert [False, False, False] == [breaker.failed(each) for each in (away, busy, away)]
    assert breaker.failed(away)
    breaker.mend()
    assert breaker.failed(away), "after the check, one more failure is enough"


async def test_a_pace_keeps_its_distance() -> None:
    """Ten calls of a hundred a second take nine gaps at least."""
    loop = asyncio.get_running_loop()
    turns, started = Turns(10, per_s=100), loop.time()

    async def call() -> None:
        async with turns.taken():
            pass

    await asyncio.gather(*(call() for _ in range(10)))

    assert loop.time() - started >= 0.09


def test_what_may_have_arrived_is_left_to_a_person_where_it_cannot_be_asked() -> None:
    """In doubt: repeated only where a repeat does no harm or the target can be asked."""
    doubt = Transient("target.timeout", "No answer", in_doubt=True)

    assert RetryIn(1.0, "target.timeout") == verdict(doubt, 1, (1.0,))
    assert Park("target.in-doubt") == verdict(doubt, 1, (1.0,), repeatable=False)
    sure = Transient("target.down", "Not even called")
    assert RetryIn(1.0, "target.down") == verdict(sure, 1, (1.0,), repeatable=False)


class Forgetful(System):
    """A target that takes every call for a new one, and loses its first answer."""

    traits = Traits(idempotent=False, says_why=True)

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Delivery] = []
        self.lost = 1

    async def deliver(self, delivery: Delivery, /) -> Answer:
        self.held.append(delivery)
        if self.lost:
            self.lost -= 1
            raise Transient("target.timeout", "No answer", in_doubt=True)
        return Answer(f"N{len(self.held)}")


class Asked(Forgetful):
    async def recall(self, delivery: Delivery, /) -> Answer | None:
        """By the key it was given."""
        for n, each in enumerate(self.held):
            if each.key == delivery.key:
                return Answer(f"N{n + 1}")
        return None


async def test_in_doubt_goes_to_a_person_where_a_repeat_would_double(
    amqp_url: str, store: Store
) -> None:
    """The failure says that the target may have it."""
    target = Forgetful()
    async with running_engine(amqp_url, store, left=target) as running:
        await running.send(a_step("A1"))

        (failure,) = await eventually(running.failed, bool, "the failure")

        assert ("target.in-doubt", 1) == (failure["code"], len(target.held))


async def test_in_doubt_is_asked_where_the_target_can_be_asked(amqp_url: str, store: Store) -> None:
    """It holds it: done, without a second call."""
    target = Asked()
    async with running_engine(amqp_url, store, left=target) as running:
        await running.send(a_step("A1"))

        done = await running.until(Event.DELIVERY_DONE, 2)

        assert 1 == len(target.held)
        assert {"N1"} == {row["number"] for row in done}


async def test_a_dead_system_spends_no_attempts(running: Running) -> None:
    """After eight failures in a row its queue waits; the check finds it well, and all arrive."""
    away = Transient("target.down", "Away")
    running.left.trouble = lambda _: away
    running.left.ill = away
    for n in range(30):
        await running.send(a_step(f"A{n}"))
    await eventually(_count(running.right, 30), bool, "the other system")
    tried = {delivery.message.id for delivery in running.left.calls}
    assert len(tried) < 30, "every message spent an attempt"

    running.left.trouble = lambda _: None
    running.left.ill = None

    await eventually(_count(running.left, 30), bool, "all at the system")
    assert not await running.failed()


async def test_who_waits_for_a_turn_is_not_tried_after_the_route_has_halted(
    running: Running,
) -> None:
    """Four calls are under way as the system denies us: those that wait behind them go back, none of
    them is called or spends an attempt, and all arrive when it lets us in."""
    denied = Misconfigured("target.denied", "Wrong key")
    running.left.trouble, running.left.ill = lambda _: denied, denied
    running.left.gate = asyncio.Event()
    for n in range(12):
        await running.send(a_step(f"A{n}"))
    await eventually(_calls(running.left), lambda calls: calls == 4, "the first calls")
    await eventually(_count(running.right, 12), bool, "the other system")

    running.left.gate.set()
    await running.until(Event.MESSAGE_PUBLISHED, 12)
    await eventually(lambda: running.store.read(halted_routes), bool, "the route halted")
    assert 4 == len(running.left.calls)

    running.left.trouble, running.left.ill = lambda _: None, None
    await eventually(_count(running.left, 12), bool, "all at the system")
    assert {1} == {delivery.attempt for delivery in running.left.calls}


def _calls(system: System) -> Callable[[], Awaitable[int]]:
    async def look() -> int:
        return len(system.calls)

    return look


def _count(system: System, count: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len(system.taken) == count

    return look
