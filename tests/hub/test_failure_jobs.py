"""Retry jobs: canaries, brake, pace, pause, cancel, batches, runners that share (issue 3, failure store)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hub.retry_runner import RetryRunner
from hub.store import Store
from hub.store.retries import Chosen
from schemas.errors import Rejected
from schemas.message import Delivery
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, running_engine
from tests.hub.failing import (
    WORKING,
    a_runner,
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


@asynccontextmanager
async def going(runner: RetryRunner) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        await stop(task)


def refusing(*numbers: str) -> Callable[[Delivery], Exception | None]:
    """The target refuses cases of these numbers."""

    def trouble(delivery: Delivery) -> Exception | None:
        refused = delivery.payload["no"] in numbers
        return Rejected("target.refused", "No", at="/no") if refused else None

    return trouble


def _taken(running: Running) -> set[object]:
    return {payload["no"] for payload in running.left.payloads}


async def test_a_job_sends_all_step_by_step(hub: Running) -> None:
    """One canary, then two, then the rest; each has its outcome, and the ledger who did it."""
    ids = fail(hub.store, 6)
    job = await start(hub.store, steps=(1, 2))
    async with going(a_runner(hub)):
        done = await ended(hub.store, job.id)
        told = await hub.until(Event.FAILURE_RETRIED, 6)

    rows = await rows_of(hub.store, job.id)
    assert [(id_, "done") for id_ in ids] == [(row["failure_id"], row["state"]) for row in rows]
    assert [0, 1, 1, 2, 2, 2] == [row["step"] for row in rows]
    assert (6, 2) == (done["total"], done["step"])
    assert {f"A{n}" for n in range(1, 7)} == _taken(hub)
    assert [("tester", 6)] == list(Counter(row["by"] for row in told).items())
    assert 6 == len(await hub.failed("resolved"))


async def test_a_bad_canary_stops_the_job(hub: Running) -> None:
    """The first fails: nothing else is sent, all else waits as before, and the reason is told."""
    hub.left.trouble = refusing(*(f"A{n}" for n in range(1, 9)))
    ids = fail(hub.store, 8)
    job = await start(hub.store, steps=(1, 2))
    async with going(a_runner(hub)):
        await ended(hub.store, job.id, "stopped")

        rows = await rows_of(hub.store, job.id)
        assert [ids[0]] == [row["failure_id"] for row in rows if row["state"] == "failed"]
        assert "target.refused" == rows[0]["code"]
        assert Counter(failed=1, pinned=7) == await states_of(hub.store, job.id)
        assert 1 == len(hub.left.calls)
        assert 8 == len(await hub.failed())

        hub.left.trouble = lambda _: None
        await jobs_of(hub.store).resume(job.id, by="tester")
        await ended(hub.store, job.id)
    assert Counter(failed=1, done=7) == await states_of(hub.store, job.id)
    told = await jobs_of(hub.store).one(job.id)
    assert ["retry.started", "retry.stopped", "retry.resumed", "retry.done"] == [
        act["act"] for act in told["acts"]
    ]


async def test_some_failures_are_borne(hub: Running) -> None:
    """One of five fails, two of five may: the job goes on, and says which failed and why."""
    hub.left.trouble = refusing("A3")
    fail(hub.store, 10)
    job = await start(hub.store, steps=(5,), stop_share=0.4)
    async with going(a_runner(hub)):
        await ended(hub.store, job.id)

    assert Counter(done=9, failed=1) == await states_of(hub.store, job.id)
    (failed,) = await hub.failed()
    assert ("A3", 2) == (failed["subject"], failed["attempts"])


async def test_no_outcome_counts_as_a_failure(hub: Running) -> None:
    """A target that hangs stops the job after the step's time-out; its outcome is learned later."""
    hub.left.gate = asyncio.Event()
    fail(hub.store, 3)
    job = await start(hub.store, steps=(1,), step_timeout_s=0.5)
    async with going(a_runner(hub)):
        await ended(hub.store, job.id, "stopped")
        assert Counter(sent=1, pinned=2) == await states_of(hub.store, job.id)

        hub.left.gate.set()
        await eventually(
            lambda: states_of(hub.store, job.id), lambda s: s["done"] == 1, "the late outcome"
        )
    assert 2 == len(await hub.failed())


