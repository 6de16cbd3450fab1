"""Retry jobs in the database: what is pinned, who claims it, who works on it, what became of it.

A row goes pinned → claimed → staged → sent → done or failed; what cannot be sent is skipped. Staged
is written before publishing and sent after it, so a row found staged may have been published.

Promises   a failure is claimed by one job at a time (``state`` and ``job_id`` of the failure); whoever
           lost a job's lease stages nothing more of it
Careful    locks are taken in one order: job, failures, rows
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    String,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from hub.store.acts import record
from hub.store.tables import Moment, failures, retry_jobs, retry_rows
from schemas.receipt import Event

__all__ = [
    "IN_DOUBT",
    "STAGES",
    "STRANGERS",
    "Chosen",
    "adopted",
    "claim",
    "counts",
    "give_back",
    "guard",
    "lease",
    "leases",
    "mark",
    "orphans",
    "outcome",
    "pin",
    "release",
    "sent",
    "settle",
    "settle_staged",
    "staged",
    "unlease",
]

STAGES = ("intake", "route", "service")
# What none of the hub's processes sent is never sent by one: that would sign it.
STRANGERS = ("envelope.signature", "envelope.unchecked")
NO_PLACE, NOT_WAITING = "retry.no-place", "retry.not-waiting"
IN_DOUBT = "retry.in-doubt"
IDS_AT_ONCE, ROWS_AT_ONCE = 500, 1000
f, j, r = failures.c, retry_jobs.c, retry_rows.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which of the waiting failures: by id, or all that fit; nothing said is nothing chosen."""

    ids: tuple[str, ...] = ()
    fingerprint: str = ""
    stage: str = ""
    route: str = ""
    system: str = ""
    source: str = ""
    resource: str = ""
    code: str = ""
    every: bool = False

    @property
    def told(self) -> dict[str, Any]:
        """As it is kept with the job."""
        return {name: value for name, value in asdict(self).items() if value}

    def conditions(self) -> list[ColumnElement[bool]]:
        names = ("fingerprint", "stage", "route", "system", "source", "resource", "code")
        return [f[name] == value for name in names if (value := getattr(self, name))]


def pin(connection: Connection, job_id: str, chosen: Chosen, at: datetime) -> int:
    """Pin what waits now, the oldest first; returns how many."""
    base = [f.state == "waiting", *chosen.conditions()]
    if not chosen.ids:
        return _pinned(connection, job_id, base, at, 0)
    count = 0
    for start in range(0, len(chosen.ids), IDS_AT_ONCE):
        named = f.id.in_(chosen.ids[start : start + IDS_AT_ONCE])
        count = _pinned(connection, job_id, [*base, named], at, count)
    return count


def _pinned(
    connection: Connection,
    job_id: str,
    conditions: Sequence[ColumnElement[bool]],
    at: datetime,
    before: int,
) -> int:
    rows = select(
        literal(job_id, String),
        func.row_number().over(order_by=(f.first_at, f.id)) + before,
        f.id,
        literal(-1, Integer),
        literal("pinned", String),
        literal("", String),
        literal(at, Moment),
    ).where(*conditions)
    names = ("job_id", "n", "failure_id", "step", "state", "code", "at")
    connection.execute(insert(retry_rows).from_select(names, rows))
    # Not every driver tells how many rows an insert has made.
    mine = select(func.count()).select_from(retry_rows).where(r.job_id == job_id)
    return connection.scalar(mine) or 0


def claim(connection: Connection, job_id: str, step: int, most: int, at: datetime) -> list[str]:
    """Claim the next *most* pinned rows for *step*; what does not wait any more is skipped. Returns
    the claimed failures."""
    found = connection.execute(
        select(r.n, r.failure_id, f.stage, f.code)
        .join(failures, f.id == r.failure_id)
        .where(r.job_id == job_id, r.state == "pinned")
        .order_by(r.n)
        .limit(most)
    ).all()
    wanted = [row.failure_id for row in found if not _refused(row.stage, row.code)]
    # In one order everywhere, so that two processes never wait for each other in a circle.
    locked = list(
        connection.scalars(
            select(f.id)
            .where(f.id.in_(wanted), f.state == "waiting")
            .order_by(f.id)
            .with_for_update()
        )
    )
    taken = set(
        connection.scalars(
            update(failures)
            .where(f.id.in_(locked), f.state == "waiting")
            .values(state="retrying", job_id=job_id)
            .returning(f.id)
        )
    )
    changes = [
        {
            "row_n": row.n,
            "new_step": step if row.failure_id in taken else -1,
            "new_state": "claimed" if row.failure_id in taken else "skipped",
            "new_code": ""
            if row.failure_id in taken
            else _refused(row.stage, row.code) or NOT_WAITING,
        }
        for row in found
    ]
    _change(connection, job_id, changes, at)
    return [row.failure_id for row in found if row.failure_id in taken]


