"""The retry runner's process killed with SIGKILL in mid-job, on real records and a real broker (issue 3).

Each process leaves what it leaves: leases, claims, rows that are staged, unconfirmed publishes, open
connections. Whoever comes next must make sense of it; the partner's own store says whether it did.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from multiprocessing.context import ForkServerProcess
from typing import Any

from hub.store import Store
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, running_engine
from tests.hub.failing import WORKING, ended, fail, jobs_of, rows_of, start, states_of
from tests.hub.retry_process import live
from tests.processes import ended as process_ended
from tests.processes import running as process_running
from tests.records import shape

# Each database sees another half.
POINTS = {"sqlite": ("claim", "published"), "postgresql": ("staged", "sent")}


@contextmanager
def kept(url: str) -> Iterator[Store]:
    store = Store(url)
    shape(store)
    yield store
    store.close()


def a_process(
    running: Running, database: str, **told: Any
) -> AbstractAsyncContextManager[ForkServerProcess]:
    return process_running(live, {"amqp": running.engine.url, "database": database, **told})


async def died(process: ForkServerProcess) -> None:
    assert -signal.SIGKILL == await process_ended(process)


async def test_killed_again_and_again_every_row_ends_right(
    amqp_url: str, database_url: str
) -> None:
    """Two processes die between two steps and one wherever it is; the fourth ends the job. Each
    failure has reached the partner's store once, is resolved, and its row says so."""
    with kept(database_url) as records:
        async with running_engine(amqp_url, records, roles=WORKING) as running:
            await _killed_again_and_again(running, database_url)


async def _killed_again_and_again(running: Running, database_url: str) -> None:
    records = running.store
    ids = fail(records, 40)
    job = await start(records, steps=(1, 3, 10), pace_per_s=40.0)
    for point in POINTS[database_url.partition("+")[0].partition(":")[0]]:
        async with a_process(running, database_url, point=point, times=2) as process:
            await died(process)
    before = (await states_of(records, job.id))["done"]
    async with a_process(running, database_url) as process:
        await eventually(
            lambda: states_of(records, job.id),
            lambda states: states["done"] > before,
            "another row done",
        )
        process.kill()
        await died(process)
    assert (await states_of(records, job.id))["done"] < len(ids), "killed in mid-job"

    async with a_process(running, database_url):
        await ended(records, job.id)
        await running.until(Event.FAILURE_RETRIED, len(ids))

    rows = await rows_of(records, job.id)
    assert [(each, "done") for each in ids] == [(r["failure_id"], r["state"]) for r in rows]
    held = Counter(payload["no"] for payload in running.left.payloads)
    assert {f"A{n}": 1 for n in range(1, 41)} == held
    assert 40 == len(await running.failed("resolved"))
    told = Counter(row["message_id"] for row in await running.rows(Event.FAILURE_RETRIED))
    assert {1} == set(told.values())


async def test_a_partner_that_knows_no_repeats_is_called_once_for_each(
    amqp_url: str, sqlite_url: str
) -> None:
    """Killed between publishing and writing it down: what may have been sent is not sent again. Its
    outcome ends the doubt where there is one; else it waits for a person, and the row says why."""
    with kept(sqlite_url) as records:
        async with running_engine(amqp_url, records, roles=WORKING) as running:
            await _called_once(running, sqlite_url)


async def _called_once(running: Running, database_url: str) -> None:
    records = running.store
    running.left.gate = asyncio.Event()
    ids = fail(records, 12)
    job = await start(records, steps=(2,))
    async with a_process(
        running, database_url, point="published", times=1, repeatable=False
    ) as process:
        await died(process)
    staged = {r["failure_id"] for r in await rows_of(records, job.id) if r["state"] == "staged"}
    assert set(ids[:2]) == staged

    async with a_process(running, database_url, repeatable=False):
        await eventually(
            lambda: states_of(records, job.id), lambda s: s["skipped"] == 2, "the doubtful two"
        )
        running.left.gate.set()
        await ended(records, job.id)
        await eventually(
            lambda: running.failed("resolved"), lambda rows: len(rows) == 12, "all resolved"
        )

    rows = {
        row["failure_id"]: (row["state"], row["code"]) for row in await rows_of(records, job.id)
    }
    assert (
        dict.fromkeys(ids[:2], ("skipped", "retry.in-doubt")) | dict.fromkeys(ids[2:], ("done", ""))
        == rows
    )
    calls = Counter(delivery.payload["no"] for delivery in running.left.calls)
    assert {f"A{n}": 1 for n in range(1, 13)} == calls
    assert "done" == (await jobs_of(records).one(job.id))["state"]
