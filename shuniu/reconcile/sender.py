"""A sender's table against the records that the hub has taken from it.

Form       the rows of a day are those that we marked as taken on that day; the hub's are the records
           that came on it. What falls on both sides of midnight is looked up by its id, and is none
Careful    of a row the table has its last version alone: one that was changed again since is no
           difference. Only columns that an intake takes over as they stand can be compared
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from front_db.contract import Control, ExchangeTable
from front_db.digest import row_digest
from front_db.reconcile import compare, differing_columns, rows_by_id
from front_db.rows import Row, row_of
from front_db.states import RowState
from front_db.sums import Slice
from hub import day as records
from hub.day import RecordKey
from routes.inverse import Inverse, inverse_of
from schemas.calendar import BEIJING
from schemas.errors import Rejected
from schemas.message import Message
from shuniu.reconcile.books import Books, Tables
from shuniu.reconcile.report import Difference, Found, Leg, LegReport, Sums, day_span

__all__ = ["check_sender", "compared_part"]

AT_ONCE = 500
UNREADABLE = "0" * 16
ENDED = (RowState.TAKEN, RowState.DELIVERED)


@dataclass(frozen=True, slots=True)
class _Record:
    """What the hub has of one row: its last version. *row*: none where its body is not kept."""

    row_id: str
    version: int
    record_id: str
    message: Message | None = None
    row: Row | None = None


@dataclass(slots=True)
class _Taken:
    """All records of one kind and day."""

    books: Books
    leg: Leg
    part: Slice
    inverse: Inverse
    since: datetime
    until: datetime
    without: set[str] = field(default_factory=set)

    def digested(self) -> Iterator[tuple[str, str]]:
        store = self.books.store
        found = store.read_now(
            lambda c: _last(
                records.claims(c, self.leg.system, self.leg.kind, self.since, self.until)
            )
        )
        for some in _lots(list(found.values())):
            for each in self.opened(some):
                if each.message is None:
                    # It led to nothing, as its intake wants it.
                    self.without.add(each.row_id)
                    continue
                digest = row_digest(each.row, self.part.described) if each.row else UNREADABLE
                yield each.row_id, digest

    def opened(self, some: Sequence[_Record]) -> Iterator[_Record]:
        """*some* with what they led to."""
        ids = [each.record_id for each in some]
        rows = self.books.store.read_now(lambda c: records.of_records(c, ids))
        for each in some:
            message = next(
                (m for row in rows.get(each.record_id, ()) if (m := self.books.message(row))), None
            )
            known = each.record_id in rows
            if message is None and not known:
                yield each
                continue
            row = self._row(each, message) if message else None
            yield _Record(each.row_id, each.version, each.record_id, message or _NO_BODY, row)

    def known(self, row_ids: Sequence[str]) -> dict[str, _Record]:
        """Of single rows, the last version that the hub has taken, on whatever day."""
        system, kind = self.leg.system, self.leg.kind
        found = self.books.store.read_now(lambda c: records.claimed_under(c, system, kind, row_ids))
        return _last(each for several in found.values() for each in several)

    def _row(self, each: _Record, message: Message) -> Row | None:
        described = self.part.described
        control = described.control
        names = {column.name for column in described.columns}
        told = {n: v for n, v in self.inverse.record(message.body).items() if n in names}
        try:
            row = row_of(told, described)
        except Rejected:
            return None
        row[str(control.version)] = each.version
        if control.operation:
            row[control.operation] = control.operation_codes.get(message.operation, "")
        return row


# Stands for a message whose body is not kept any more.
_NO_BODY: Any = object()


def compared_part(tables: Tables, inverse: Inverse) -> ExchangeTable:
    """The table with the columns that can be told from the hub's messages."""
    described, control = tables.described, tables.described.control
    columns = tuple(
        each.model_copy(update={"needed": False, "codes": (), "identifier": None})
        for each in described.columns
        if each.name in inverse.columns
    )
    kept: Control = control.model_copy(
        update={
            "key": None,
            "operation": control.operation if control.operation == inverse.operation else None,
        }
    )
    return described.model_copy(update={"columns": columns, "control": kept})


def check_sender(
    books: Books, leg: Leg, tables: Tables, connection: Connection, report: LegReport
) -> None:
    """Compare the table of *leg* on the day of *report*, and write into it what was found."""
    declared = books.plan.declarations.intakes.get(f"{leg.system}.{leg.kind}")
    inverse = inverse_of(declared) if declared else None
    if inverse is None:
        report.error = "reconcile.several-messages"
        return
    since, until = day_span(report.day)
    part = Slice(compared_part(tables, inverse), tables.table, _of_the_day(tables, since, until))
    taken = _Taken(books, leg, part, inverse, since, until)
    found = compare(connection, part, taken.digested, most=books.most)
    report.hub, report.partner = Sums.of(found.ours), Sums.of(found.theirs)
    oldest = _oldest(tables, connection)
    gone = found.ours.count and not found.theirs.count and oldest and oldest >= until
    # Some may only have been marked past midnight.
    if gone and oldest and not rows_by_id(connection, part, found.missing):
        report.error, report.facts = "reconcile.purged", {"oldest": oldest.date().isoformat()}
        return
    report.columns, report.whole = len(part.described.columns), found.whole
    refused = books.store.read_now(
        lambda c: records.refused_keys(c, leg.system, leg.kind, since, until)
    )
    report.counts = {"taken": found.ours.count, "refused": len(refused)}
    _not_ours(taken, found.extra, refused.keys(), connection, report)
    _not_theirs(taken, found.missing, oldest, connection, report)
    _differ(taken, found.differ, connection, report)


