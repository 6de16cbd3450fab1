"""What people did with failures and retries, kept with what it changed, in the same transaction.

The ledger is told afterwards, by whoever finds an act that it has not been told of yet.

Promises   no act without its entry, and no entry without its act, whatever dies in between
Form       an entry without a failure stands for a job as a whole
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from hub.ids import new_id
from hub.store.tables import failure_acts, failures

__all__ = ["BY_LENGTH", "REASON_LENGTH", "acts_of", "job_act", "mark_told", "record", "untold"]

REASON_LENGTH, BY_LENGTH = 512, 64
c = failure_acts.c


def record(
    connection: Connection,
    act: str,
    failure_ids: Sequence[str],
    *,
    by: str,
    at: datetime,
    reason: str = "",
    job_id: str | None = None,
) -> None:
    """*by* did *act* with each of *failure_ids*."""
    rows = [_row(act, by, at, reason, each, job_id) for each in failure_ids]
    if rows:
        connection.execute(insert(failure_acts), rows)


def job_act(
    connection: Connection, act: str, job_id: str, *, by: str, at: datetime, reason: str = ""
) -> None:
    """*by* did *act* with the whole job."""
    row = _row(act, by, at, reason, None, job_id)
    connection.execute(insert(failure_acts), row | {"told": True})


def acts_of(
    connection: Connection, *, failure_id: str = "", job_id: str = ""
) -> Sequence[RowMapping]:
    """What was done with one failure, or with one job as a whole, oldest first."""
    mine = (
        c.failure_id == failure_id if failure_id else (c.job_id == job_id) & c.failure_id.is_(None)
    )
    query = select(c.at, c.by, c.act, c.reason, c.job_id).where(mine).order_by(c.at, c.id)
    return connection.execute(query).mappings().all()


def untold(connection: Connection, most: int) -> Sequence[RowMapping]:
    """The oldest *most* acts that the ledger does not know yet, with the failure's own facts."""
    shown = ("message_id", "record_id", "source", "resource", "subject", "route", "system", "code")
    query = (
        select(c.id, c.at, c.by, c.act, c.failure_id, failures.c.headers)
        .add_columns(*(failures.c[name] for name in shown))
        .join(failures, failures.c.id == c.failure_id)
        .where(c.told.is_(False))
        .order_by(c.id)
        .limit(most)
    )
    return connection.execute(query).mappings().all()


def mark_told(connection: Connection, ids: Sequence[str]) -> None:
    told = update(failure_acts).where(c.id == bindparam("act_id")).values(told=True)
    if ids:
        connection.execute(told, [{"act_id": each} for each in ids])


def _row(
    act: str, by: str, at: datetime, reason: str, failure_id: str | None, job_id: str | None
) -> dict[str, Any]:
    return {
        "id": new_id(at),
        "at": at,
        "by": by[:BY_LENGTH],
        "act": act,
        "reason": reason[:REASON_LENGTH],
        "failure_id": failure_id,
        "job_id": job_id,
        "told": False,
    }
