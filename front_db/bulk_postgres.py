"""The batch path's ends in PostgreSQL: pages by COPY, written into the table or by way of a staging table.

Form       rows that are seen travel as COPY's text, untouched ones in its binary form
Promises   by state, a page is read and marked by one statement, and its transaction waits until the
           target has committed: a change made meanwhile waits for it, and none is swallowed. By
           position, nothing is read above a bound below which every writer has ended
Careful    COPY straight into the table is tried first; a key that is there already leads to the
           staging table and one guarded merge, never to an upsert: on a table with a second unique key
           that updates somebody else's row
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from front_db.beside import NO_BATCH
from front_db.bulk import Load, Take, row_prefix
from front_db.bulk_pages import filled, source_columns, target_content
from front_db.bulk_rows import unescaped
from front_db.contract import Control, Keeps
from front_db.states import BATCH_CODES, READ_BATCHES, RowState
from front_db.troubles import is_taken
from schemas.errors import Transient

__all__ = ["Bytes", "PostgresSource", "PostgresTarget", "Texts"]

PATIENCE_S = 10.0
LOOK_S = 0.05
MOST_ID = 2**63 - 1
_HEADER = b"PGCOPY\n\xff\r\n\x00"
_HEADER_LENGTH = 19
STAGE = "xch_load_stage"


@dataclass(frozen=True, slots=True)
class Texts:
    """A page of rows that are seen, each as texts: `bulk_pages.CONTROLS`, then the content."""

    last: int
    rows: Sequence[list[str]]


@dataclass(frozen=True, slots=True)
class Bytes:
    """A page of rows that nobody looks at. *keys*: their business keys; *ids*: of the rows made."""

    last: int
    content: bytes
    keys: Sequence[str]
    ids: Sequence[str]


@dataclass(slots=True)
class PostgresSource:
    """Where the rows come from."""

    engine: Engine
    load: Load
    patience_s: float = PATIENCE_S

    def bound(self) -> int:
        """
        The highest row id now, once every transaction has ended that may still bring a lower one.

        Raises `Transient` where one stays open longer than that is waited for.
        """
        control, name = self.load.source.control, self.load.source.name
        highest = sql.SQL(
            "SELECT coalesce(max({}), 0), pg_snapshot_xmax(pg_current_snapshot())::text"
        )
        asked = highest.format(sql.Identifier(control.row_id)) + sql.SQL(" FROM {}").format(
            sql.Identifier(name)
        )
        oldest = sql.SQL("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        until, pause = time.monotonic() + self.patience_s, Event()
        with _driver(self.engine) as (connection, cursor):
            bound, following = _one(cursor, asked)
            connection.commit()
            while self.load.take is Take.POSITION and int(_one(cursor, oldest)[0]) < int(following):
                connection.commit()
                if time.monotonic() > until:
                    raise Transient(
                        "front-db.open-transaction",
                        "A transaction that may hold earlier rows stays open",
                        table=name,
                    )
                pause.wait(LOOK_S)
        return int(bound)

    @contextmanager
    def page(
        self, after: int, bound: int, rows: int, at: datetime
    ) -> Iterator[tuple[Texts | Bytes | None, list[int]]]:
        """Up to *rows* rows behind *after*; what is marked is committed when the block ends well."""
        with _driver(self.engine) as (connection, cursor):
            back: list[int] = []
            last = _one(cursor, self._ends(after, bound, rows))[0]
            if last is None:
                yield None, back
                return
            yield self._read(cursor, after, int(last), at), back
            if back and self.load.take is Take.STATE:
                self._put_back(cursor, back)
            connection.commit()

    def everything(self, at: datetime) -> sql.Composable:
        """The query of all rows, as they are read by position."""
        return self._plain(0, MOST_ID, at)

    def _put_back(self, cursor: psycopg.Cursor[Any], row_ids: Sequence[int]) -> None:
        """Rows that were marked and are not loaded are new again."""
        control = self.load.source.control
        new = sql.Literal(control.word(RowState.NEW))
        values = [sql.SQL("{} = {}").format(sql.Identifier(str(control.state)), new)]
        values += [
            sql.SQL("{} = NULL").format(sql.Identifier(name))
            for name in (control.handled_at, control.handled_version)
            if name
        ]
        asked = sql.SQL("UPDATE {} SET {} WHERE {} = ANY(%s)").format(
            sql.Identifier(self.load.source.name),
            sql.SQL(", ").join(values),
            sql.Identifier(control.row_id),
        )
        cursor.execute(asked, [list(row_ids)])

    def _read(
        self, cursor: psycopg.Cursor[Any], after: int, last: int, at: datetime
    ) -> Texts | Bytes:
        asked = (
            self._marking(after, last, at)
            if self.load.take is Take.STATE
            else self._plain(after, last, at)
        )
        if not self.load.untouched:
            with cursor.copy(
                sql.SQL("COPY ({}) TO STDOUT (FORMAT text, NULL '')").format(asked)
            ) as copy:
                content = b"".join(copy)
            rows = [line.split("\t") for line in content.decode().split("\n")[:-1]]
            if b"\\" in content:
                rows = [[unescaped(value) for value in row] for row in rows]
            if self.load.take is Take.STATE:
                rows.sort(key=_row_id)  # RETURNING has no order
            return Texts(last, rows)
        with cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(asked)) as copy:
            blocks = [bytes(block) for block in copy]
        keys, ids = _first_two(blocks)
        return Bytes(last, b"".join(blocks), keys, ids)

    def _ends(self, after: int, bound: int, rows: int) -> sql.Composed:
        control = self.load.source.control
        words: dict[str, sql.Composable] = {
            "id": sql.Identifier(control.row_id),
            "table": sql.Identifier(self.load.source.name),
            "after": sql.Literal(after),
            "bound": sql.Literal(bound),
            "rows": sql.Literal(rows),
            "new": sql.SQL("TRUE"),
        }
        if self.load.take is Take.STATE:
            state = sql.Identifier(str(control.state))
            words["new"] = sql.SQL("{} = {}").format(state, sql.Literal(control.word(RowState.NEW)))
        return sql.SQL(
            "SELECT max(id) FROM (SELECT {id} AS id FROM {table}"
            " WHERE {new} AND {id} > {after} AND {id} <= {bound} ORDER BY {id} LIMIT {rows}) AS page"
        ).format(**words)

    def _plain(self, after: int, last: int, at: datetime) -> sql.Composable:
        return sql.SQL("SELECT {given} FROM {table} AS o WHERE {within} ORDER BY o.{id}").format(
            given=self._given(at),
            table=sql.Identifier(self.load.source.name),
            within=self._within(after, last),
            id=sql.Identifier(self.load.source.control.row_id),
        )

    def _marking(self, after: int, last: int, at: datetime) -> sql.Composable:
        """Of the new rows those that an earlier one of their key does not hold, and never handled."""
        control = self.load.source.control
        state, version = sql.Identifier(str(control.state)), sql.Identifier(str(control.version))
        table = sql.Identifier(self.load.source.name)
        key = sql.SQL(", ").join(map(sql.Identifier, self.load.source.key_columns))
        same = sql.SQL(" AND ").join(
            sql.SQL("t.{0} = o.{0}").format(sql.Identifier(each))
            for each in self.load.source.key_columns
        )
        mine = sql.SQL(", ").join(
            sql.SQL("o.{}").format(sql.Identifier(each)) for each in self.load.source.key_columns
        )
        values = [sql.SQL("{} = {}").format(state, sql.Literal(control.word(RowState.TAKEN)))]
        conditions = [
            sql.SQL("o.{} = {}").format(state, sql.Literal(control.word(RowState.NEW))),
            self._within(after, last),
            # A key of which a row is refused or held goes the ordinary way.
            sql.SQL("({mine}) NOT IN (SELECT {key} FROM {table} WHERE {state} IN ({words}))").format(
                mine=mine, key=key, table=table, state=state, words=_words(control, (RowState.REFUSED, RowState.HELD))
            ),
            # As a value, so that it is always looked up by key: never the whole table for a page.
            sql.SQL(
                "coalesce((SELECT max(t.{version}) FROM {table} AS t WHERE {same} AND t.{state} IN ({words})), 0)"
                " < o.{version}"
            ).format(
                version=version, table=table, same=same, state=state,
                words=_words(control, (RowState.TAKEN, RowState.DELIVERED)),
            ),
        ]  # fmt: skip
        conditions += [
            sql.SQL("o.{} IS NULL").format(sql.Identifier(name))
            for name in (control.handled_version, control.corrects)
            if name
        ]
        if control.handled_at:
            values.append(
                sql.SQL("{} = {}").format(sql.Identifier(control.handled_at), sql.Literal(at))
            )
        if control.handled_version:
            values.append(
                sql.SQL("{} = o.{}").format(sql.Identifier(control.handled_version), version)
            )
        if control.batch:
            conditions.append(self._whole_batch(str(control.batch)))
        return sql.SQL(
            "UPDATE {table} AS o SET {values} WHERE {conditions} RETURNING {given}"
        ).format(
            table=table,
            values=sql.SQL(", ").join(values),
            conditions=sql.SQL(" AND ").join(conditions),
            given=self._given(at),
        )

    def _whole_batch(self, name: str) -> sql.Composable:
        batch = sql.SQL("o.{}").format(sql.Identifier(name))
        if not self.load.source.standard:
            return sql.SQL("TRUE")
        return sql.SQL(
            "({batch} IS NULL OR {batch} = {none} OR {batch} IN (SELECT b_no FROM xch_batch"
            " WHERE b_table = {table} AND b_state = ANY({states})))"
        ).format(
            batch=batch,
            none=sql.Literal(NO_BATCH),
            table=sql.Literal(self.load.source.name),
            states=sql.Literal([BATCH_CODES[each] for each in READ_BATCHES]),
        )

    def _within(self, after: int, last: int) -> sql.Composable:
        row_id = sql.Identifier(self.load.source.control.row_id)
        return sql.SQL("o.{id} > {after} AND o.{id} <= {last}").format(
            id=row_id, after=sql.Literal(after), last=sql.Literal(last)
        )

    def _given(self, at: datetime) -> sql.Composable:
        """What is read of a row."""
        source = self.load.source
        key = sql.SQL("concat_ws('/', {})").format(
            sql.SQL(", ").join(
                sql.SQL("o.{}").format(sql.Identifier(n)) for n in source.key_columns
            )
        )
        named = [sql.SQL("o.{}").format(sql.Identifier(n)) for n in source_columns(self.load)]
        row_id, version, operation = (
            sql.SQL("o.{}").format(sql.Identifier(str(name)))
            for name in (source.control.row_id, source.control.version, source.control.operation)
        )
        if not self.load.untouched:
            return sql.SQL(", ").join([row_id, key, version, operation, *named])
        control = self.load.target.control
        made = sql.SQL("({} || {} || '/' || {})::text").format(
            sql.Literal(row_prefix(self.load)), row_id, version
        )
        ruled = {
            control.key: key,
            control.row_id: made,
            control.version: version,
            control.operation: operation,
        }
        given = [
            ruled.get(name, sql.Literal(value)) for name, value in filled(self.load, at).items()
        ]
        return sql.SQL(", ").join([*given, *named])


@dataclass(slots=True)
class PostgresTarget:
    """Where the rows go."""

    load: Load
    _staged_pages: int = 0
    _next_staged: int = 1

    def write(self, connection: Connection, content: bytes, at: datetime) -> None:
        """
        Write one page of lines (or of binary COPY), within the transaction of *connection*.

        Raises SQLAlchemy's `DBAPIError` where the database refuses it; nothing of it is there then.
        """
        if self._staged_pages == 0:
            try:
                with connection.begin_nested():
                    self._copy(connection, self.load.target.name, content, at)
            except DBAPIError as error:
                if not is_taken(error):
                    raise
                # Keys that were there: this page, and more of the next ones each time, by the stage.
                self._staged_pages, self._next_staged = self._next_staged, self._next_staged * 2
            else:
                return
        self._staged_pages -= 1
        with connection.begin_nested():
            self._merge(connection, content, at)

    def _copy(self, connection: Connection, table: str, content: bytes, at: datetime) -> None:
        names = [*filled(self.load, at), *target_content(self.load)]
        form = "binary" if self.load.untouched else "text, NULL ''"
        asked = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {})").format(
            sql.Identifier(table), _listed(names), sql.SQL(form)
        )
        with _cursor(connection) as cursor, cursor.copy(asked) as copy:
            copy.write(content)

    def _merge(self, connection: Connection, content: bytes, at: datetime) -> None:
        target, control = self.load.target, self.load.target.control
        names = [*filled(self.load, at), *target_content(self.load)]
        words = {
            "stage": sql.Identifier(STAGE),
            "table": sql.Identifier(target.name),
            "names": _listed(names),
            "id": sql.Identifier(control.row_id),
            "version": sql.Identifier(str(control.version)),
            "key": _listed(target.key_columns),
            "same": _same(target.key_columns),
            "values": sql.SQL(", ").join(
                sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in names
            ),
        }
        with _cursor(connection) as cursor:
            for each in STAGING:
                cursor.execute(sql.SQL(each).format(**words))
        self._copy(connection, STAGE, content, at)
        with _cursor(connection) as cursor:
            for each in APPENDING if target.keeps is Keeps.EVERY else MERGING:
                cursor.execute(sql.SQL(each).format(**words))


STAGING = (
    """CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS
    AS SELECT {names} FROM {table} WITH NO DATA""",
    "TRUNCATE {stage}",
    # By its indexes, whatever the planner thinks of a stage that it knows nothing of.
    "SET LOCAL enable_hashjoin = off",
    "SET LOCAL enable_mergejoin = off",
)
APPENDING = (
    """INSERT INTO {table} ({names}) SELECT {names} FROM {stage} AS s
    WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE t.{id} = s.{id})""",
)
# Of several rows of a key the newest; an older one than there is changes nothing.
MERGING = (
    """UPDATE {table} AS t SET {values}
    FROM (SELECT DISTINCT ON ({key}) * FROM {stage} ORDER BY {key}, {version} DESC) AS s
    WHERE {same} AND t.{version} < s.{version}""",
    """INSERT INTO {table} ({names}) SELECT {names}
    FROM (SELECT DISTINCT ON ({key}) * FROM {stage} ORDER BY {key}, {version} DESC) AS s
    WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same})""",
)


def _same(names: Sequence[str]) -> sql.Composable:
    return sql.SQL(" AND ").join(
        sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in names
    )


def _listed(names: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _words(control: Control, states: Sequence[RowState]) -> sql.Composable:
    """The table's words for *states*, those that it has."""
    known = [control.word(each) for each in states if each in control.states]
    return sql.SQL(", ").join(map(sql.Literal, known))


