"""Rows that a partner left for us: read by their state, marked only if they have not changed since.

Promises   a row committed late, with an older stamp, still comes out: we ask for what is new, not
           for what is after a stamp. A change made between our reading and our marking has a
           higher version, is not marked, and comes out next time
Careful    the partner's clock and order are its own: "oldest first" is by its stamp, then row id
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, Table, and_, bindparam, or_, select, type_coerce, update
from sqlalchemy.types import NullType

from front_db.contract import Control, ExchangeTable
from front_db.rows import Unreadable, content_of
from schemas.errors import Misconfigured
from schemas.message import Json

__all__ = ["Place", "Read", "Seen", "mark_refused", "mark_taken", "read_new", "readable"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A row at the version in which we saw it; none is a row that breaks the agreement."""

    row_id: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading stands: after this stamp and row id."""

    stamp: object
    row_id: object


@dataclass(frozen=True, slots=True)
class Read:
    """One row: *content*, or *fault* naming the column that cannot be read."""

    seen: Seen
    place: Place
    content: dict[str, Json]
    fault: str = ""


def readable(described: ExchangeTable) -> ExchangeTable:
    """*described* itself, when it has what reading needs; raises `Misconfigured` otherwise."""
    control = described.control
    needed = {"state": control.state, "version": control.version, "written_at": control.written_at}
    if missing := [name for name, column in needed.items() if not column]:
        raise Misconfigured(
            "front-db.not-readable",
            "A table that is read needs state, version and stamp",
            table=described.name,
            missing=" ".join(missing),
        )
    return described


def read_new(
    connection: Connection,
    described: ExchangeTable,
    table: Table,
    *,
    after: Place | None,
    limit: int,
) -> list[Read]:
    """Up to *limit* rows in the state "new", oldest first, behind *after*."""
    control = described.control
    stamp, row_id = table.c[str(control.written_at)], table.c[control.row_id]
    hidden = {control.state, control.error}
    # As the driver gives it: one value that does not fit its type must not spoil the whole page.
    columns = [type_coerce(c, NullType()).label(c.name) for c in table.c if c.name not in hidden]
    asked = (
        select(*columns)
        .where(table.c[str(control.state)] == control.state_new)
        .order_by(stamp, row_id)
        .limit(limit)
    )
    if after is not None:
        # The place is what the driver gave, and goes back as it came.
        at, last = (type_coerce(value, NullType()) for value in (after.stamp, after.row_id))
        asked = asked.where(or_(stamp > at, and_(stamp == at, row_id > last)))
    return [_read(dict(row), described, control) for row in connection.execute(asked).mappings()]


def mark_taken(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Seen]
) -> None:
    """Set *rows* to the state "taken", except those that changed since they were seen."""
    control = described.control
    asked = (
        update(table)
        .where(
            table.c[control.row_id] == bindparam("seen_id"),
            table.c[str(control.version)] == bindparam("seen_version"),
            table.c[str(control.state)] == control.state_new,
        )
        .values({control.state: control.state_taken})
    )
    if rows:
        connection.execute(
            asked, [{"seen_id": seen.row_id, "seen_version": seen.version} for seen in rows]
        )


def mark_refused(
    connection: Connection, described: ExchangeTable, table: Table, seen: Seen, said: str
) -> None:
    """Set a row that cannot be read to the state "refused", with the reason for its writer."""
    control = described.control
    values: dict[str | None, object] = {control.state: control.state_refused}
    values[control.error] = said[: control.error_length]
    connection.execute(
        update(table)
        .where(
            table.c[control.row_id] == seen.row_id,
            table.c[str(control.version)] == seen.version,
            table.c[str(control.state)] == control.state_new,
        )
        .values({name: value for name, value in values.items() if name})
    )


def _read(row: dict[str, object], described: ExchangeTable, control: Control) -> Read:
    version = row[str(control.version)]
    seen = Seen(
        str(row[control.row_id]), int(version) if isinstance(version, int | Decimal) else None
    )
    place = Place(row[str(control.written_at)], row[control.row_id])
    if seen.version is None:
        return Read(seen, place, {}, fault=str(control.version))
    try:
        return Read(seen, place, content_of(row, described))
    except Unreadable as error:
        return Read(seen, place, {}, fault=error.column)
