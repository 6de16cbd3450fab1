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
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import ClassVar, Self
from uuid import NAMESPACE_URL, uuid5

import structlog
from pydantic import BaseModel
from sqlalchemy import MetaData, Table

from front_db.beside import beside
from front_db.books import Book, Keeping
from front_db.capture import Captured, DirtyLimits, Outgoing
from front_db.check import prove
from front_db.contract import ControlValue, ExchangeTable
from front_db.database import Database, Limits
from front_db.ddl import sql_table
from front_db.drift import Watch
from front_db.feedback import Result, mark_told, results
from front_db.group import GroupedWrites
from front_db.lease import Leased
from front_db.origin import Origin
from front_db.pace import PageSize
from front_db.parents import parents_first, references
from front_db.poll import StandardPoll
from front_db.profile import ReadTable, Settings
from front_db.read import Place, Read, Seen, mark_refused, mark_taken, read_new, readable
from front_db.readers import ChangePoll, by_state, marks, reader_of
from front_db.refusals import LateRefusals
from front_db.rows import control_of, row_of
from front_db.windows import Rate, is_open
from front_db.write import row_id_of
from hub.port import Cursor, Traits
from schemas.errors import Fault, Misconfigured, Transient
from schemas.message import Answer, Body, Delivery, Json, Operation, Record, SystemCode
from schemas.texts import both

