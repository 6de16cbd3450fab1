"""The batch path's ends in any database: pages by SQLAlchemy, read with a lock, written by `front_db.write`.

Speaks to  MariaDB, MySQL, SQLite; PostgreSQL too, where the other end is none
Promises   as `front_db.bulk_postgres`: by state, the rows are locked until the target has committed
Careful    MariaDB reads with a lock by position too: it then waits for a row that another transaction
           has inserted and not committed, which would be missed for ever. SQLite has one writer at a time
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    and_,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db.beside import NO_BATCH, Beside
from front_db.bulk import Load, Take
from front_db.bulk_pages import source_columns
from front_db.bulk_postgres import Bytes, Texts
from front_db.bulk_rows import told
from front_db.states import BATCH_CODES, READ_BATCHES, RowState

__all__ = ["PlainSource"]

MOST_IDS = 500


@dataclass(slots=True)
class PlainSource:
    """Where the rows come from."""

    engine: Engine
    load: Load
    table: Table
    beside: Beside

    def bound(self) -> int:
        """The highest row id now."""
        row_id = self.table.c[self.load.source.control.row_id]
        with self.engine.connect() as connection:
            return int(connection.scalar(select(func.max(row_id))) or 0)

    @contextmanager
    def page(
        self, after: int, bound: int, rows: int, at: datetime
    ) -> Iterator[tuple[Texts | Bytes | None, list[int]]]:
        """Up to *rows* rows behind *after*; what is marked is committed when the block ends well.

        What the block puts into the list is not marked."""
        back: list[int] = []
        by_state = self.load.take is Take.STATE
        with (
            self.engine.connect().execution_options(shuniu_write=by_state) as connection,
            connection.begin(),
        ):
            ids = self._ids(connection, after, bound, rows)
            if not ids:
                yield None, back
                return
            found = self._read(connection, ids)
            yield Texts(ids[-1], found), back
            if by_state:
                left = set(back)
                self._mark(
                    connection, [int(row[0]) for row in found if int(row[0]) not in left], at
                )

    def _ids(self, connection: Connection, after: int, bound: int, rows: int) -> list[int]:
        control = self.load.source.control
        row_id = self.table.c[control.row_id]
        asked = select(row_id).where(row_id > after, row_id <= bound).order_by(row_id).limit(rows)
        if self.load.take is Take.STATE:
            asked = asked.where(self.table.c[str(control.state)] == control.word(RowState.NEW))
        return [int(found) for found in connection.scalars(asked.with_for_update(read=True))]

    def _read(self, connection: Connection, ids: Sequence[int]) -> list[list[str]]:
        control = self.load.source.control
        row_id = self.table.c[control.row_id]
        names = (control.row_id, *self.load.source.key_columns, str(control.version))
        names = (*names, str(control.operation), *source_columns(self.load))
        # As the driver gives it: one value that does not fit its type must not spoil the page.
        columns = [type_coerce(self.table.c[name], NullType()) for name in names]
        asked = select(*columns).where(row_id >= ids[0], row_id <= ids[-1]).order_by(row_id)
        if self.load.take is Take.STATE:
            asked = self._free(asked).with_for_update()
        keys = len(self.load.source.key_columns)
        return [_texts(row, keys) for row in connection.execute(asked)]

    def _free(self, asked: Select[Any]) -> Select[Any]:
        """Of the new rows those that an earlier one of their key does not hold, and never handled."""
        control, table = self.load.source.control, self.table
        other, taken = table.alias(), table.alias()
        state, version = str(control.state), str(control.version)
        barred = [control.word(s) for s in (RowState.REFUSED, RowState.HELD) if s in control.states]
        gone = [
            control.word(s) for s in (RowState.TAKEN, RowState.DELIVERED) if s in control.states
        ]
        highest = (
            select(func.max(taken.c[version]))
            .where(self._same(taken), taken.c[state].in_(gone))
            .scalar_subquery()
        )
        blocked = select(other.c[control.row_id]).where(
            self._same(other), other.c[state].in_(barred)
        )
        asked = asked.where(
            table.c[state] == control.word(RowState.NEW),
            ~blocked.exists(),
            func.coalesce(highest, 0) < table.c[version],
        )
        for name in (control.handled_version, control.corrects):
            if name:
                asked = asked.where(table.c[name].is_(None))
        if control.batch and self.load.source.standard:
            asked = asked.where(self._whole(control.batch))
        return asked

    def _same(self, other: Any) -> ColumnElement[bool]:
        keys = self.load.source.key_columns
        return and_(*(other.c[name] == self.table.c[name] for name in keys))

    def _whole(self, name: str) -> ColumnElement[bool]:
        batch, header = self.table.c[name], self.beside.batch
        whole = select(header.c.b_no).where(
            header.c.b_table == self.load.source.name,
            header.c.b_state.in_([BATCH_CODES[each] for each in READ_BATCHES]),
        )
        return or_(batch.is_(None), batch == NO_BATCH, batch.in_(whole))

    def _mark(self, connection: Connection, ids: Sequence[int], at: datetime) -> None:
        control = self.load.source.control
        values: dict[str, Any] = {str(control.state): control.word(RowState.TAKEN)}
        if control.handled_at:
            values[control.handled_at] = at
        if control.handled_version:
            values[control.handled_version] = self.table.c[str(control.version)]
        row_id = self.table.c[control.row_id]
        for start in range(0, len(ids), MOST_IDS):
            some = row_id.in_(ids[start : start + MOST_IDS])
            connection.execute(update(self.table).where(some).values(values))


def _texts(row: Any, keys: int) -> list[str]:
    """With the parts of the key as one."""
    row_id, *rest = map(told, row)
    return [row_id, "/".join(rest[:keys]), *rest[keys:]]