def _of_the_day(tables: Tables, since: datetime, until: datetime) -> tuple[Any, ...]:
    control, table = tables.described.control, tables.table
    words = [control.word(each) for each in ENDED if each in control.states]
    stamp = control.handled_at or control.written_at
    spans = tables.between(stamp, since, until) if stamp else ()
    return (table.c[str(control.state)].in_(words), *spans)


def _oldest(tables: Tables, connection: Connection) -> datetime | None:
    """When the oldest row that is left of those at an end was marked; none where nobody can know."""
    control, table = tables.described.control, tables.table
    if not control.handled_at:
        return None
    stamp = table.c[control.handled_at]
    words = [control.word(each) for each in ENDED if each in control.states]
    asked = select(func.min(stamp)).where(table.c[str(control.state)].in_(words))
    found = connection.scalar(asked)
    return found.replace(tzinfo=BEIJING) if isinstance(found, datetime) else None


def _not_ours(
    taken: _Taken,
    row_ids: Sequence[str],
    refused: Any,
    connection: Connection,
    report: LegReport,
) -> None:
    """Rows marked as taken that the hub has no record of on that day."""
    if not row_ids:
        return
    there = rows_by_id(connection, taken.part, row_ids)
    known = taken.known(row_ids)
    for row_id in row_ids:
        row, ours = there.get(row_id), known.get(row_id)
        version = _version(row, taken.part)
        if row is None:
            report.settle("changed-since")
        elif row_id in taken.without:
            report.settle("led-to-nothing")
        elif ours and ours.version >= version:
            report.settle("other-day" if ours.version == version else "newer-at-hub")
        elif f"{row_id}/{version}" in refused:
            report.settle("refused")
        elif _fresh(row, taken):
            report.settle("under-way")
        else:
            report.differences.append(
                Difference(kind=Found.MISSING_AT_HUB, row_id=row_id, version=version)
            )


def _not_theirs(
    taken: _Taken,
    row_ids: Sequence[str],
    oldest: datetime | None,
    connection: Connection,
    report: LegReport,
) -> None:
    """Records of the day whose rows are not among those marked on it."""
    if not row_ids:
        return
    there = rows_by_id(connection, taken.part, row_ids)
    known = taken.known(row_ids)
    for row_id in row_ids:
        row, ours = there.get(row_id), known[row_id]
        if row is None and oldest and ours.record_id < records.first_id(oldest):
            # All that was taken before the oldest row that is left is gone: that is a purge.
            report.settle("purged")
        elif row is None:
            (opened,) = taken.opened([ours])
            report.differences.append(_told(Found.GONE_AT_SENDER, opened, taken))
        elif _version(row, taken.part) == ours.version:
            new = row[str(taken.part.described.control.state)] == _new(taken.part)
            report.settle("under-way" if new else "other-day")
        else:
            report.settle("changed-since")


def _differ(
    taken: _Taken, row_ids: Sequence[str], connection: Connection, report: LegReport
) -> None:
    if not row_ids:
        return
    there = rows_by_id(connection, taken.part, row_ids)
    known = taken.known(row_ids)
    for each in taken.opened([known[row_id] for row_id in row_ids]):
        row = there.get(each.row_id)
        version = _version(row, taken.part)
        if row is None or each.row is None:
            report.settle("not-kept")
        elif version > each.version:
            _newer(taken, each, row, version, report)
        elif columns := differing_columns(each.row, row, taken.part):
            report.differences.append(_told(Found.FIELDS_DIFFER, each, taken, columns))
        else:
            report.settle("other-day")


def _newer(taken: _Taken, each: _Record, row: Row, version: int, report: LegReport) -> None:
    """The row stands as taken at a version that the hub has not."""
    if row[str(taken.part.described.control.state)] == _new(taken.part):
        report.settle("changed-since")
    elif _fresh(row, taken):
        report.settle("under-way")
    else:
        report.differences.append(
            Difference(kind=Found.MISSING_AT_HUB, row_id=each.row_id, version=version)
        )


def _told(kind: Found, each: _Record, taken: _Taken, columns: tuple[str, ...] = ()) -> Difference:
    message = None if each.message is _NO_BODY else each.message
    return Difference(
        kind=kind,
        row_id=each.row_id,
        version=each.version,
        message_id=message.id if message else "",
        subject=taken.books.subject(message),
        columns=columns,
    )


def _fresh(row: Row, taken: _Taken) -> bool:
    """Marked so lately that its record may still be on its way."""
    stamp = row.get(str(taken.part.described.control.handled_at))
    if not isinstance(stamp, datetime):
        return False
    now = taken.books.at.astimezone(BEIJING).replace(tzinfo=None)
    return now - stamp < taken.books.grace


def _new(part: Slice) -> str:
    return part.described.control.word(RowState.NEW)


def _version(row: Row | None, part: Slice) -> int:
    found = row.get(str(part.described.control.version)) if row else None
    return int(str(found)) if found is not None else 0


def _last(found: Any) -> dict[str, _Record]:
    """By row id, the record of its highest version."""
    last: dict[str, _Record] = {}
    each: RecordKey
    for each in found:
        row_id, _, told = each.key.rpartition("/")
        if not (row_id and told.isdecimal()):
            continue
        version = int(told)
        if row_id not in last or last[row_id].version < version:
            last[row_id] = _Record(row_id, version, each.record_id)
    return last


def _lots(found: Sequence[_Record]) -> Iterator[Sequence[_Record]]:
    yield from (found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE))
