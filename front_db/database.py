"""One partner's database: connections in a bounded pool of threads, and an end to every wait.

Speaks to  SQLite, PostgreSQL and what speaks its protocol, MariaDB and MySQL (PyMySQL), Oracle, SQL
           Server (pymssql); other dialects without the session's own limits, by the whole call's
           time-out alone
Units      seconds
Promises   `Database.write` and `read` end within ``call_s`` or when it is cancelled, whatever the other side
           does: what still waits then has its socket closed, and its thread comes back
Careful    half of the drivers block, so all run in threads; a call that was given up may still have
           been committed, and is repeated by its key
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from front_db.contract import ExchangeTable
from front_db.dialects import family_of
from front_db.troubles import translated
from schemas.errors import Transient

__all__ = ["Database", "Limits", "Line", "make_engine"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long to wait for what, and how many connections at most."""

    connect_s: float = 5.0
    lock_s: float = 3.0
    call_s: float = 10.0
    connections: int = 4


@dataclass(slots=True)
class _Job:
    """What a thread is at; `end` unblocks it from outside."""

    writes: bool
    driver: Any = None
    given_up: bool = False

    def end(self) -> None:
        self.given_up = True
        if self.driver is not None:
            _close_socket(self.driver)


@dataclass(slots=True)
class Database:
    """Open it with `open`, end it with `close`; it may be opened again."""

    url: str
    limits: Limits = field(default_factory=Limits)
    _engine: Engine | None = None
    _threads: ThreadPoolExecutor | None = None

    def __repr__(self) -> str:
        return "Database(…)"  # the address holds a password

    def open(self) -> None:
        """Make ready; nothing is connected yet. Raises `Misconfigured` on a bad address."""
        with translated():
            self._engine = make_engine(self.url, self.limits)
        self._threads = ThreadPoolExecutor(self.limits.connections, "front-db")

    def close(self) -> None:
        """Give all connections back; what still runs ends by itself."""
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._engine:
            self._engine.dispose()
        self._threads = self._engine = None

    async def write(self, work: Callable[[Connection], T], table: ExchangeTable | None = None) -> T:
        """
        Do *work* in one transaction and commit it. *table*: named when the database refuses.

        Raises one of the three kinds: `Transient` (``target.down target.locked target.timeout …``),
        `Rejected` (``target.refused`` with the column), `Misconfigured` (``target.denied …``).
        """
        return await self._run(work, table, writes=True)

    async def read(self, work: Callable[[Connection], T], table: ExchangeTable | None = None) -> T:
        """As `write`, without the lock that SQLite gives to one writer at a time."""
        return await self._run(work, table, writes=False)

    @contextmanager
    def line(self) -> Iterator[Line]:
        """Connections beside the pool, for what is no SQL: they end with the block, whatever waits for them."""
        if self._engine is None:
            raise Transient("target.down", "The database is not open")
        line = Line(self, self._engine)
        try:
            yield line
        finally:
            line.end()

    async def _run(
        self, work: Callable[[Connection], T], table: ExchangeTable | None, *, writes: bool
    ) -> T:
        if self._engine is None:
            raise Transient("target.down", "The database is not open")
        job, engine = _Job(writes=writes), self._engine
        return await self.in_thread(lambda: _transaction(engine, work, job, table), job.end)

    async def in_thread(self, work: Callable[[], T], end: Callable[[], None]) -> T:
        """Do *work* in one of our threads, within ``call_s``; *end* breaks it off."""
        if self._threads is None:
            raise Transient("target.down", "The database is not open")
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            async with asyncio.timeout(self.limits.call_s):
                return await asyncio.shield(running)
        except TimeoutError as error:
            raise Transient("target.timeout", "The database did not answer in time") from error
        finally:
            if not running.done():
                end()
                running.add_done_callback(_looked_at)


@dataclass(slots=True)
class Line:
    """Made by `Database.line`."""

    database: Database
    engine: Engine
    _drivers: list[Any] = field(default_factory=list)
    _ended: bool = False

    def connect(self) -> Any:
        """A driver's connection; in a thread, in what `run` is given."""
        if self._ended:
            raise Transient("target.timeout", "Given up before it began")
        dialect = self.engine.dialect
        positional, named = dialect.create_connect_args(self.engine.url)
        limits = _arguments(family_of(dialect.name), self.database.limits)
        driver = dialect.connect(*positional, **{**named, **limits})
        self._drivers.append(driver)
        if self._ended:
            self.end()
        return driver

    async def run(self, work: Callable[[], T], table: ExchangeTable | None = None) -> T:
        """Do *work*, one at a time, as `Database.read`: where it is given up the line ends."""

        def translating() -> T:
            with translated(table):
                try:
                    return work()
                except self.engine.dialect.loaded_dbapi.Error as error:
                    # In the form in which SQLAlchemy would tell it.
                    raise DBAPIError("", None, error) from error

        return await self.database.in_thread(translating, self.end)

    def end(self) -> None:
        """Break off what waits; there are no words of farewell, which could wait as well."""
        self._ended = True
        while self._drivers:
            driver = self._drivers.pop()
            _close_socket(driver)
            with suppress(self.engine.dialect.loaded_dbapi.Error):  # it is closed already
                driver.close()


