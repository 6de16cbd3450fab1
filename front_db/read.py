"""Rows that a partner left for us: read by their state, marked only if they have not changed since.

Promises   a row committed late, with an older stamp, still comes out: we ask for what is new, not
           for what is after a stamp. A change made between our reading and our marking has a
           higher version, is not marked, and comes out next time
Careful    the partner's clock and order are its own: "oldest first" is by its stamp, then row id;
           where the database counts the ids up itself, by them alone
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Select, Table, and_, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db.contract import ExchangeTable
from front_db.moves import Seen, move
from front_db.rows import Row, Unreadable, contents
from front_db.states import RowState
from schemas.errors import Misconfigured
from schemas.message import Json

__all__ = ["Place", "Read", "Seen", "mark_refused", "mark_taken", "read_new", "readable"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading stands: after this stamp (none where ids are counted up) and row id."""

    stamp: object
    row_id: object


@dataclass(frozen=True, slots=True)
class Read:
    """One row: *content*, or *fault* naming the column that cannot be read. *raw*: as it stands."""

    seen: Seen
    place: Place
    content: dict[str, Json]
    fault: str = ""
    raw: dict[str, object] | None = None


def readable(described: ExchangeTable) -> ExchangeTable:
    """*described* itself, when it has what reading needs; raises `Misconfigured` otherwise."""
    control = described.control
    needed = {"row_id": control.row_id, "state": control.state, "version": control.version}
    if not control.counted:
        needed["written_at"] = control.written_at
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
    only: ColumnElement[bool] | None = None,
) -> list[Read]:
    """Up to *limit* rows in the state "new", oldest first, behind *after*; of those, *only* some."""
    control = described.control
    # As the driver gives it: one value that does not fit its type must not spoil the whole page.
    columns = [type_coerce(c, NullType()).label(c.name) for c in table.c]
    asked = select(*columns).where(table.c[str(control.state)] == control.word(RowState.NEW))
    if only is not None:
        asked = asked.where(only)
    asked = _ordered(asked, described, table, after).limit(limit)
    names, read = [column.name for column in table.c], _reader(described)
    return [read(dict(zip(names, row, strict=True))) for row in connection.execute(asked)]


def mark_taken(
    connection: Connection,
    described: ExchangeTable,
    table: Table,
    rows: Sequence[Seen],
    at: datetime | None = None,
) -> list[Seen]:
    """
    Set *rows* to the state "taken", except those that changed since they were seen.

    Returns those that were set. *at*: Beijing time without zone, where the table keeps it.
    """
    values = {described.control.handled_at: at}
    return move(connection, described, table, rows, RowState.NEW, RowState.TAKEN, values)


def mark_refused(
    connection: Connection, described: ExchangeTable, table: Table, seen: Seen, said: str
) -> None:
    """Set a row that cannot be read to the state "refused", with the reason for its writer."""
    values = {described.control.error: said[: described.control.error_length]}
    move(connection, described, table, [seen], RowState.NEW, RowState.REFUSED, values)


def _ordered(
    asked: Select[tuple[object, ...]], described: ExchangeTable, table: Table, after: Place | None
) -> Select[tuple[object, ...]]:
    control = described.control
    row_id = table.c[control.row_id]
    # The place is what the driver gave, and goes back as it came.
    if control.counted:
        asked = asked.order_by(row_id)
        return asked if after is None else asked.where(row_id > after.row_id)
    stamp = table.c[str(control.written_at)]
    asked = asked.order_by(stamp, row_id)
    if after is None:
        return asked
    at, last = (type_coerce(value, NullType()) for value in (after.stamp, after.row_id))
    return asked.where(or_(stamp > at, and_(stamp == at, row_id > last)))


def _reader(described: ExchangeTable) -> Callable[[dict[str, object]], Read]:
    control, content = described.control, contents(described)
    row_id, version, stamp, ours = (
        control.row_id,
        str(control.version),
        None if control.counted else str(control.written_at),
        control.ours,
    )

    def read(row: dict[str, object]) -> Read:
        told = row[version]
        seen = Seen(str(row[row_id]), int(told) if isinstance(told, int | Decimal) else None)
        place = Place(row[stamp] if stamp else None, row[row_id])
        if seen.version is None:
            return Read(seen, place, {}, fault=version, raw=row)
        shown: Row = {name: value for name, value in row.items() if name not in ours}
        try:
            return Read(seen, place, content(shown), raw=row)
        except Unreadable as error:
            return Read(seen, place, {}, fault=error.column, raw=row)

    return read
