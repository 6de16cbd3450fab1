"""How a partner's own programs write into its tables: well, or as badly as its switches say.

Form       a step is work at its time; what is due is done by `Writer.work`. A transaction that stays open,
           a lock that is held and a table that stays empty each have another step that ends them
Units      seconds; times are Beijing time without zone, of the clock that is passed in
Careful    an SQLite file has one writer: there a long transaction is kept back, and written when it ends;
           a reader sees the same of it, old stamps that come late
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, insert, text

__all__ = ["Habits", "Work", "Writer"]

LOAD_PARTS = 4
ROWS_AT_ONCE = 500
MARIADB = ("mariadb", "mysql")
Work = Callable[[Connection], object]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Habits:
    """What these programs do wrong; 0 is never. ``…_every``: each n-th time. ``…_s``: seconds."""

    long_transaction_s: float = 0.0  # some rows are committed so long after they were stamped
    clock_skew_s: float = 0.0  # machines stamp by clocks that are so much ahead or behind
    reuse_every: int = 0  # each n-th key that was deleted is given to somebody else
    empty_for_s: float = 0.0  # a table is truncated, and so long later all of it is loaded again
    lock_for_s: float = 0.0  # after the nightly load the tables' locks are held for so long


@dataclass(slots=True)
class Writer:
    """All programs of one partner. *clock*: Beijing time without zone. Not for two threads at once."""

    engine: Engine
    clock: Callable[[], datetime]
    _steps: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _open: set[Connection] = field(default_factory=set)

    @property
    def rests(self) -> bool:
        """Nothing is left to be done, and nothing is open."""
        return not self._steps

    def later(self, after_s: float, step: Callable[[], None]) -> None:
        """*step* at its time; what is due at one time goes in the order in which it was asked for."""
        at = self.clock() + timedelta(seconds=after_s)
        heapq.heappush(self._steps, (at, next(self._numbers), step))

    def work(self) -> None:
        """Do what is due. What a database refuses is tried again by the next call."""
        while self._steps and self._steps[0][0] <= self.clock():
            self._steps[0][2]()
            heapq.heappop(self._steps)

    def close(self) -> None:
        """As a crash: what is open is rolled back."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._steps.clear()

    def write(self, work: Work) -> None:
        """One transaction, committed at once."""
        with self.engine.begin() as connection:
            work(connection)

    def hold(self, work: Work, for_s: float) -> None:
        """One transaction that is begun now and committed so much later."""
        if not for_s:
            self.write(work)
        elif self.engine.dialect.name == "sqlite":
            self.later(for_s, lambda: self.write(work))
        else:
            connection = self._begun()
            work(connection)
            self.later(for_s, lambda: self._end(connection))

    def lock(self, tables: Sequence[Table], for_s: float) -> None:
        """Nobody else reads or writes *tables* for so long (in SQLite: nobody writes)."""
        connection = self._begun()
        if self.engine.dialect.name == "postgresql":
            names = ", ".join(table.name for table in tables)
            connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
        elif self.engine.dialect.name in MARIADB:
            names = ", ".join(f"{table.name} WRITE" for table in tables)
            connection.execute(text(f"LOCK TABLES {names}"))
        self.later(for_s, lambda: self._unlock(connection))

    def load(self, table: Table, rows: Rows, empty_for_s: float) -> None:
        """
        All of *table* anew. Well: in one transaction. Badly: it is truncated first, which is committed,
        and loaded in parts, the last one *empty_for_s* later.
        """
        if not empty_for_s:
            self.write(lambda connection: _replaced(connection, table, rows))
            return
        self.write(lambda connection: _truncated(connection, table))
        for part in range(LOAD_PARTS):
            at_s = empty_for_s * (part + 1 + LOAD_PARTS) / (2 * LOAD_PARTS)
            self.later(at_s, partial(self._part, table, rows[part::LOAD_PARTS]))

    def _part(self, table: Table, rows: Rows) -> None:
        self.write(lambda connection: _inserted(connection, table, rows))

    def _begun(self) -> Connection:
        connection = self.engine.connect()
        self._open.add(connection)
        connection.begin()
        return connection

    def _end(self, connection: Connection) -> None:
        connection.commit()
        connection.close()
        self._open.discard(connection)

    def _unlock(self, connection: Connection) -> None:
        if self.engine.dialect.name in MARIADB:
            connection.execute(text("UNLOCK TABLES"))
        self._end(connection)


def _replaced(connection: Connection, table: Table, rows: Rows) -> None:
    connection.execute(delete(table))
    _inserted(connection, table, rows)


def _truncated(connection: Connection, table: Table) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(delete(table))
    else:
        connection.execute(text(f"TRUNCATE TABLE {table.name}"))


def _inserted(connection: Connection, table: Table, rows: Rows) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(insert(table), [dict(row) for row in rows[start : start + ROWS_AT_ONCE]])
