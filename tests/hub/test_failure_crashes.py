"""The retry runner is killed between any two steps: nothing is lost, nothing takes effect twice.

Killed here means that the runner ends at a named point, without a word: no lease is given up, no row
is marked. Each step is one transaction or one confirmed publish, so what a dying process leaves is
what stands in the database and at the broker at that point.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select

from hub.broker import Broker, Outgoing, Publisher
from hub.crypto import Mac
from hub.retry_runner import RetryRunner
from hub.store import Store
from hub.store.tables import failure_acts, retry_jobs
from schemas.errors import Transient
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, now, running_engine
from tests.hub.failing import (
    SEAL,
    WORKING,
    Crash,
    a_runner,
    crashing_at,
    desk_of,
    ended,
    fail,
    jobs_of,
    rows_of,
    start,
    states_of,
    stop,
)
from tests.records import shape

POINTS = (
    "leased", "claim", "send", "staged", "published", "sent", "settled", "next", "told", "done",
)  # fmt: skip


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    """The hub's records, in SQLite and in PostgreSQL."""
    store = Store(database_url)
    shape(store)
    yield store
    store.close()


@pytest.fixture
async def hub(amqp_url: str, records: Store) -> AsyncIterator[Running]:
    """An engine whose retries the test runs itself."""
    async with running_engine(amqp_url, records, roles=WORKING) as running:
        yield running


async def killed_at(runner: RetryRunner) -> str:
    """The point at which *runner* died; fails where it goes on for ever."""
    with pytest.raises(ExceptionGroup) as died:
        async with asyncio.timeout(10):
            await runner.run()
    crashes, others = died.value.split(Crash)
    assert crashes is not None
    assert others is None
    return str(crashes.exceptions[0])


@pytest.mark.parametrize("half", [POINTS[:5], POINTS[5:]], ids=["sending", "after"])
async def test_killed_anywhere_it_goes_on(hub: Running, half: tuple[str, ...]) -> None:
    """Each of the points, each time it is come to in three steps: the next runner ends the job, each
    failure is delivered with effect once, resolved, and told to the ledger once."""
    rounds = 0
    for point in half:
        for times in (1, 2):
            if point in ("leased", "done") and times > 1:
                continue
            prefix = f"{point[:4]}{times}-"
            fail(hub.store, 4, prefix=prefix)
            job = await start(hub.store, steps=(1, 2), stop_share=0.0)

            await killed_at(a_runner(hub, fault=crashing_at(point, times)))
            task = asyncio.create_task(a_runner(hub).run())
            await ended(hub.store, job.id)
            rounds += 1
            await hub.until(Event.FAILURE_RETRIED, 4 * rounds)
            await stop(task)

            assert Counter(done=4) == await states_of(hub.store, job.id), point
            taken = Counter(payload["no"] for payload in hub.left.payloads)
            assert {f"{prefix}{n}": 1 for n in range(1, 5)} == {
                number: many for number, many in taken.items() if str(number).startswith(prefix)
            }, point
    retried = Counter(row["message_id"] for row in await hub.rows(Event.FAILURE_RETRIED))
    assert {1} == set(retried.values())
    assert 4 * rounds == len(retried) == len(await hub.failed("resolved"))
    acts = select(failure_acts.c.failure_id).where(failure_acts.c.act == Event.FAILURE_RETRIED)
    found = await hub.store.read(lambda c: Counter(c.scalars(acts)))
    assert {1} == set(found.values())


async def test_what_may_have_been_sent_is_not_repeated_where_that_would_double(
    hub: Running,
) -> None:
    """Killed after publishing, before it is written down; the target takes every call for a new
    one. What it took is known by its outcome; what it did not answer yet goes back, in doubt."""
    fail(hub.store, 1)
    hub.left.gate = asyncio.Event()
    job = await start(hub.store)
    await killed_at(a_runner(hub, fault=crashing_at("published")))

    task = asyncio.create_task(a_runner(hub, repeatable=lambda _: False).run())
    await ended(hub.store, job.id)
    (row,) = await rows_of(hub.store, job.id)
    assert ("skipped", "retry.in-doubt") == (row["state"], row["code"])
    assert 1 == len(await hub.failed())

    hub.left.gate.set()
    await eventually(lambda: hub.failed("resolved"), bool, "its outcome after all")
    assert 1 == len(hub.left.calls)
    await stop(task)


async def test_a_known_outcome_ends_the_doubt(hub: Running) -> None:
    """Killed after publishing, and delivered before the next runner looks: done, not sent again."""
    fail(hub.store, 1)
    job = await start(hub.store)
    await killed_at(a_runner(hub, fault=crashing_at("published")))
    await eventually(lambda: hub.failed("resolved"), bool, "its delivery")

    task = asyncio.create_task(a_runner(hub, repeatable=lambda _: False).run())
    await ended(hub.store, job.id)
    assert Counter(done=1) == await states_of(hub.store, job.id)
    assert 1 == len(hub.left.calls)
    await stop(task)


