"""A sender's table without states of ours against what is known of it: the hub's books, and its ledger.

Form       the rows of a day are those whose last change the hub took on it; each is compared with what
           stands in the table now. A row that stands there otherwise is no difference while capture is on
           its way to it: the books say what was told last of each key. Where they hold every row (key-set,
           watermark with all keys), keys that were never told, or are gone, are looked for too
Promises   memory is bounded by the keys of a day and a page of rows; the table is only read
Careful    it holds what is true now: of a row that has changed since, that day can no longer be compared,
           and this is said. Only columns that an intake takes over as they stand can be compared
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import orjson
from sqlalchemy import Connection, FromClause

from front_db import known as book_rows
from front_db.books import Capture, standing
from front_db.contract import Control, ExchangeTable
from front_db.digest import row_digest, row_texts
from front_db.full_rows import whole_batch
from front_db.known import GONE, Known
from front_db.logged import readable
from front_db.modes import BinlogMode, FullBatchMode, KeySetMode, LogicalMode, WatermarkMode
from front_db.parts import Part, Row, read_keys, read_part
from front_db.rows import content_of
from front_db.stamps import Stamps
from front_db.sums import Bucket, add, total
from front_db.told import digest_of
from hub import day as records
from routes.inverse import Inverse, inverse_of
from schemas.errors import Rejected
from schemas.message import Message, Operation
from shuniu.reconcile.books import Books, Tables
from shuniu.reconcile.report import Difference, Found, Leg, LegReport, Sums, day_span

__all__ = ["check_unmarked"]

T = TypeVar("T")
AT_ONCE = 500
RANGE_ROWS = 2000


@dataclass(frozen=True, slots=True)
class _Last:
    """What the hub took last of a key, on this day: its version and record."""

    key: str
    version: int
    record_id: str


@dataclass(slots=True)
class _Look:
    """One table on one day. *rows*, *described*: where its rows stand; *compared*: the columns that both
    sides know; *ours*, *theirs*: sums of the rows that are compared."""

    books: Books
    leg: Leg
    capture: Capture
    mode: object
    rows: FromClause
    described: ExchangeTable
    compared: ExchangeTable
    inverse: Inverse
    connection: Connection
    report: LegReport
    ours: dict[str, Bucket] = field(default_factory=dict)
    theirs: dict[str, Bucket] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    past: int = 0
    unkept: int = 0
    most: int = 1000

    def day(self) -> int:
        """Compare what was taken on the day; how many keys that were."""
        found = self._taken()
        for some in _lots(sorted(found)):
            current = self._current([found[key] for key in some])
            messages = self._messages(current)
            keys = [each.key for each in current if each.key in messages]
            there = read_keys(self.connection, self.described, self.rows, keys) if keys else {}
            known = self._known(keys)
            for key in keys:
                self._one(key, messages[key], there.get(key), known.get(key))
        return len(found)

    def whole(self) -> None:
        """Rows that were never told, or that are told of and gone: whatever day they are of."""
        seen, low = 0, ""
        while True:
            part = Part(low=low)
            page = read_part(
                self.connection, self.described, self.rows, part, RANGE_ROWS, whole=False
            )
            known = self._known([row.key for row in page])
            for row in page:
                before = known.get(row.key)
                seen += before is not None and bool(before.digest)
                if before is None or before.digest != row.digest:
                    self._lags(row.key)
            if len(page) < RANGE_ROWS:
                break
            low = page[-1].key
        told = self._store(lambda c: book_rows.known_count(c, self.capture.id))
        self.report.counts["told"] = told
        if told > seen:
            self._gone()

    def _gone(self) -> None:
        """Keys that receivers were told of and that are not there."""
        after = ""
        while keys := self._store(partial(_told_keys, self.capture.id, after)):
            after = keys[-1]
            there = read_keys(self.connection, self.described, self.rows, keys)
            for key in keys:
                if key not in there:
                    self._lags(key)

    def _taken(self) -> dict[str, _Last]:
        """Of each key of the day, the record with its highest version."""
        system, kind, report = self.leg.system, self.leg.kind, self.report
        since, until = day_span(report.day)
        prefix = f"{self.leg.table}/"

        def found(connection: Connection) -> dict[str, _Last]:
            last: dict[str, _Last] = {}
            for each in records.claims(connection, system, kind, since, until):
                told, _, version = each.key.removeprefix(prefix).rpartition("/")
                if not (each.key.startswith(prefix) and version.isdecimal()):
                    # Too long to be told by its key.
                    report.settle("long-key")
                elif told not in last or last[told].version < int(version):
                    last[told] = _Last(told, int(version), each.record_id)
            return last

        return self._store(found)

    def _current(self, some: Sequence[_Last]) -> list[_Last]:
        """Those of *some* of which nothing was taken since."""
        prefix = f"{self.leg.table}/"
        system, kind = self.leg.system, self.leg.kind
        beginnings = [f"{prefix}{each.key}" for each in some]
        later = self._store(lambda c: records.claimed_under(c, system, kind, beginnings))
        current: list[_Last] = []
        for each in some:
            claims = later.get(f"{prefix}{each.key}", ())
            versions = [int(v) for v in (x.key.rpartition("/")[2] for x in claims) if v.isdecimal()]
            if max(versions, default=each.version) > each.version:
                self.past += 1
                self.report.settle("changed-since")
            else:
                current.append(each)
        return current

    def _messages(self, some: Sequence[_Last]) -> dict[str, Message]:
        ids = [each.record_id for each in some]
        found = self._store(lambda c: records.of_records(c, ids))
        messages: dict[str, Message] = {}
        for each in some:
            rows = found.get(each.record_id, ())
            message = next((m for row in rows if (m := self.books.message(row))), None)
            if message is not None:
                messages[each.key] = message
            elif rows:
                self.unkept += 1
                self.report.settle("not-kept")
            else:
                self.report.settle("led-to-nothing")
        return messages

    def _one(self, key: str, message: Message, there: Row | None, known: Known | None) -> None:
        ours = self._row(message)
        theirs = there.raw if there else None
        if theirs is not None:
            add(self.theirs, key, row_digest(theirs, self.compared))
        if ours is not None:
            add(self.ours, key, row_digest(ours, self.compared))
        columns = _differing(ours, theirs, self.compared)
        if (ours is None) == (theirs is None) and not columns:
            return
        if self._on_its_way(there, known):
            self._lags(key)
            return
        kinds = {(True, False): Found.GONE_AT_SENDER, (False, True): Found.MISSING_AT_HUB}
        kind = kinds.get((ours is not None, theirs is not None), Found.FIELDS_DIFFER)
        self._differs(kind, key, message, columns)

    def _on_its_way(self, there: Row | None, known: Known | None) -> bool:
        """Whether the books say that what stands there was not told yet."""
        if isinstance(self.mode, LogicalMode | BinlogMode):
            return not _is_told(known, there, self.described)
        if known is None:
            return _whole_books(self.mode) or self._in_the_window(there)
        return known.handed is not None or known.digest != (there.digest if there else GONE)

    def _in_the_window(self, there: Row | None) -> bool:
        """A row that the books have forgotten, and whose stamp will be read (again)."""
        mode, mark = self.mode, orjson.loads(self.capture.position or b"{}").get("mark")
        column = self.described.column(getattr(mode, "column", ""))
        if not isinstance(mode, WatermarkMode) or column is None or there is None or not there.raw:
            return False
        stamps = Stamps(column, mode.format)
        told = stamps.told(there.raw[column.name])
        return mark is None or told is None or told >= stamps.below(mark, mode.window_s)

    def _lags(self, key: str) -> None:
        """Capture has not told it yet, and will; or stands still."""
        if self.capture.code:
            self._differs(Found.NOT_CAPTURED, key, None, ())
        elif key not in self.waiting:
            self.waiting.add(key)
            self.report.settle("under-way")

    def _differs(
        self, kind: Found, key: str, message: Message | None, columns: tuple[str, ...]
    ) -> None:
        if key in self.named:
            return
        if len(self.named) >= self.most:
            self.report.whole = False
            return
        self.named.add(key)
        self.report.differences.append(
            Difference(
                kind=kind,
                row_id=key,
                version=message.sequence if message else None,
                message_id=message.id if message else "",
                subject=self.books.subject(message),
                columns=columns,
            )
        )

    def _row(self, message: Message) -> Mapping[str, object] | None:
        """What the table must hold of it; none where it was deleted."""
        if message.operation == Operation.DELETED:
            return None
        names = {column.name for column in self.compared.columns}
        told = self.inverse.record(message.body)
        return {name: value for name, value in told.items() if name in names}

    def _known(self, keys: Sequence[str]) -> dict[str, Known]:
        return self._store(lambda c: book_rows.known_of(c, self.capture.id, keys)) if keys else {}

    def _store(self, work: Callable[[Connection], T]) -> T:
        return self.books.store.read_now(work)


def check_unmarked(
    books: Books, leg: Leg, tables: Tables, connection: Connection, report: LegReport
) -> None:
    """Compare the table of *leg* on the day of *report*, and write into it what was found."""
    declared = books.plan.declarations.intakes.get(f"{leg.system}.{leg.kind}")
    inverse = inverse_of(declared) if declared else None
    if inverse is None:
        report.error = "reconcile.several-messages"
        return
    captures = books.store.read_now(lambda c: standing(c, leg.system))
    capture = next((each for each in captures if each.table == leg.table), None)
    if capture is None:
        report.error = "reconcile.no-books"
        return
    described: ExchangeTable = tables.described
    rows: FromClause = tables.table
    if isinstance(tables.capture, FullBatchMode):
        done = str(orjson.loads(capture.position or b"{}").get("done", ""))
        described, rows = whole_batch(tables.described, tables.table, done)
    look = _Look(
        books=books,
        leg=leg,
        capture=capture,
        mode=tables.capture,
        rows=rows,
        described=described,
        compared=_compared(described, inverse),
        inverse=inverse,
        connection=connection,
        report=report,
        most=books.most,
    )
    count = look.day()
    if _whole_books(tables.capture):
        look.whole()
    _told(look, count)


def _told(look: _Look, count: int) -> None:
    report, leg = look.report, look.leg
    report.hub, report.partner = Sums.of(total(look.ours)), Sums.of(total(look.theirs))
    report.columns = len(look.compared.columns)
    since, until = day_span(report.day)
    refused = look.books.store.read_now(
        lambda c: records.refused_keys(c, leg.system, leg.kind, since, until)
    )
    report.counts |= {"taken": count, "refused": len(refused)}
    if report.differences or not count:
        return
    if look.past == count:
        report.error, report.facts = "reconcile.past", {"count": count}
    elif look.unkept and look.past + look.unkept == count:
        report.error, report.facts = "reconcile.not-kept", {"count": count}


def _whole_books(mode: object) -> bool:
    """Whether the books hold a digest of every row that was told."""
    swept = isinstance(mode, WatermarkMode) and mode.keys_s is not None
    return swept or isinstance(mode, KeySetMode | FullBatchMode)


def _is_told(known: Known | None, there: Row | None, described: ExchangeTable) -> bool:
    """Whether the books of a log say that receivers were told what stands there."""
    if known is None or there is None:
        return known is None and there is None
    try:
        content = content_of(readable(there.raw or {}, described), described)
    except Rejected:
        return False
    return known.digest == digest_of(content)


def _told_keys(capture: int, after: str, connection: Connection) -> list[str]:
    return book_rows.told_keys(connection, capture, after, AT_ONCE)


def _compared(described: ExchangeTable, inverse: Inverse) -> ExchangeTable:
    """Its columns that can be told from a message."""
    columns = tuple(each for each in described.columns if each.name in inverse.columns)
    return described.model_copy(update={"columns": columns, "control": Control()})


def _differing(
    ours: Mapping[str, object] | None,
    theirs: Mapping[str, object] | None,
    compared: ExchangeTable,
) -> tuple[str, ...]:
    if ours is None or theirs is None:
        return ()
    mine, told = row_texts(ours, compared), row_texts(theirs, compared)
    return tuple(
        column.name for column in compared.columns if mine[column.name] != told[column.name]
    )


def _lots(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))