async def test_a_thousand_and_one_are_two_batches(hub: Running) -> None:
    """No batch is larger than a thousand: the last row has a step of its own."""
    fail(hub.store, 1001)
    job = await start(hub.store, steps=())
    async with going(a_runner(hub, lease_s=30.0)):
        await ended(hub.store, job.id)

    assert Counter({0: 1000, 1: 1}) == Counter(
        row["step"] for row in await rows_of(hub.store, job.id)
    )
    assert 1001 == len(_taken(hub)) == len(hub.left.calls)


async def test_the_pace_is_kept(hub: Running) -> None:
    """Twelve rows at twenty a second, five a quarter second: two gaps of a quarter at least."""
    fail(hub.store, 12)
    loop = asyncio.get_running_loop()
    job = await start(hub.store, steps=(), pace_per_s=20.0)
    began = loop.time()
    async with going(a_runner(hub)):
        await ended(hub.store, job.id)

    assert loop.time() - began >= 0.5
    assert 12 == len(_taken(hub))


async def test_a_paused_job_sends_nothing(hub: Running) -> None:
    """Paused before its first row; resumed, it does all."""
    fail(hub.store, 3)
    job, jobs = await start(hub.store), jobs_of(hub.store)
    await jobs.pause(job.id, by="tester", reason="their maintenance")
    other = fail(hub.store, 1, prefix="B", route="steps-to-right")
    async with going(a_runner(hub)):
        # The runner has done another job meanwhile, so it has seen this one too.
        second = await start(hub.store, Chosen(ids=tuple(other)))
        await ended(hub.store, second.id)
        assert Counter(pinned=3) == await states_of(hub.store, job.id)
        assert not hub.left.calls

        await jobs.resume(job.id, by="tester")
        await ended(hub.store, job.id)
    assert 3 == len(_taken(hub))


async def test_pausing_gives_back_what_is_claimed(hub: Running) -> None:
    """Claimed and not yet sent: it waits again, for whoever wants it, and is claimed anew."""
    fail(hub.store, 5)
    job, jobs = await start(hub.store, steps=(5,), pace_per_s=1.0), jobs_of(hub.store)
    async with going(a_runner(hub, lease_s=5.0)):
        await eventually(
            lambda: states_of(hub.store, job.id), lambda s: s["done"] == 1, "the first"
        )
        await jobs.pause(job.id, by="tester")
        found = await states_of(hub.store, job.id)
        assert 0 == found["claimed"]
        assert found["pinned"] == len(await hub.failed())
        (still, *_) = await hub.failed()
        assert [still["id"]] == await desk_of(hub.store).discard([still["id"]], "obsolete", "me")
        await jobs.cancel(job.id, by="tester")
    assert 0 == (await states_of(hub.store, job.id))["pinned"]


async def test_a_cancelled_job_leaves_the_rest_waiting(hub: Running) -> None:
    """For good: it cannot be resumed, and its failures can be retried by others."""
    fail(hub.store, 4)
    job, jobs = await start(hub.store), jobs_of(hub.store)
    await jobs.cancel(job.id, by="tester", reason="wrong group")

    rows = await rows_of(hub.store, job.id)
    assert {("skipped", "retry.cancelled")} == {(row["state"], row["code"]) for row in rows}
    with pytest.raises(Rejected) as refused:
        await jobs.resume(job.id, by="tester")
    assert "retry.state" == refused.value.code
    again = await start(hub.store)
    async with going(a_runner(hub)):
        await ended(hub.store, again.id)
    assert 4 == len(_taken(hub))


async def test_overlapping_jobs_send_each_failure_once(hub: Running) -> None:
    """Two jobs pin the same: each failure is claimed by one; the other says that it was skipped."""
    fail(hub.store, 20)
    first, second = await start(hub.store), await start(hub.store)
    async with going(a_runner(hub)):
        await ended(hub.store, first.id)
        await ended(hub.store, second.id)

    both = await states_of(hub.store, first.id) + await states_of(hub.store, second.id)
    assert Counter(done=20, skipped=20) == both
    assert 20 == len(hub.left.calls) == len(_taken(hub))