def _refused(stage: str, code: str) -> str:
    if code in STRANGERS:
        return code
    return "" if stage in STAGES else NO_PLACE


def leases(connection: Connection, owner: str, most: int) -> Sequence[RowMapping]:
    """Of jobs that run, and of cancelled ones that left rows staged; those that nobody or *owner* has
    come first."""
    left = select(r.n).where(r.job_id == j.id, r.state == "staged").exists()
    others = case((or_(j.lease_owner.is_(None), j.lease_owner == owner), 0), else_=1)
    query = (
        select(j.id.label("job_id"), j.state, j.lease_owner, j.lease_until)
        .where(or_(j.state == "running", (j.state == "cancelled") & left))
        .order_by(others, j.id)
        .limit(most)
    )
    return connection.execute(query).mappings().all()


def lease(connection: Connection, seen: Mapping[str, Any], owner: str, until: datetime) -> bool:
    """Take the work on a job whose lease is still as it was *seen*. False where somebody else was
    quicker, or it does not run."""
    mine = update(retry_jobs).where(
        j.id == seen["job_id"],
        j.state == "running",
        j.lease_owner.is_not_distinct_from(seen["owner"]),
        j.lease_until.is_not_distinct_from(seen["until"]),
    )
    taken = connection.execute(mine.values(lease_owner=owner, lease_until=until))
    return taken.rowcount == 1


def unlease(connection: Connection, owner: str, job_id: str = "") -> None:
    """Leave *job_id*, or all, to others: they need not wait for the lease to end."""
    mine = update(retry_jobs).where(j.lease_owner == owner)
    mine = mine.where(j.id == job_id) if job_id else mine
    connection.execute(mine.values(lease_owner=None, lease_until=None))


def guard(connection: Connection, job_id: str, owner: str, until: datetime) -> RowMapping | None:
    """The job, locked and its lease renewed; None where it is not *owner*'s to work on any more."""
    query = select(retry_jobs).where(j.id == job_id).with_for_update()
    job = connection.execute(query).mappings().first()
    if job is None or job["state"] != "running" or job["lease_owner"] != owner:
        return None
    connection.execute(update(retry_jobs).where(j.id == job_id).values(lease_until=until))
    return job


