"""A receiver's table against what the hub's records say was delivered into it.

Form       the rows of a day are those of the messages of that day: a row's id is its message's, which
           begins with its time, so a row written late, past midnight, still belongs to its day
Careful    a route that was changed since may map a message in another way than it did then
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, and_, func, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from front_db.contract import ControlValue, Keeps
from front_db.digest import row_digest
from front_db.reconcile import Compared, compare, differing_columns, rows_by_id
from front_db.rows import Row, control_of, row_of
from front_db.sums import Slice
from front_db.write import row_id_of
from hub import day as records
from hub.day import NOTHING, Outcome, Told
from routes.route import CompiledRoute
from schemas.calendar import BEIJING
from schemas.errors import Rejected
from schemas.message import Message, Operation
from shuniu.reconcile.books import Books, Tables
from shuniu.reconcile.report import Difference, Found, Leg, LegReport, Sums, day_span

__all__ = ["check_receiver", "silent"]

UNREADABLE = "0" * 16
LOOK_UP = 400


@dataclass(frozen=True, slots=True)
class _Due:
    """A message that must be in the table. *row*: none where its body is not kept any more."""

    message: Message | None
    told: Told
    row_id: str
    row: Row | None


@dataclass(slots=True)
class _Expected:
    """All of one route and day. *counts* and *silent* (messages without outcome) are of the last time
    that `due` was gone through."""

    books: Books
    tables: Tables
    route: CompiledRoute
    since: datetime
    until: datetime
    counts: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)

    def due(self) -> Iterator[_Due]:
        self.counts, self.silent = {}, []
        after: tuple[datetime, int] | None = None
        while True:
            rows, told = self.books.page(self.route, self.since, self.until, after)
            for row in rows:
                found = told.get(row["message_id"], NOTHING)
                name = found.outcome.value
                self.counts[name] = self.counts.get(name, 0) + 1
                if found.outcome is Outcome.UNKNOWN:
                    self.silent.append(row["message_id"])
                if found.outcome is Outcome.DONE:
                    yield self.one(self.books.message(row), row["message_id"], found)
            if not rows:
                return
            after = (rows[-1]["at"], rows[-1]["id"])

    def one(self, message: Message | None, message_id: str, told: Told) -> _Due:
        control = self.tables.described.control
        row_id = row_id_of(message_id, f"{message_id}.{self.route.name}", control)
        if message is None:
            return _Due(None, told, row_id, None)
        try:
            payload = self.route.payload(message)
            deleted = message.operation is Operation.DELETED
            described = self.tables.described
            content = None if payload is None else row_of(payload, described, deleted=deleted)
        except Rejected:
            content = None
        if content is None:
            return _Due(message, told, row_id, None)
        value = ControlValue(
            row_id=row_id,
            batch=self.route.name,
            operation=message.operation,
            version=message.sequence,
            key=message.subject,
        )
        at = message.time.astimezone(BEIJING).replace(tzinfo=None)
        return _Due(message, told, row_id, content | control_of(value, control, at))

    def digested(self) -> Iterator[tuple[str, str]]:
        described = self.tables.described
        due = self.due() if described.keeps is Keeps.EVERY else self._newest()
        for each in due:
            yield each.row_id, row_digest(each.row, described) if each.row else UNREADABLE

    def _newest(self) -> Iterator[_Due]:
        """Of each key what came last: the table keeps nothing else."""
        names = self.tables.described.key_columns
        version = str(self.tables.described.control.version)
        newest: dict[tuple[object, ...], _Due] = {}
        for each in self.due():
            row = each.row
            key = tuple(row[name] for name in names) if row else (each.row_id,)
            known = newest.get(key)
            if known and known.row and row:
                rank = [
                    (int(str(d[version])), i)
                    for d, i in ((known.row, known.row_id), (row, each.row_id))
                ]
                if rank[0] >= rank[1]:
                    continue
            newest[key] = each
        yield from newest.values()


def check_receiver(
    books: Books, leg: Leg, tables: Tables, connection: Connection, report: LegReport
) -> None:
    """Compare the table of *leg* on the day of *report*, and write into it what was found."""
    route = books.plan.routes[leg.route]
    since, until = day_span(report.day)
    expected = _Expected(books, tables, route, since, until)
    part = Slice(tables.described, tables.table, _of_the_day(tables, route.name, since, until))
    found = compare(connection, part, expected.digested, most=books.most)
    report.counts, report.whole = expected.counts, found.whole
    report.hub, report.partner = Sums.of(found.ours), Sums.of(found.theirs)
    report.columns = len(tables.described.columns)
    if found.ours.count and not found.theirs.count and _is_purged(expected, found, connection):
        oldest = _oldest(tables, route.name, connection) or ""
        at = datetime.fromtimestamp(int(oldest.replace("-", "")[:12], 16) / 1000, BEIJING)
        report.error, report.facts = "reconcile.purged", {"oldest": at.date().isoformat()}
        return
    _missing(expected, found.missing, connection, report)
    _extra(expected, found.extra, report)
    _differ(expected, found.differ, part, connection, report)
    silent(books, leg.route, expected.silent, report)


def silent(books: Books, route: str, message_ids: Sequence[str], report: LegReport) -> None:
    """Messages without outcome are lost only where nothing of the route is under way."""
    if route not in books.idle:
        return
    for message_id in books.old_enough(message_ids):
        report.differences.append(
            Difference(kind=Found.NEVER_DELIVERED, message_id=message_id, row_id=message_id)
        )


def _of_the_day(
    tables: Tables, route: str, since: datetime, until: datetime
) -> tuple[ColumnElement[bool], ...]:
    control, table = tables.described.control, tables.table
    if control.batch:
        row_id = table.c[control.row_id]
        return (
            table.c[control.batch] == route,
            row_id >= records.first_id(since),
            row_id < records.first_id(until),
        )
    return tables.between(str(control.written_at), since, until)


def _is_purged(expected: _Expected, found: Compared, connection: Connection) -> bool:
    """Every row of the day is gone, and what is left begins after it: a repair would bring back what the
    table's reader is done with. One that has told so of each is no riddle."""
    tables, route = expected.tables, expected.route
    oldest = _oldest(tables, route.name, connection)
    if oldest is None or oldest < records.first_id(expected.until):
        return False
    told = expected.books.answered(route.system, tables.results, found.missing)
    return bool({*found.missing} - told)