async def test_two_runners_share_the_work(hub: Running) -> None:
    """Several processes: a job has one runner at a time, and each row is sent once."""
    fail(hub.store, 60)
    job_ids = [(await start(hub.store, Chosen(ids=(id_,)))).id for id_ in await _ids(hub)]
    async with going(a_runner(hub, lease_s=30.0)), going(a_runner(hub, lease_s=30.0)):
        for job_id in job_ids:
            await ended(hub.store, job_id)

    assert 60 == len(hub.left.calls) == len(_taken(hub))
    assert 60 == len(await hub.until(Event.FAILURE_RETRIED, 60))


async def test_a_stopped_runners_work_is_taken_over(hub: Running) -> None:
    """The first runner is stopped with claimed rows in hand; the next one sends those, once."""
    fail(hub.store, 3)
    job = await start(hub.store, steps=(3,), pace_per_s=4.0)
    async with going(a_runner(hub)):
        await eventually(
            lambda: states_of(hub.store, job.id), lambda s: s["done"] >= 1, "the first"
        )
    async with going(a_runner(hub)):
        await ended(hub.store, job.id)
    assert 3 == len(hub.left.calls) == len(_taken(hub))


async def test_one_bad_row_holds_up_no_other(hub: Running) -> None:
    """Sealed with a lost key, of a route that is gone, of a stage without a place, a stranger's:
    each is skipped with its reason, waits as before, and the good ones arrive."""
    lost = fail(hub.store, 1, prefix="L", sealed=b"\x01 not sealed by this key at all")
    gone = fail(hub.store, 1, prefix="G", route="steps-to-nowhere")
    placeless = fail(hub.store, 1, prefix="P", stage="ledger", route="")
    strange = fail(hub.store, 1, prefix="S", code="envelope.signature")
    unbound = fail(hub.store, 1, prefix="U", stage="service", route="nobody")
    good = fail(hub.store, 3)
    job = await start(hub.store, steps=())
    async with going(a_runner(hub)):
        await ended(hub.store, job.id)

    found = {
        row["failure_id"]: (row["state"], row["code"]) for row in await rows_of(hub.store, job.id)
    }
    assert {
        lost[0]: ("skipped", "crypto.sealed"),
        gone[0]: ("skipped", "retry.no-route"),
        placeless[0]: ("skipped", "retry.no-place"),
        strange[0]: ("skipped", "envelope.signature"),
        unbound[0]: ("skipped", "retry.no-queue"),
        **dict.fromkeys(good, ("done", "")),
    } == found
    waiting = {row["id"] for row in await hub.failed()}
    assert {lost[0], gone[0], placeless[0], strange[0], unbound[0]} == waiting


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        ({"steps": (0,)}, "steps"),
        ({"steps": (1001,)}, "steps"),
        ({"pace_per_s": -1.0}, "pace_per_s"),
        ({"stop_share": 1.5}, "stop_share"),
        ({"step_timeout_s": -1.0}, "step_timeout_s"),
    ],
)
async def test_a_job_that_cannot_be_is_refused(
    store: Store, policy: dict[str, Any], wrong: str
) -> None:
    """And leaves nothing behind."""
    fail(store, 1)
    with pytest.raises(Rejected) as refused:
        await start(store, **policy)

    assert ("retry.policy", wrong) == (refused.value.code, refused.value.facts["wrong"])
    assert not await jobs_of(store).listed()


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (Chosen(), "retry.nothing-chosen"),
        (Chosen(route="steps-to-right"), "retry.nothing-waits"),
        (Chosen(ids=("nobody",)), "retry.nothing-waits"),
    ],
)
async def test_a_job_of_nothing_is_refused(records: Store, chosen: Chosen, code: str) -> None:
    """Nothing said is not everything."""
    fail(records, 1)
    with pytest.raises(Rejected) as refused:
        await start(records, chosen)

    assert code == refused.value.code
    assert not await jobs_of(records).listed()


async def _ids(running: Running) -> list[str]:
    return [row["id"] for row in await running.failed()]