__all__ = ["FrontLibrary", "ReadTable", "Settings"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
CHECK_S = 5.0
KEY_LENGTH = 160  # of the hub's record of what it has taken
log = structlog.get_logger("connectors.front_library")


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
        self._results = {each.kind: each.table for each in settings.results}
        self._told: dict[str, Result] = {}
        self._polls = {
            kind: self._standard_poll(each, metadata)
            for kind, each in self._reads.items()
            if self._described[each.table].standard and by_state(each.capture)
        }
        self._records: Leased | None = None
        # Changes handed on of tables without states, and not safe yet; and whether a poll is under way.
        self._unsafe, self._reading = 0, False
        self._watch: Watch | None = None
        self._changes: dict[str, ChangePoll] = {}
        self._late: dict[str, LateRefusals] = {}
        self._refers: dict[tuple[str, ...], Mapping[str, set[str]]] = {}
        self._rates = {kind: Rate(each.rows_per_minute) for kind, each in self._reads.items()}
        self._sizes = {kind: PageSize(self._most(each)) for kind, each in self._reads.items()}

    def keep_in(self, records: Keeping, /) -> None:
        """What is known of tables that have no states of ours is kept there."""
        self._records = Leased(records, self._system, self._clock)
        self._watch = Watch(records, self._system, self._clock)
        # A record with a key of its own does not tell which row it was.
        self._late = {
            kind: LateRefusals(records, self._database, poll.outgoing, self._system, kind)
            for kind, poll in self._polls.items()
            if not self._reads[kind].key
        }

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do with these settings, in the port's words: it reads and writes tables."""
        can = {"records": bool(self._reads or self._results), "deliver": bool(self._written)}
        return frozenset(word for word, able in can.items() if able)

    async def __aenter__(self) -> Self:
        for each in self._settings.reads:
            if marks(each.capture):
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
            if self._changes and self._records:
                stack.push_async_callback(self._records.give_back)
            for poll in self._changes.values():
                stack.push_async_callback(poll.close)
            for writes in self._writes.values():
                stack.push_async_callback(writes.close)
        self._writes, self._changes = {}, {}

    async def check(self) -> None:
        """Every agreed table is there, with its columns, and grants what we need of it."""
        try:
            async with asyncio.timeout(CHECK_S):
                marked = {each.table for each in self._settings.reads if marks(each.capture)}
                for name, described in self._described.items():
                    proof = partial(
                        prove,
                        described=described,
                        table=self._tables[name],
                        written=name in self._written,
                        marked=name in marked,
                    )
                    await self._database.write(proof, described)
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
        await self._looked_at(described)
        value = ControlValue(
            row_id=row_id_of(delivery.message.id, delivery.key, described.control),
            batch=delivery.route,
            operation=delivery.message.operation,
            version=delivery.message.sequence,
            key=delivery.message.subject,
        )
        deleted = delivery.message.operation is Operation.DELETED
        content = row_of(delivery.payload, described, deleted=deleted)
        row = content | control_of(value, described.control, self._now())
        try:
            written = await writes.write(row)
        except Transient as error:
            if error.code != "target.parent":
                raise
            # What it refers to may be waiting beside it; else it is tried again later.
            for name in (await self._references(sorted(self._written))).get(described.name, ()):
                if beside_it := self._writes.get(name):
                    await beside_it.rest()
            written = await writes.write(row)
        facts = {"stale": True} if written.stale else {}
        return Answer(written.row_id, repeated=written.repeated, facts=facts)

    async def records(self, _after: Cursor | None, /) -> AsyncIterator[Record]:
        """
        Rows in the state "new", table by table. No cursor is needed: the rows know.

        A table that is stopped or too dirty does not keep the others from being read; the first such
        error is raised at the end.
        """
        stopped: Misconfigured | None = None
        self._unsafe, self._reading = 0, True
        for each in await self._in_order():
            try:
                async with aclosing(self._in_its_time(each)) as records:
                    async for record in records:
                        yield record
            except Misconfigured as error:
                stopped = stopped or error
        self._reading = False
        await self._let_others_read()
        self._told.clear()
        for kind, name in self._results.items():
            async for result in self._ends(name):
                key = f"{result.row_id}/{result.state}/{result.at or ''}"
                self._told[key] = result
                yield Record(kind=kind, key=key, body=_body(result, name))
        if stopped:
            raise stopped

    async def taken(self, records: Sequence[Record], /) -> None:
        """Mark the rows of *records*, except those that have changed since."""
        for kind, each in self._reads.items():
            described, table = self._described[each.table], self._tables[each.table]
            if changes := self._changes.get(kind):
                keys = [r.key for r in records if r.kind == kind]
                await changes.acknowledge(keys)
                self._unsafe -= len(keys)
            elif poll := self._polls.get(kind):
                of_it = (record for record in records if record.kind == kind)
                await poll.acknowledge(_seen(of_it, described))
            elif rows := _seen((r for r in records if r.kind == kind), described):
                await self._database.write(
                    partial(mark_taken, described=described, table=table, rows=rows), described
                )
        for kind, name in self._results.items():
            described, table = self._described[name], self._tables[name]
            keys = [record.key for record in records if record.kind == kind]
            if ends := [found for key in keys if (found := self._told.pop(key, None))]:
                await self._database.write(
                    partial(mark_told, described=described, table=table, seen=ends), described
                )
        await self._let_others_read()

    async def _let_others_read(self) -> None:
        """The poll is at its end, and all that it gave is safe."""
        if self._changes and self._records and not self._reading and self._unsafe <= 0:
            await self._records.give_back()

    async def _in_order(self) -> Sequence[ReadTable]:
        """What is read: tables that others refer to before those others."""
        reads = self._settings.reads
        if len(reads) < 2:
            return reads
        names = [each.table for each in reads]
        order = parents_first(names, await self._references(names))
        return sorted(reads, key=lambda each: order.index(each.table))

    async def _references(self, names: Sequence[str]) -> Mapping[str, set[str]]:
        """Which of the tables refer to which; looked up once."""
        key = tuple(names)
        if key not in self._refers:
            self._refers[key] = await self._database.read(
                lambda connection: references(connection, names)
            )
        return self._refers[key]

    async def _ends(self, name: str) -> AsyncIterator[Result]:
        """What the readers of a table that we write have come to an end with."""
        described, table = self._described[name], self._tables[name]
        limit = self._settings.page_rows
        found = await self._database.read(
            lambda connection: results(connection, described, table, limit), described
        )
        for result in found:
            yield result

    def _most(self, each: ReadTable) -> int:
        """Rows of a page at most: none that its rate would leave lying."""
        return min(self._settings.page_rows, each.rows_per_minute or self._settings.page_rows)

    def _standard_poll(self, each: ReadTable, metadata: MetaData) -> StandardPoll:
        name = each.table
        limits = DirtyLimits(
            value_rows=self._settings.refused_value_rows,
            key_rows=self._settings.refused_key_rows,
            form_rows=self._settings.refused_form_rows,
            value_share=self._settings.refused_value_share,
            key_share=self._settings.refused_key_share,
            form_share=self._settings.refused_form_share,
        )
        outgoing = Outgoing(self._described[name], self._tables[name], beside(metadata), limits)
        return StandardPoll(self._database, outgoing, self._now, PageSize(self._most(each)))

    def _now(self) -> datetime:
        return self._clock().astimezone(BEIJING).replace(tzinfo=None)

    async def _looked_at(self, described: ExchangeTable) -> None:
        """Raises `Misconfigured` while the table has lost something of what was agreed."""
        if self._watch is not None:
            await self._watch.look(self._database, described)

    async def _in_its_time(self, each: ReadTable) -> AsyncGenerator[Record]:
        """Its records, within its hours and its rate; what is left is read at a later poll."""
        rate = self._rates[each.kind]
        if not is_open(each.hours, self._clock()):
            if not by_state(each.capture):
                await self._changed(each).stand_still()
            return
        if rate.left(self._clock()) < 1:
            return
        async with aclosing(self._records_of(each)) as records:
            async for record in records:
                at = self._clock()
                over = rate.left(at) < 1 or not is_open(each.hours, at)
                if over and self._may_stop(each):
                    return  # this one comes again
                rate.used(1)
                yield record

    def _may_stop(self, each: ReadTable) -> bool:
        """Whether reading may end before the record that came last: not within a transaction of a log."""
        if by_state(each.capture):
            return True
        if not self._changed(each).may_stop():
            return False
        self._unsafe -= 1
        return True

    async def _records_of(self, each: ReadTable) -> AsyncGenerator[Record]:
        kind = each.kind
        try:
            await self._looked_at(self._described[each.table])
        except Misconfigured:
            if not by_state(each.capture):
                await self._changed(each).stand_still()
            raise
        if not by_state(each.capture):
            async for change in self._changed(each).changes():
                self._unsafe += 1
                yield Record(kind=kind, key=change.id, body=change.body)
            return
        if late := self._late.get(kind):
            await late.tell(self._now(), self._clock())
        async for row in self._captured(each) if kind in self._polls else self._own(each):
            yield Record(kind=kind, key=_key(row, each), body=row.content)

    def _changed(self, each: ReadTable) -> ChangePoll:
        """The poll of a table without states of ours."""
        if each.kind in self._changes:
            return self._changes[each.kind]
        if self._records is None:
            raise Misconfigured("front-db.no-records", "Nothing to keep in", system=self._system)
        book = Book(self._records, self._system, each.table, each.capture.mode, self._clock)
        origin = Origin(
            database=self._database,
            described=self._described[each.table],
            table=self._tables[each.table],
            book=book,
            page_rows=self._settings.page_rows,
            now=self._clock,
            pace=PageSize(self._most(each)),
        )
        made = self._changes[each.kind] = ChangePoll(reader_of(origin, each.capture))
        return made

    async def _captured(self, each: ReadTable) -> AsyncIterator[Captured]:
        """Of a standard table: bad rows are answered where they stand."""
        async for row in self._polls[each.kind].rows():
            yield row

    async def _own(self, each: ReadTable) -> AsyncIterator[Read]:
        """Of a table in the partner's own form."""
        described, table, size = (
            self._described[each.table],
            self._tables[each.table],
            self._sizes[each.kind],
        )
        place: Place | None = None
        while True:
            limit = size.rows
            page = await self._page(described, table, place, size)
            for row in page:
                if row.fault:
                    await self._refuse(described, table, row)
                else:
                    yield row
            if len(page) < limit:
                break
            place = page[-1].place

    async def _page(
        self, described: ExchangeTable, table: Table, place: Place | None, size: PageSize
    ) -> list[Read]:
        limit, loop = size.rows, asyncio.get_running_loop()
        started = loop.time()
        try:
            page = await self._database.read(
                lambda connection: read_new(connection, described, table, after=place, limit=limit),
                described,
            )
        except Transient:
            size.failed()
            raise
        size.took(loop.time() - started, len(page))
        return page

    async def _refuse(self, described: ExchangeTable, table: Table, row: Read) -> None:
        log.warning("row.refused", system=self._system, table=described.name, column=row.fault)
        # In both languages: it is read in the partner's own database tool.
        said = both(Fault("row.unreadable", f"/{row.fault}", {"column": row.fault}))
        await self._database.write(
            lambda connection: mark_refused(connection, described, table, row.seen, said), described
        )


def _body(result: Result, table: str) -> Body:
    """Of a record that tells what became of a row of ours; what is empty is left out."""
    told: dict[str, Json] = {
        "table": table,
        "row_id": result.row_id,
        "key": result.key,
        "version": result.version,
        "state": str(result.state),
        "code": result.code,
        "reason": result.reason,
        "at": result.at.isoformat() if result.at else "",
    }
    return {name: value for name, value in told.items() if value != ""}


def _key(row: Read | Captured, each: ReadTable) -> str:
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