def counts(connection: Connection, job_id: str, step: int) -> dict[str, int]:
    """Rows of *step* by state, with the pinned ones."""
    query = (
        select(r.state, func.count())
        .where(r.job_id == job_id, or_(r.step == step, r.state == "pinned"))
        .group_by(r.state)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def staged(connection: Connection, job_id: str, most: int, most_bytes: int) -> Sequence[RowMapping]:
    """The next claimed rows with their failures, up to *most* and about *most_bytes* of bodies."""
    sizes = connection.execute(
        select(r.n, func.length(func.coalesce(f.edited, f.sealed)))
        .join(failures, f.id == r.failure_id)
        .where(r.job_id == job_id, r.state == "claimed")
        .order_by(r.n)
        .limit(most)
    ).all()
    numbers: list[int] = []
    room = most_bytes
    for n, size in sizes:
        if numbers and size > room:
            break
        numbers.append(n)
        room -= size
    return _with_failures(connection, job_id, r.n.in_(numbers))


def adopted(connection: Connection, job_id: str, most: int) -> Sequence[RowMapping]:
    """Rows found staged: whether they were published is not known."""
    first = select(r.n).where(r.job_id == job_id, r.state == "staged").order_by(r.n).limit(most)
    return _with_failures(connection, job_id, r.n.in_(list(connection.scalars(first))))


def _with_failures(
    connection: Connection, job_id: str, which: ColumnElement[bool]
) -> Sequence[RowMapping]:
    query = (
        select(r.n, failures)
        .join(failures, f.id == r.failure_id)
        .where(r.job_id == job_id, which)
        .order_by(r.n)
    )
    return connection.execute(query).mappings().all()


def mark(
    connection: Connection, job_id: str, numbers: Sequence[int], was: str, new: str, at: datetime
) -> list[str]:
    """Move those of *numbers* that are in state *was*; returns their failures."""
    if not numbers:
        return []
    mine = (r.job_id == job_id) & r.n.in_(numbers) & (r.state == was)
    change = update(retry_rows).where(mine).values(state=new, at=at).returning(r.failure_id)
    return list(connection.scalars(change))


def sent(connection: Connection, job_id: str, numbers: Sequence[int], at: datetime) -> None:
    """*numbers*, which were staged, are at the broker; who sent them is written with it."""
    gone = mark(connection, job_id, numbers, "staged", "sent", at)
    _retried(connection, job_id, gone, at)


def _retried(connection: Connection, job_id: str, ids: Sequence[str], at: datetime) -> None:
    if not ids:
        return
    job = connection.execute(select(j.by, j.reason).where(j.id == job_id)).one()
    act = Event.FAILURE_RETRIED
    record(connection, act, ids, by=job.by, reason=job.reason, at=at, job_id=job_id)


def give_back(connection: Connection, job_id: str, codes: Mapping[int, str], at: datetime) -> None:
    """Rows that are not sent, with the reason of each: their failures wait again."""
    if not codes:
        return
    rows = connection.execute(
        select(r.n, r.failure_id).where(
            r.job_id == job_id, r.n.in_(list(codes)), r.state.in_(("claimed", "staged"))
        )
    ).all()
    _wait_again(connection, job_id, [row.failure_id for row in rows])
    changes = [
        {"row_n": row.n, "new_step": -1, "new_state": "skipped", "new_code": codes[row.n]}
        for row in rows
    ]
    _change(connection, job_id, changes, at)


def release(connection: Connection, job_id: str, at: datetime, *, final: str = "") -> None:
    """What is claimed and not staged waits again; it stays pinned, or is skipped where *final* says
    why. The job must be locked."""
    claimed = list(
        connection.scalars(select(r.failure_id).where(r.job_id == job_id, r.state == "claimed"))
    )
    for start in range(0, len(claimed), ROWS_AT_ONCE):
        _wait_again(connection, job_id, claimed[start : start + ROWS_AT_ONCE])
    states = ("pinned", "claimed") if final else ("claimed",)
    connection.execute(
        update(retry_rows)
        .where(r.job_id == job_id, r.state.in_(states))
        .values(step=-1, state="skipped" if final else "pinned", code=final, at=at)
    )


def settle(connection: Connection, at: datetime, *, look_only: bool = False) -> int:
    """Give the rows that are sent their outcomes, as far as they are known; returns how many."""
    query = (
        select(r.job_id, r.n, f.state, f.code)
        .join(failures, f.id == r.failure_id)
        .where(r.state == "sent", or_(f.state != "retrying", f.job_id != r.job_id))
        .limit(ROWS_AT_ONCE)
    )
    if look_only:
        return len(connection.execute(query.limit(1)).all())
    found = connection.execute(query.with_for_update(of=retry_rows, skip_locked=True)).all()
    for job_id in {row.job_id for row in found}:
        changes = [outcome(row.n, row.state, row.code) for row in found if row.job_id == job_id]
        _settled(connection, job_id, changes, at, "sent")
    return len(found)


def settle_staged(connection: Connection, job_id: str, at: datetime) -> None:
    """Rows found staged of which the outcome tells that they were sent."""
    query = (
        select(r.n, r.failure_id, f.state, f.code)
        .join(failures, f.id == r.failure_id)
        .where(
            r.job_id == job_id,
            r.state == "staged",
            or_(f.state != "retrying", f.job_id != r.job_id),
        )
    )
    found = connection.execute(query).all()
    changes = [outcome(row.n, row.state, row.code) for row in found]
    _settled(connection, job_id, changes, at, "staged")
    _retried(connection, job_id, [row.failure_id for row in found], at)


def orphans(connection: Connection, job_ids: Sequence[str], now: datetime) -> None:
    """Rows of cancelled jobs that were staged by somebody who is gone: nobody sends them again.
    Their failures wait again, in doubt."""
    for job_id in job_ids:
        settle_staged(connection, job_id, now)
        mine = select(r.n).where(r.job_id == job_id, r.state == "staged").limit(ROWS_AT_ONCE)
        give_back(connection, job_id, dict.fromkeys(connection.scalars(mine), IN_DOUBT), now)


def outcome(n: int, failure_state: str, code: str) -> dict[str, Any]:
    """A failure that is not being retried any more has passed, or has failed again."""
    if failure_state == "resolved":
        return {"row_n": n, "new_state": "done", "new_code": ""}
    return {"row_n": n, "new_state": "failed", "new_code": code}


def _settled(
    connection: Connection, job_id: str, changes: list[dict[str, Any]], at: datetime, was: str
) -> None:
    if changes:
        connection.execute(
            update(retry_rows)
            .where(r.job_id == job_id, r.n == bindparam("row_n"), r.state == was)
            .values(state=bindparam("new_state"), code=bindparam("new_code"), at=at),
            changes,
        )


def _change(
    connection: Connection, job_id: str, changes: list[dict[str, Any]], at: datetime
) -> None:
    if changes:
        connection.execute(
            update(retry_rows)
            .where(r.job_id == job_id, r.n == bindparam("row_n"))
            .values(
                step=bindparam("new_step"),
                state=bindparam("new_state"),
                code=bindparam("new_code"),
                at=at,
            ),
            changes,
        )


def _wait_again(connection: Connection, job_id: str, ids: Sequence[str]) -> None:
    mine = (f.id.in_(ids)) & (f.state == "retrying") & (f.job_id == job_id)
    connection.execute(update(failures).where(mine).values(state="waiting", job_id=None))
