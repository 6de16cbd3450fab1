"""The failure store, looked at: by cause, one by one, and all that was done with one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from hub.store.acts import acts_of
from hub.store.retries import Chosen
from hub.store.tables import failure_edits, failures, retry_rows
from schemas.errors import Rejected

__all__ = ["MOST_ROWS", "Group", "History", "groups", "history", "listed", "one", "with_bodies"]

MOST_ROWS = 500
SEALED = ("sealed", "edited", "mapped")
c = failures.c


@dataclass(frozen=True, slots=True)
class Group:
    """Failures of one cause: the same place, class of error, code, fields and text."""

    fingerprint: str
    stage: str
    route: str
    system: str
    source: str
    resource: str
    code: str
    faults: Sequence[Mapping[str, Any]]
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What people did with one failure: *acts* in their order, *edits* from the first (with their
    bodies, sealed), *retries* by job, with what became of each."""

    acts: Sequence[RowMapping]
    edits: Sequence[RowMapping]
    retries: Sequence[RowMapping]


def groups(connection: Connection, state: str) -> list[Group]:
    rows = connection.execute(
        select(
            c.fingerprint,
            func.count().label("many"),
            func.min(c.first_at).label("first_at"),
            func.max(c.last_at).label("last_at"),
            func.max(c.id).label("sample"),
        )
        .where(c.state == state)
        .group_by(c.fingerprint)
        .order_by(func.count().desc())
        .limit(MOST_ROWS)
    ).all()
    samples = {
        row.id: row
        for row in connection.execute(select(failures).where(c.id.in_([r.sample for r in rows])))
    }
    return [
        Group(
            fingerprint=row.fingerprint,
            count=row.many,
            first_at=row.first_at,
            last_at=row.last_at,
            **{
                name: getattr(samples[row.sample], name)
                for name in ("stage", "route", "system", "source", "resource", "code", "faults")
            },
        )
        for row in rows
    ]


def listed(
    connection: Connection, state: str, chosen: Chosen, limit: int, after: str
) -> Sequence[RowMapping]:
    """Those that fit *chosen*, the newest first, without bodies. *after*: id of the last one seen;
    raises `Rejected` (``failure.unknown``) where there is none."""
    query = select(*(column for column in c if column.name not in SEALED))
    query = query.where(*chosen.conditions())
    query = query.where(c.state == state) if state else query
    query = query.where(c.id.in_(chosen.ids)) if chosen.ids else query
    if after:
        last = one(connection, after)["last_at"]
        query = query.where(or_(c.last_at < last, and_(c.last_at == last, c.id < after)))
    query = query.order_by(c.last_at.desc(), c.id.desc()).limit(min(limit, MOST_ROWS))
    return connection.execute(query).mappings().all()


def one(connection: Connection, failure_id: str, *, lock: bool = False) -> RowMapping:
    """Raises `Rejected` (``failure.unknown``)."""
    query = select(failures).where(c.id == failure_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise Rejected("failure.unknown", "No such failure", id=failure_id[:36])
    return row


def with_bodies(
    connection: Connection, chosen: Chosen, after: str, most: int
) -> Sequence[RowMapping]:
    """Waiting failures that are chosen, whole, in the order of their ids."""
    query = select(failures).where(c.state == "waiting", c.id > after, *chosen.conditions())
    query = query.where(c.id.in_(chosen.ids)) if chosen.ids else query
    return connection.execute(query.order_by(c.id).limit(most)).mappings().all()


def history(connection: Connection, failure_id: str) -> History:
    edits = select(failure_edits).where(failure_edits.c.failure_id == failure_id)
    r = retry_rows.c
    retries = select(r.job_id, r.n, r.state, r.code, r.at).where(r.failure_id == failure_id)
    return History(
        acts_of(connection, failure_id=failure_id),
        connection.execute(edits.order_by(failure_edits.c.n)).mappings().all(),
        connection.execute(retries.order_by(r.job_id)).mappings().all(),
    )