async def test_cancelled_after_a_crash_nothing_stays_claimed(hub: Running) -> None:
    """Staged by a runner that died, cancelled by a person: the failure waits again, in doubt."""
    fail(hub.store, 2)
    job = await start(hub.store)
    await killed_at(a_runner(hub, fault=crashing_at("staged")))
    await jobs_of(hub.store).cancel(job.id, by="tester")

    task = asyncio.create_task(a_runner(hub).run())
    await eventually(hub.failed, lambda rows: len(rows) == 2, "both waiting")
    await stop(task)
    found = {(row["state"], row["code"]) for row in await rows_of(hub.store, job.id)}
    assert {("skipped", "retry.in-doubt"), ("skipped", "retry.cancelled")} == found
    assert not hub.left.calls


async def test_a_direct_retry_survives_a_crash(hub: Running) -> None:
    """One click, and the process is gone before anything was sent: the next one sends it."""
    (failure_id,) = fail(hub.store, 1)
    desk = desk_of(hub.store)
    assert [failure_id] == await desk.retry([failure_id], "tester")
    assert [] == await desk.retry([failure_id], "tester"), "claimed once"
    await killed_at(a_runner(hub, fault=crashing_at("leased")))

    task = asyncio.create_task(a_runner(hub).run())
    await eventually(lambda: hub.failed("resolved"), bool, "resolved")
    await stop(task)
    assert 1 == len(hub.left.calls)


async def test_a_broker_that_breaks_in_mid_send_changes_nothing(hub: Running) -> None:
    """The publish has no known outcome: the rows are in doubt, are sent again, and count once."""
    failing = iter([Transient("broker.lost", "Away")])

    def fault(point: str) -> None:
        if point == "published" and (error := next(failing, None)):
            raise error

    fail(hub.store, 3)
    job = await start(hub.store, steps=(3,))
    runner = a_runner(hub, fault=fault)
    with pytest.raises(ExceptionGroup):
        await runner.run()
    task = asyncio.create_task(runner.run())
    await ended(hub.store, job.id)
    await stop(task)
    assert Counter(done=3) == await states_of(hub.store, job.id)
    assert 3 == len(hub.left.taken)


class _Slow(Broker):
    """Confirms nothing of what the runner publishes before it may."""

    go_on: asyncio.Event

    @asynccontextmanager
    async def publisher(self, *, lasting: bool = True) -> AsyncIterator[Publisher]:
        async with super().publisher(lasting=lasting) as publisher:
            publish_all = publisher.publish_all

            async def slowly(outgoing: Iterable[Outgoing]) -> None:
                await self.go_on.wait()
                await publish_all(outgoing)

            publisher.publish_all = slowly  # type: ignore[method-assign]  # slow on purpose
            yield publisher


async def test_who_waits_for_the_broker_keeps_the_job(hub: Running) -> None:
    """Three leases long nothing is confirmed, and another process looks all the while: what was staged
    stays the first one's, and is sent once."""
    fail(hub.store, 1)
    async with _Slow(hub.engine.url, name="slow", mac=Mac(b"test")) as broker:
        broker.go_on = asyncio.Event()
        broker.go_on.set()

        def fault(point: str) -> None:
            if point == "staged":
                broker.go_on.clear()

        job = await start(hub.store)
        first = RetryRunner(
            broker=broker,
            store=hub.store,
            seal=SEAL,
            plan=hub.engine.plan,
            clock=now,
            lease_s=1.5,
            fault=fault,
        )
        tasks = [asyncio.create_task(first.run())]
        await eventually(lambda: states_of(hub.store, job.id), lambda s: s["staged"], "staged")
        begun = await _lease(hub.store)
        tasks.append(asyncio.create_task(a_runner(hub, lease_s=1.5).run()))
        kept = await eventually(
            lambda: _lease(hub.store),
            lambda row: row.lease_until >= begun.lease_until + timedelta(seconds=4.5),
            "three leases",
        )
        assert first.owner == begun.lease_owner == kept.lease_owner
        assert 1 == (await states_of(hub.store, job.id))["staged"]

        broker.go_on.set()
        await ended(hub.store, job.id)
        for task in tasks:
            await stop(task)
    assert 1 == len(hub.left.calls)


async def _lease(store: Store) -> Row[Any]:
    lease = select(retry_jobs.c.lease_owner, retry_jobs.c.lease_until)
    return await store.read(lambda c: c.execute(lease).one())
