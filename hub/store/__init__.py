"""The hub's records: SQLite (embedded) or PostgreSQL, through SQLAlchemy Core in bounded threads.

Promises   `Store.write` runs in one durable transaction; it is repeated by nobody but the caller.
           `Store.write_each` may run every statement in a durable transaction of its own
Careful    SQLite knows one writer: writes queue in one thread here, and take the lock at once
           (BEGIN IMMEDIATE), so that two processes wait for each other instead of failing
Units      time-outs in seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from schemas.errors import Misconfigured, Transient

__all__ = ["Store", "away", "insert_once", "translated"]

T = TypeVar("T")
BUSY_S = 30.0
THREADS = 8
# SQLSTATE disk_full of PostgreSQL, SQLITE_FULL in SQLite's words.
DISK_FULL, SQLITE_FULL = "53100", "disk is full"


class Store:
    """One database. *url* as SQLAlchemy writes it: ``sqlite:///…`` or ``postgresql+psycopg://…``."""

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url)
        except ArgumentError as error:
            raise Misconfigured("store.url", "Not a database address") from error
        if self._url.get_backend_name() not in ("sqlite", "postgresql"):
            raise Misconfigured(
                "store.url",
                "Records live in SQLite or PostgreSQL",
                found=self._url.drivername,
            )
        self.engine = _engine(url, embedded=self.is_sqlite)
        self._committing = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writers = ThreadPoolExecutor(1 if self.is_sqlite else THREADS, "store-write")
        self._readers = ThreadPoolExecutor(THREADS, "store-read")

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction and commit. `Transient` when the database is away."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writers, self.write_now, work)

    async def write_each(self, work: Callable[[Connection], T]) -> T:
        """`write` for *work* whose statements stand for themselves: to begin and to commit is half of
        what a single statement costs."""
        now = self.write_now if self.is_sqlite else self._write_each_now
        return await asyncio.get_running_loop().run_in_executor(self._writers, now, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self.read_now, work)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """`write` for a thread that may block: the command line."""
        with translated(), self.engine.connect() as plain:
            connection = plain.execution_options(shuniu_write=True)
            with connection.begin():
                return work(connection)

    def _write_each_now(self, work: Callable[[Connection], T]) -> T:
        with translated(), self._committing.connect() as connection:
            return work(connection)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        with translated(), self.engine.connect() as connection:
            return work(connection)

    def close(self) -> None:
        self._writers.shutdown()
        self._readers.shutdown()
        self.engine.dispose()


def insert_once(connection: Connection, table: Any) -> Any:
    """An insert which leaves rows that are there already as they are."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def _engine(url: str, *, embedded: bool) -> Engine:
    if not embedded:
        return create_engine(url, pool_size=2 * THREADS, pool_timeout=BUSY_S, pool_pre_ping=True)
    engine = create_engine(
        url,
        connect_args={
            "timeout": BUSY_S,
            "check_same_thread": False,
            "isolation_level": None,
        },
        pool_size=2 * THREADS,
        pool_timeout=BUSY_S,
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: object) -> None:
        # FULL: a commit that returned is on disk, also after a power loss.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("shuniu_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def away(error: BaseException | None, said: str) -> Transient:
    """What the driver's *error* means to those who wait: ``store.full`` where a person must make
    room, else ``store.down``."""
    if getattr(error, "sqlstate", None) == DISK_FULL or SQLITE_FULL in str(error):
        return Transient("store.full", "The disk of the database is full")
    return Transient("store.down", said)


@contextmanager
def translated() -> Iterator[None]:
    """What the database says, in our kinds of error."""
    try:
        yield
    except PoolTimeout as error:
        raise Transient("store.busy", "No database connection is free") from error
    except OperationalError as error:
        if "no such table" in str(error.orig):
            raise Misconfigured("store.schema", "The database lacks the hub's tables") from error
        raise away(error.orig, "The database does not answer") from error
    except ProgrammingError as error:
        raise Misconfigured("store.schema", "The database's tables are not the hub's") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Transient("store.down", "The database connection broke") from error
        raise
