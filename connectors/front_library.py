"""Systems that exchange by tables in a database (前置库): rows written for them, rows read of theirs.

Speaks to   工程建设项目审批监督平台, 省办件库 (see sites/reference/systems)
Form        a delivery's ``call`` is a table, its payload a row; the answer's number is the row's id
Units       time in seconds; lengths in characters; times in rows are Beijing time
Promises    a repeat of a delivery writes nothing; a row read is marked only at the version we saw
Careful     a partner may commit late, change a row while we read it, or hold a lock: see `front_db`
Not here    retry, order, rate limits, tracing: the engine puts them around every connector
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone
from typing import Annotated, ClassVar, Self
from uuid import NAMESPACE_URL, uuid5

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from sqlalchemy import Connection, MetaData, Table

from front_db.check import prove
from front_db.contract import ControlValue, ExchangeTable, Name
from front_db.database import Database, Limits
from front_db.ddl import sql_table
from front_db.group import GroupedWrites
from front_db.read import Place, Read, Seen, mark_refused, mark_taken, read_new, readable
from front_db.rows import control_of, row_of
from front_db.write import row_id_of
from hub.port import Cursor, Traits
from schemas.errors import Fault, Misconfigured, Transient
from schemas.message import Answer, Delivery, Record, SystemCode
from schemas.texts import both

__all__ = ["FrontLibrary", "ReadTable", "Settings"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
CHECK_S = 5.0
KEY_LENGTH = 160  # of the hub's record of what it has taken
log = structlog.get_logger("connectors.front_library")


class ReadTable(BaseModel):
    """A table that we read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Annotated[Name, Field(description="One of the tables.")]
    kind: Annotated[str, Field(min_length=1, max_length=64, description="Kind of its records.")]
    key: Annotated[
        tuple[Name, ...],
        Field(
            description="Columns that make two rows the same record, the version among them; "
            "none: row id and version. A partner that repeats itself in new rows needs them."
        ),
    ] = ()


