"""Retry jobs (重试作业): started, watched, paused, resumed, cancelled by people; advanced by the runner.

Form       running ⇄ paused; running → stopped (too much of a step failed) → running; any of them →
           cancelled; running → done. What a job pinned at its start is all that it ever sends
Promises   each change is one transaction with the entry of who made it and why
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, func, insert, select, update

from hub.ids import new_id
from hub.retry_policy import Claim, Done, Move, Next, Policy, Stop, Tally, decide
from hub.store import Store, acts, retries
from hub.store.retries import Chosen
from hub.store.tables import retry_jobs, retry_rows
from schemas.errors import Rejected

__all__ = ["RetryJobs", "Started", "advance", "look", "open_job", "policy_of"]

MOST_ROWS = 1000
CANCELLED = "retry.cancelled"
# What may be done in which states, what it leads to, and what it is called afterwards.
MAY = {
    "pause": (("running",), "paused", "retry.paused"),
    "resume": (("paused", "stopped"), "running", "retry.resumed"),
    "cancel": (("running", "paused", "stopped"), "cancelled", CANCELLED),
}
RUNNER = "hub"
j, r = retry_jobs.c, retry_rows.c
log = structlog.get_logger("hub.retries")


@dataclass(frozen=True, slots=True)
class Started:
    """A job that has begun: its id, and how many failures it has pinned."""

    id: str
    total: int


@dataclass(frozen=True, slots=True)
class RetryJobs:
    """What a person can ask of retry jobs. Unknown ids are `Rejected` (``retry.unknown``)."""

    store: Store
    clock: Callable[[], datetime]

    async def start(self, chosen: Chosen, policy: Policy, *, by: str, reason: str = "") -> Started:
        """Pin what waits and fits; the runner begins at once. Raises `Rejected` where the choice is
        empty or nothing waits that fits it."""
        if not chosen.told:
            raise Rejected("retry.nothing-chosen", "Say which failures, or all")
        checked = policy.checked()

        def begin(connection: Connection) -> Started:
            started = open_job(connection, chosen, checked, by=by, reason=reason, at=self.clock())
            if not started.total:
                raise Rejected("retry.nothing-waits", "No waiting failure fits")
            return started

        started = await self.store.write(begin)
        log.info("retry.started", job=started.id, rows=started.total)
        return started

    async def listed(self, state: str = "", limit: int = 100) -> Sequence[dict[str, Any]]:
        """The newest first, with their rows counted by state."""

        def look(connection: Connection) -> list[dict[str, Any]]:
            query = select(retry_jobs).order_by(j.id.desc()).limit(min(limit, MOST_ROWS))
            query = query.where(j.state == state) if state else query
            jobs = connection.execute(query).mappings().all()
            return _with_counts(connection, jobs)

        return await self.store.read(look)

    async def one(self, job_id: str) -> dict[str, Any]:
        """With its rows counted, and what people did with it (``acts``)."""

        def look(connection: Connection) -> dict[str, Any]:
            job = _found(connection, job_id, lock=False)
            done = [dict(act) for act in acts.acts_of(connection, job_id=job_id)]
            return {**_with_counts(connection, [job])[0], "acts": done}

        return await self.store.read(look)

    async def rows(
        self, job_id: str, *, state: str = "", after: int = 0, limit: int = MOST_ROWS
    ) -> Sequence[RowMapping]:
        """Rows *after* that number, in the order in which they are sent."""
        query = select(r.n, r.failure_id, r.step, r.state, r.code, r.at)
        query = query.where(r.job_id == job_id, r.n > after)
        query = query.where(r.state == state) if state else query
        query = query.order_by(r.n).limit(min(limit, MOST_ROWS))
        return await self.store.read(lambda c: c.execute(query).mappings().all())

    async def pause(self, job_id: str, *, by: str, reason: str = "") -> None:
        """It ends what it has in hand, a few rows, and waits."""
        await self._change("pause", job_id, by, reason)

    async def resume(self, job_id: str, *, by: str, reason: str = "") -> None:
        """It goes on; after a stop with the next step."""
        await self._change("resume", job_id, by, reason)

    async def cancel(self, job_id: str, *, by: str, reason: str = "") -> None:
        """For good: what is not sent yet waits again, outside of any job."""
        await self._change("cancel", job_id, by, reason)

    async def _change(self, what: str, job_id: str, by: str, reason: str) -> None:
        at = self.clock()
        changed = partial(_changed, what=what, job_id=job_id, by=by, reason=reason, at=at)
        await self.store.write(changed)
        log.info("retry.changed", job=job_id, what=what)


def open_job(
    connection: Connection,
    chosen: Chosen,
    policy: Policy,
    *,
    by: str,
    reason: str,
    at: datetime,
) -> Started:
    """A new job with its pinned rows; without any, no job."""
    job_id = new_id(at)
    total = retries.pin(connection, job_id, chosen, at)
    if total:
        row = {
            "id": job_id,
            "at": at,
            "by": by[: acts.BY_LENGTH],
            "reason": reason[: acts.REASON_LENGTH],
            "chosen": chosen.told,
            "total": total,
            "steps": list(policy.steps),
            "pace_per_s": policy.pace_per_s,
            "stop_share": policy.stop_share,
            "step_timeout_s": policy.step_timeout_s,
            "state": "running",
            "step": 0,
        }
        connection.execute(insert(retry_jobs), row)
        acts.job_act(connection, "retry.started", job_id, by=by, at=at, reason=reason)
    return Started(job_id, total)


def policy_of(job: RowMapping) -> Policy:
    return Policy(
        steps=tuple(job["steps"]),
        pace_per_s=job["pace_per_s"],
        stop_share=job["stop_share"],
        step_timeout_s=job["step_timeout_s"],
    )


def advance(
    connection: Connection,
    job_id: str,
    owner: str,
    now: datetime,
    until: datetime,
    still_s: Callable[[object], float],
) -> tuple[Move, RowMapping] | None:
    """The job's next move, and all of it that is done in the database; None where *owner* has no
    business with it any more. *still_s*: for how long what was sent of a step has been the same."""
    job = retries.guard(connection, job_id, owner, until)
    if job is None:
        return None
    step, move = job["step"], _move(connection, job, still_s)
    mine = update(retry_jobs).where(j.id == job_id)
    match move:
        case Claim(rows=rows):
            retries.claim(connection, job_id, step, rows, now)
        case Next():
            connection.execute(mine.values(step=step + 1))
        case Stop(share=share):
            retries.release(connection, job_id, now)
            connection.execute(mine.values(state="stopped", step=step + 1))
            told = f"{share:.0%}"
            acts.job_act(connection, "retry.stopped", job_id, by=RUNNER, at=now, reason=told)
        case Done():
            connection.execute(mine.values(state="done", ended_at=now))
            acts.job_act(connection, "retry.done", job_id, by=RUNNER, at=now)
        case _:
            pass
    return move, job


def look(connection: Connection, job_id: str, still_s: Callable[[object], float]) -> Move | None:
    """What `advance` would do; None where the job does not run."""
    query = select(retry_jobs).where(j.id == job_id, j.state == "running")
    job = connection.execute(query).mappings().first()
    return _move(connection, job, still_s) if job else None


def _move(connection: Connection, job: RowMapping, still_s: Callable[[object], float]) -> Move:
    counted = retries.counts(connection, job["id"], job["step"])
    gone = sum(counted.get(name, 0) for name in ("sent", "done", "failed"))
    tally = Tally(
        waited_s=still_s((job["step"], gone)) if gone else 0.0,
        **{name: counted.get(name, 0) for name in ("pinned", "claimed", "sent", "done", "failed")},
    )
    return decide(policy_of(job), job["step"], tally)


def _changed(
    connection: Connection, *, what: str, job_id: str, by: str, reason: str, at: datetime
) -> None:
    states, new, act = MAY[what]
    job = _found(connection, job_id, lock=True)
    if job["state"] not in states:
        raise Rejected(
            "retry.state", "Not in this state", what=what, state=job["state"], job=job_id[:36]
        )
    if new != "running":
        retries.release(connection, job_id, at, final=CANCELLED if new == "cancelled" else "")
    ended = at if new == "cancelled" else None
    change = update(retry_jobs).where(j.id == job_id).values(state=new, ended_at=ended)
    connection.execute(change)
    acts.job_act(connection, act, job_id, by=by, at=at, reason=reason)


def _found(connection: Connection, job_id: str, *, lock: bool) -> RowMapping:
    query = select(retry_jobs).where(j.id == job_id)
    job = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if job is None:
        raise Rejected("retry.unknown", "No such retry job", job=job_id[:36])
    return job


def _with_counts(connection: Connection, jobs: Sequence[RowMapping]) -> list[dict[str, Any]]:
    query = (
        select(r.job_id, r.state, func.count())
        .where(r.job_id.in_([job["id"] for job in jobs]))
        .group_by(r.job_id, r.state)
    )
    counted: dict[str, dict[str, int]] = {}
    for job_id, state, many in connection.execute(query):
        counted.setdefault(job_id, {})[state] = many
    hidden = ("lease_owner", "lease_until")
    return [
        {
            **{name: value for name, value in job.items() if name not in hidden},
            "rows": counted.get(job["id"], {}),
        }
        for job in jobs
    ]
