"""Failures made to order, and a retry runner that a test can stop at any step."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select

from hub.convert import convert
from hub.crypto import Sm4Seal
from hub.envelope import Taken, encode_message
from hub.failure_desk import FailureDesk
from hub.ids import new_id, new_trace
from hub.plan import Plan
from hub.retry_jobs import RetryJobs, Started
from hub.retry_policy import Policy
from hub.retry_runner import RetryRunner
from hub.store import Store
from hub.store.retries import Chosen
from hub.store.tables import failures, retry_jobs, retry_rows
from schemas.message import Record, SystemCode
from tests.hub.conftest import Running, a_step, eventually, now
from tests.hub.site import small_plan

__all__ = [
    "EVERY",
    "SEAL",
    "WORKING",
    "Crash",
    "a_runner",
    "crashing_at",
    "desk_of",
    "ended",
    "fail",
    "jobs_of",
    "rows_of",
    "start",
    "states_of",
    "stop",
]

SEAL = Sm4Seal(bytes(16))
EVERY = Chosen(every=True)
# The engine without the runner: tests start their own.
WORKING = ("pipeline", "delivery", "ledger")


class Crash(Exception):
    """A process that is killed."""


def fail(
    store: Store,
    count: int = 1,
    *,
    route: str = "steps-to-left",
    prefix: str = "A",
    plan: Plan | None = None,
    **facts: Any,
) -> list[str]:
    """Put *count* failures of *route* into the store, as `FailureWriter` keeps them; their ids, in
    the order of their age. Case numbers are *prefix* and a number from 1."""
    rows = [_row(route, f"{prefix}{n + 1}", plan or small_plan(), facts) for n in range(count)]
    store.write_now(lambda connection: connection.execute(insert(failures), rows))
    return [row["id"] for row in rows]


def _row(route: str, number: str, plan: Plan, facts: Mapping[str, Any]) -> dict[str, Any]:
    at = now()
    taken = Taken(
        id=new_id(at),
        system=SystemCode("sender"),
        received_at=at,
        traceparent=new_trace(),
        record=Record(kind="step", key="", body=a_step(number)),
    )
    (message,) = convert(taken, plan).messages
    headers, body = encode_message(message, taken.id)
    return {
        "id": new_id(at),
        "message_id": message.id,
        "record_id": taken.id,
        "stage": "route",
        "route": route,
        "system": route.rpartition("-")[2],
        "source": "sender",
        "resource": message.resource,
        "subject": message.subject,
        "code": "target.refused",
        "faults": [{"code": "target.refused", "at": "", "facts": {}}],
        "fingerprint": "cause",
        "attempts": 1,
        "first_at": at,
        "last_at": at,
        "state": "waiting",
        "note": "",
        "headers": headers,
        "sealed": SEAL.seal(body),
        **facts,
    }


def desk_of(store: Store, plan: Plan | None = None) -> FailureDesk:
    return FailureDesk(store, SEAL, plan or small_plan(), now)


def jobs_of(store: Store, clock: Callable[[], datetime] = now) -> RetryJobs:
    return RetryJobs(store, clock)


async def start(store: Store, chosen: Chosen = EVERY, **policy: Any) -> Started:
    """A job of everything that waits, by *policy*."""
    return await jobs_of(store).start(chosen, Policy(**policy), by="tester", reason="mended")


def a_runner(running: Running, **more: Any) -> RetryRunner:
    """Whose lease ends soon, so that whoever comes after it need not wait."""
    facts = {"lease_s": 0.3, "clock": now, "plan": running.engine.plan, **more}
    return RetryRunner(broker=running.broker, store=running.store, seal=SEAL, **facts)


def crashing_at(point: str, times: int = 1) -> Callable[[str], None]:
    """Raises `Crash` when *point* is come to for the *times*-th time."""
    seen: Counter[str] = Counter()

    def fault(name: str) -> None:
        seen[name] += 1
        if name == point and seen[name] == times:
            raise Crash(point)

    return fault


async def rows_of(store: Store, job_id: str) -> Sequence[RowMapping]:
    query = select(retry_rows).where(retry_rows.c.job_id == job_id).order_by(retry_rows.c.n)
    return await store.read(lambda c: c.execute(query).mappings().all())


async def states_of(store: Store, job_id: str) -> Counter[str]:
    return Counter(row["state"] for row in await rows_of(store, job_id))


async def ended(store: Store, job_id: str, state: str = "done") -> RowMapping:
    """The job, once it is in *state*."""
    query = select(retry_jobs).where(retry_jobs.c.id == job_id)

    async def look() -> RowMapping:
        return await store.read(lambda c: c.execute(query).mappings().one())

    found: RowMapping = await eventually(look, lambda job: job["state"] == state, f"job {state}")
    return found


async def stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