def _row_id(row: list[str]) -> int:
    return int(row[0])


def _one(cursor: psycopg.Cursor[Any], asked: sql.SQL | sql.Composed) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = cursor.execute(asked).fetchone()
    if found is None:
        raise Transient("target.unclear", "No answer to a question that has one")
    return found


def _first_two(blocks: Sequence[bytes]) -> tuple[list[str], list[str]]:
    """The first two columns of a binary COPY, which are texts; PostgreSQL sends a row at a time."""
    keys, ids = [], []
    for block in blocks:
        start = _HEADER_LENGTH if block.startswith(_HEADER) else 0
        if len(block) - start > ROW_HEAD:
            end = start + 6 + int.from_bytes(block[start + 2 : start + 6])
            keys.append(block[start + 6 : end].decode())
            ids.append(block[end + 4 : end + 4 + int.from_bytes(block[end : end + 4])].decode())
    return keys, ids


ROW_HEAD = 6  # number of columns, length of the first


@contextmanager
def _driver(engine: Engine) -> Iterator[tuple[Any, psycopg.Cursor[Any]]]:
    """A connection of psycopg's own, from the pool; what is not committed is rolled back."""
    with _raised(), engine.connect() as plain:
        connection: Any = plain.connection.driver_connection
        with connection.cursor() as cursor:
            try:
                yield connection, cursor
            finally:
                connection.rollback()


@contextmanager
def _cursor(connection: Connection) -> Iterator[psycopg.Cursor[Any]]:
    """A cursor of psycopg's own, in the same transaction."""
    driver: Any = connection.connection.driver_connection
    with _raised(), driver.cursor() as cursor:
        yield cursor


@contextmanager
def _raised() -> Iterator[None]:
    """What the driver raises, as SQLAlchemy would: `front_db.troubles` knows that."""
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError("", None, error) from error