class Settings(BaseModel):
    """A profile. The descriptions below *are* the manual: ``shuniu kit`` prints them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[
        SecretStr,
        Field(description="Database, as SQLAlchemy writes it: postgresql+psycopg://… (secret)."),
    ]
    tables: Annotated[
        tuple[ExchangeTable, ...], Field(min_length=1, description="All agreed exchange tables.")
    ]
    reads: Annotated[
        tuple[ReadTable, ...], Field(description="Tables that the partner fills for us.")
    ] = ()
    connect_s: Annotated[float, Field(gt=0, le=30, description="Longest wait to connect, s.")] = 5.0
    lock_s: Annotated[float, Field(gt=0, le=30, description="Longest wait for a lock, s.")] = 3.0
    call_s: Annotated[float, Field(gt=0, le=60, description="Longest whole call, s.")] = 10.0
    connection_count: Annotated[int, Field(ge=1, le=32, description="At most so many at once.")] = 4
    batch_rows: Annotated[int, Field(ge=1, le=1000, description="Rows in one transaction.")] = 100
    page_rows: Annotated[int, Field(ge=1, le=5000, description="Rows read at once.")] = 200

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [table.name for table in self.tables]
        if len(set(names)) != len(names):
            raise ValueError("a table is described twice")
        if unknown := {each.table for each in self.reads} - set(names):
            raise ValueError(f"reads: no such table: {', '.join(sorted(unknown))}")
        if len({each.kind for each in self.reads}) != len(self.reads):
            raise ValueError("reads: a kind stands twice")
        return self


class FrontLibrary:
    """One such database. *clock* tells Beijing time, for the stamp of a row."""

    settings_model: ClassVar[type[BaseModel]] = Settings
    traits = Traits(idempotent=True, says_why=True)

    def __init__(
        self,
        system: SystemCode,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(BEIJING),
    ) -> None:
        self._system, self._settings, self._clock = system, settings, clock
        self._described = {table.name: table for table in settings.tables}
        self._reads = {each.kind: each for each in settings.reads}
        self._written = set(self._described) - {each.table for each in settings.reads}
        metadata = MetaData()
        self._tables = {name: sql_table(each, metadata) for name, each in self._described.items()}
        limits = Limits(
            connect_s=settings.connect_s,
            lock_s=settings.lock_s,
            call_s=settings.call_s,
            connections=settings.connection_count,
        )
        self._database = Database(settings.url.get_secret_value(), limits)
        self._writes: dict[str, GroupedWrites] = {}

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do with these settings, in the port's words: it reads and writes tables."""
        can = {"records": bool(self._reads), "deliver": bool(self._written)}
        return frozenset(word for word, able in can.items() if able)

    async def __aenter__(self) -> Self:
        for each in self._settings.reads:
            readable(self._described[each.table])
        self._database.open()
        self._writes = {
            name: GroupedWrites(self._database, each, self._tables[name], self._settings.batch_rows)
            for name, each in self._described.items()
            if name in self._written
        }
        return self

    async def __aexit__(self, *exc: object) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._database.close)
            for writes in self._writes.values():
                stack.push_async_callback(writes.close)
        self._writes = {}

    async def check(self) -> None:
        """Every agreed table is there, with its columns, and grants what we need of it."""
        try:
            async with asyncio.timeout(CHECK_S):
                for name, described in self._described.items():
                    await self._database.write(
                        _proof(described, self._tables[name], written=name in self._written),
                        described,
                    )
        except TimeoutError as error:
            raise Transient("target.timeout", "The database did not answer in time") from error

    async def deliver(self, delivery: Delivery, /) -> Answer:
        """Write the payload as a row of the table ``delivery.call``."""
        if delivery.call not in self._written:
            raise Misconfigured(
                "target.unknown-table",
                "The profile has no such table to write",
                table=delivery.call,
                system=self._system,
            )
        writes = self._writes.get(delivery.call)
        if writes is None:
            raise Transient("target.down", "The connector is closed", table=delivery.call)
        described = writes.described
        value = ControlValue(
            row_id=row_id_of(delivery.message.id, delivery.key, described.control),
            batch=delivery.route,
            operation=delivery.message.operation,
            version=delivery.message.sequence,
        )
        content = row_of(delivery.payload, described)
        at = self._clock().astimezone(BEIJING).replace(tzinfo=None)
        written = await writes.write(content | control_of(value, described.control, at))
        facts = {"stale": True} if written.stale else {}
        return Answer(written.row_id, repeated=written.repeated, facts=facts)

    async def records(self, _after: Cursor | None, /) -> AsyncIterator[Record]:
        """Rows in the state "new", table by table. No cursor is needed: the rows know."""
        for each in self._settings.reads:
            described, table = self._described[each.table], self._tables[each.table]
            place: Place | None = None
            while True:
                page = await self._page(described, table, place)
                for row in page:
                    if row.fault:
                        await self._refuse(described, table, row)
                    else:
                        yield Record(kind=each.kind, key=_key(row, each), body=row.content)
                if len(page) < self._settings.page_rows:
                    break
                place = page[-1].place

    async def taken(self, records: Sequence[Record], /) -> None:
        """Mark the rows of *records*, except those that have changed since."""
        for kind, each in self._reads.items():
            described, table = self._described[each.table], self._tables[each.table]
            if rows := _seen((r for r in records if r.kind == kind), described):
                await self._database.write(_marking(described, table, rows), described)

    async def _page(
        self, described: ExchangeTable, table: Table, place: Place | None
    ) -> list[Read]:
        limit = self._settings.page_rows
        return await self._database.read(
            lambda connection: read_new(connection, described, table, after=place, limit=limit),
            described,
        )

    async def _refuse(self, described: ExchangeTable, table: Table, row: Read) -> None:
        log.warning("row.refused", system=self._system, table=described.name, column=row.fault)
        # In both languages: it is read in the partner's own database tool.
        said = both(Fault("row.unreadable", f"/{row.fault}", {"column": row.fault}))
        await self._database.write(
            lambda connection: mark_refused(connection, described, table, row.seen, said), described
        )


def _proof(
    described: ExchangeTable, table: Table, *, written: bool
) -> Callable[[Connection], None]:
    return lambda connection: prove(connection, described, table, written=written)


def _marking(
    described: ExchangeTable, table: Table, rows: Sequence[Seen]
) -> Callable[[Connection], None]:
    return lambda connection: mark_taken(connection, described, table, rows)


def _key(row: Read, each: ReadTable) -> str:
    parts = [str(row.content.get(name, "")) for name in each.key]
    key = "/".join(parts or [row.seen.row_id, str(row.seen.version)])
    return key if len(key) <= KEY_LENGTH else str(uuid5(NAMESPACE_URL, key))


def _seen(records: Iterable[Record], described: ExchangeTable) -> list[Seen]:
    row_id, version = described.control.row_id, str(described.control.version)
    return [
        Seen(str(record.body[row_id]), int(found))
        for record in records
        if isinstance(found := record.body.get(version), int | str)
    ]