def _oldest(tables: Tables, route: str, connection: Connection) -> str | None:
    """The lowest id of the rows that *route* has left there; none where their ids do not tell their time."""
    control, table = tables.described.control, tables.table
    if not control.batch or tables.described.keeps is not Keeps.EVERY:
        return None
    mine = table.c[control.batch] == route
    found = connection.scalar(select(func.min(table.c[control.row_id])).where(mine))
    return None if found is None else str(found)


def _missing(
    expected: _Expected, row_ids: Sequence[str], connection: Connection, report: LegReport
) -> None:
    books, tables = expected.books, expected.tables
    if not row_ids:
        return
    due = {each.row_id: each for each in _again(expected, row_ids)}
    there = rows_by_id(connection, Slice(tables.described, tables.table), row_ids)
    answered = books.answered(report.leg.system, tables.results, row_ids)
    for row_id in row_ids:
        each = due.get(row_id)
        if row_id in there:
            report.settle("other-day")
        elif row_id in answered:
            report.settle("applied-and-gone")
        elif each and each.row and _superseded(each.row, tables, connection):
            report.settle("superseded")
        else:
            message = each.message if each else None
            report.differences.append(
                Difference(
                    kind=Found.MISSING_AT_RECEIVER,
                    row_id=row_id,
                    version=message.sequence if message else None,
                    message_id=message.id if message else row_id,
                    subject=books.subject(message),
                )
            )


def _again(expected: _Expected, row_ids: Sequence[str]) -> Iterator[_Due]:
    """What the hub knows of single rows."""
    books, route = expected.books, expected.route
    if not expected.tables.described.control.batch:
        wanted = frozenset(row_ids)
        yield from (each for each in expected.due() if each.row_id in wanted)
        return
    rows = books.store.read_now(lambda connection: records.by_ids(connection, row_ids))
    told = books.store.read_now(lambda c: records.outcomes(c, row_ids, route.name))
    for message_id, row in rows.items():
        yield expected.one(books.message(row), message_id, told.get(message_id, NOTHING))


def _superseded(row: Row, tables: Tables, connection: Connection) -> bool:
    """A table of latest states holds a newer one of the same key."""
    described = tables.described
    if described.keeps is not Keeps.LATEST:
        return False
    names, version = described.key_columns, str(described.control.version)
    same = tuple_(*(tables.table.c[n] for n in names)).in_([tuple(row[n] for n in names)])
    newer = tables.table.c[version] >= row[version]
    return (
        connection.execute(select(tables.table.c[version]).where(and_(same, newer))).first()
        is not None
    )


def _extra(expected: _Expected, row_ids: Sequence[str], report: LegReport) -> None:
    known = {each.row_id: each for each in _again(expected, row_ids)} if row_ids else {}
    for row_id in row_ids:
        if row_id in known:
            # It is there before its receipt is: told as what the hub still thinks of it.
            report.settle(f"arrived-{known[row_id].told.outcome}")
        else:
            report.differences.append(Difference(kind=Found.EXTRA_AT_RECEIVER, row_id=row_id))


def _differ(
    expected: _Expected,
    row_ids: Sequence[str],
    part: Slice,
    connection: Connection,
    report: LegReport,
) -> None:
    if not row_ids:
        return
    there = rows_by_id(connection, part, row_ids)
    for each in _again(expected, row_ids):
        theirs = there.get(each.row_id)
        if theirs is None or each.row is None or each.message is None:
            report.settle("not-kept")
        elif each.told.version not in ("", expected.route.version):
            report.settle("mapped-otherwise")
        elif each.told.edited:
            report.settle("edited")
        elif columns := differing_columns(each.row, theirs, part):
            report.differences.append(
                Difference(
                    kind=Found.FIELDS_DIFFER,
                    row_id=each.row_id,
                    version=each.message.sequence,
                    message_id=each.message.id,
                    subject=expected.books.subject(each.message),
                    columns=columns,
                )
            )