def _transaction(
    engine: Engine, work: Callable[[Connection], T], job: _Job, table: ExchangeTable | None
) -> T:
    with translated(table):
        if job.given_up:
            raise Transient("target.timeout", "Given up before it began")
        with engine.connect() as plain:
            connection = plain.execution_options(shuniu_write=job.writes)
            job.driver = connection.connection.driver_connection
            try:
                if job.given_up:
                    raise Transient("target.timeout", "Given up while connecting")
                with connection.begin():
                    return work(connection)
            finally:
                job.driver = None
                if job.given_up:
                    # Its line is cut, or soon: nobody shall be given it from the pool.
                    plain.invalidate()


def _looked_at(running: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more; without this asyncio would complain of an unseen error."""
    if not running.cancelled():
        running.exception()


def _close_socket(driver: Any) -> None:
    """Break the line of a blocked driver: psycopg has no time-out of its own for a read."""
    try:
        if hasattr(driver, "fileno"):  # psycopg
            with socket.socket(fileno=os.dup(driver.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        elif raw := getattr(driver, "_sock", None):  # PyMySQL
            raw.shutdown(socket.SHUT_RDWR)
        elif hasattr(driver, "interrupt"):  # sqlite3
            driver.interrupt()
    except Exception:  # noqa: BLE001 - it ended meanwhile, each driver says so in its own way
        return


def make_engine(url: str, limits: Limits) -> Engine:
    """SQLAlchemy's engine with the limits set in every session."""
    parts = make_url(url)
    backend = family_of(parts.get_backend_name())
    arguments = _arguments(backend, limits)
    options: dict[str, Any] = {
        "pool_size": limits.connections,
        "max_overflow": 0,
        "pool_timeout": limits.call_s,
        "pool_pre_ping": True,
    }
    match backend:
        case "sqlite":
            # Opened for each call: a file that its owner puts another in the place of is seen.
            options = {"poolclass": NullPool}
        case "mysql" | "mariadb":
            # What another transaction committed shows at once, and no gaps are locked.
            options["isolation_level"] = "READ COMMITTED"
        case _:
            pass
    engine = create_engine(parts, connect_args=arguments, hide_parameters=True, **options)
    _set_sessions(engine, backend, limits)
    return engine


def _arguments(backend: str, limits: Limits) -> dict[str, Any]:
    """Limits that the driver keeps."""
    match backend:
        case "sqlite":
            return {
                "timeout": limits.lock_s,
                "check_same_thread": False,
                "isolation_level": None,
            }
        case "postgresql":
            # libpq takes 1 for 2, and psycopg waits for the whole of it.
            return {"connect_timeout": max(2, round(limits.connect_s))}
        case "mysql" | "mariadb":
            return {
                "connect_timeout": max(1, round(limits.connect_s)),
                "read_timeout": limits.call_s,
                "write_timeout": limits.call_s,
            }
        case "oracle":
            return {"tcp_connect_timeout": limits.connect_s}
        case "mssql":
            return {
                "login_timeout": max(1, round(limits.connect_s)),
                "timeout": max(1, round(limits.call_s)),
            }
        case _:
            return {}


def _set_sessions(engine: Engine, backend: str, limits: Limits) -> None:
    """Limits that the server keeps, so that nothing of ours holds a lock there for long."""
    lock_ms, call_ms = round(limits.lock_s * 1000), round(limits.call_s * 1000)
    strict = (
        # Without it MariaDB cuts what is too long and says nothing.
        ("SET SESSION sql_mode = CONCAT(@@sql_mode, %s)", (",STRICT_ALL_TABLES",)),
        ("SET SESSION innodb_lock_wait_timeout = %s", (max(1, round(limits.lock_s)),)),
        ("SET SESSION lock_wait_timeout = %s", (max(1, round(limits.lock_s)),)),
    )
    timed = (
        ("SELECT set_config('lock_timeout', %s, false)", (str(lock_ms),)),
        ("SELECT set_config('statement_timeout', %s, false)", (str(call_ms),)),
    )
    # SQLite looks at references only where it is told to.
    whole = (("PRAGMA foreign_keys = ON", ()),)
    locked = ((f"SET LOCK_TIMEOUT {lock_ms}", ()),)
    known: dict[str, tuple[tuple[str, tuple[object, ...]], ...]] = {
        "postgresql": timed,
        "mysql": strict,
        "mariadb": strict,
        "sqlite": whole,
        "mssql": locked,
    }
    statements = known.get(backend, ())

    @event.listens_for(engine, "connect")
    def _session(driver: Any, _: object) -> None:
        cursor = driver.cursor()
        if backend == "oracle":
            driver.call_timeout = call_ms
        for text, values in statements:
            cursor.execute(text, values) if values else cursor.execute(text)
        cursor.close()
        if statements:
            driver.commit()

    if backend == "sqlite":

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # The write lock at once: one that is asked for later cannot be waited for.
            writes = connection.get_execution_options().get("shuniu_write")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
