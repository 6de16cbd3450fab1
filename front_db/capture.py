"""Capture by state (default): the rows that a partner left in a standard table, page by page.

Promises   a row committed late is simply still new. A bad row is answered and holds its own key, not
           the table. What is returned has not been marked: `acknowledge` does that, once it is safe
           elsewhere, and only for rows that have not changed since; a crash between repeats them
Units      *at*: Beijing time without zone
Careful    limits on bad rows are counted in the table, never in memory: a restart does not forget
           them, and they are met again when the partner has corrected enough
Not here   connections and threads: `front_db.database`; batches: `front_db.batches`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Table, and_, exists, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from front_db.beside import HUB, NO_BATCH, Beside, beat, paused
from front_db.bulk_rows import Fits, compile_fits
from front_db.contract import ExchangeTable, Keeps
from front_db.judge import Judged, Standing, judge
from front_db.moves import Seen, move
from front_db.read import Place, Read, mark_taken, read_new
from front_db.receipts import (
    Receipt,
    batch_of,
    reason_of,
    receipts_of,
    taken_receipt,
    write_receipts,
)
from front_db.states import BATCH_CODES, BatchState, RowState
from schemas.errors import Misconfigured
from schemas.message import Json
from schemas.texts import say

__all__ = [
    "Captured",
    "DirtyLimits",
    "Outgoing",
    "Page",
    "Progress",
    "acknowledge",
    "begin",
    "next_page",
]

KEYS_AT_ONCE = 500
RELEASED_AT_ONCE = 5000
REMEMBERED = 10_000  # many times what the hub keeps unacknowledged
WAITING = (RowState.NEW, RowState.REFUSED, RowState.HELD)
DONE_BATCHES = (BatchState.CLOSED, BatchState.CLOSED_WITH_REFUSALS, BatchState.CANCELLED)
READ_BATCHES = (BatchState.CHECKED, *DONE_BATCHES)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyLimits:
    """
    How many refused rows may stand in a table before it stops, by class of error: a number, and a share
    of all rows in it, from 0 to 1, which counts once *least_rows* stand there. 0 means 0.
    """

    value_rows: int = 1000
    key_rows: int = 200
    form_rows: int = 200
    value_share: float | None = None
    key_share: float | None = None
    form_share: float | None = None
    least_rows: int = 100

    def class_of(self, code: str) -> str:
        """``key``: key, version or batch; ``form``: cannot be read at all; ``value``: the rest."""
        if code in {"row.unreadable", "row.operation", "row.digest"}:
            return "form"
        return "key" if code.startswith(("row.key", "row.version", "row.batch")) else "value"

    def of(self, kind: str) -> int:
        return {"value": self.value_rows, "key": self.key_rows, "form": self.form_rows}[kind]

    def share_of(self, kind: str) -> float | None:
        return {"value": self.value_share, "key": self.key_share, "form": self.form_share}[kind]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A standard table in which a partner leaves rows, with what stands beside it."""

    described: ExchangeTable
    table: Table
    beside: Beside
    limits: DirtyLimits = field(default_factory=DirtyLimits)
    fits: Fits = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fits", compile_fits(self.described))


@dataclass(frozen=True, slots=True)
class Captured:
    """A row to be handed on."""

    judged: Judged

    @property
    def seen(self) -> Seen:
        return self.judged.row.seen

    @property
    def content(self) -> dict[str, Json]:
        """The row without what is empty: '' is no value, as some databases keep it as NULL."""
        return {name: value for name, value in self.judged.row.content.items() if value != ""}


@dataclass(frozen=True, slots=True)
class Page:
    """*rows* to be handed on; *place*: where the next page begins, none after the last."""

    rows: Sequence[Captured]
    place: Place | None
    refused: int = 0
    held: int = 0
    superseded: int = 0


@dataclass(slots=True)
class Progress:
    """What was handed on in this poll and may not be marked yet: versions by key, and row ids."""

    taken: dict[str, int] = field(default_factory=dict)
    handed: dict[str, None] = field(default_factory=dict)

    def remember(self, rows: Sequence[Judged]) -> None:
        for each in rows:
            self.taken.pop(each.key, None)
            self.taken[each.key] = each.row.seen.version or 0
            self.handed[each.row.seen.row_id] = None
        for known in (self.taken, self.handed):
            while len(known) > REMEMBERED:
                del known[next(iter(known))]


def begin(connection: Connection, outgoing: Outgoing, at: datetime) -> Progress | None:
    """
    Begin a poll: beat, and let go what was held behind rows that are refused no longer.

    None while the partner has stopped the table. Raises `Misconfigured` while it holds more bad rows
    of a class than agreed.
    """
    described, table = outgoing.described, outgoing.table
    beat(connection, outgoing.beside, HUB, at)
    if paused(connection, outgoing.beside, described.name):
        return None
    control = described.control
    code, state = table.c[str(control.code)], table.c[str(control.state)]
    asked = select(code, func.count()).where(state == control.word(RowState.REFUSED)).group_by(code)
    standing: dict[str, int] = {}
    for found, count in connection.execute(asked):
        kind = outgoing.limits.class_of(str(found))
        standing[kind] = standing.get(kind, 0) + count
    for kind, count in standing.items():
        if count > (limit := outgoing.limits.of(kind)):
            raise Misconfigured(
                "front-db.too-dirty",
                "More refused rows stand in a table than agreed",
                table=described.name,
                kind=kind,
                count=count,
                limit=limit,
            )
    _shares_held(connection, outgoing, standing)
    _release(connection, outgoing)
    return Progress()


def _shares_held(connection: Connection, outgoing: Outgoing, standing: Mapping[str, int]) -> None:
    """Raises `Misconfigured` where a class of refused rows is a larger part of the table than agreed."""
    limits = outgoing.limits
    limited = {
        kind: (count, share)
        for kind, count in standing.items()
        if (share := limits.share_of(kind)) is not None
    }
    if not limited:
        return  # all rows are counted only where somebody must know
    total = connection.scalar(select(func.count()).select_from(outgoing.table)) or 0
    for kind, (count, share) in limited.items():
        if total >= limits.least_rows and count > share * total:
            raise Misconfigured(
                "front-db.too-dirty-share",
                "More of a table's rows are refused than agreed",
                table=outgoing.described.name,
                kind=kind,
                count=count,
                percent=round(100 * count / total, 1),
                limit=round(100 * share, 1),
            )


def next_page(
    connection: Connection,
    outgoing: Outgoing,
    progress: Progress,
    *,
    after: Place | None,
    limit: int,
    at: datetime,
) -> Page:
    """Read up to *limit* new rows behind *after*, and answer those that cannot be handed on."""
    described = outgoing.described
    rows = read_new(
        connection,
        described,
        outgoing.table,
        after=after,
        limit=limit,
        only=_in_a_whole_batch(outgoing),
    )
    standing = _standing(connection, outgoing, rows, progress)
    for key, version in progress.taken.items():
        if version > standing.taken.get(key, 0):
            standing.taken[key] = version
    judged = judge(rows, described, standing, outgoing.fits)
    told = {state: _answer(connection, outgoing, judged, state, at) for state in ANSWERED}
    good = [each for each in judged if each.state is RowState.TAKEN]
    _replace(connection, outgoing, good, at)
    progress.remember(good)
    return Page(
        [Captured(each) for each in good],
        rows[-1].place if len(rows) == limit else None,
        refused=told[RowState.REFUSED],
        held=told[RowState.HELD],
        superseded=told[RowState.SUPERSEDED],
    )


ANSWERED = (RowState.REFUSED, RowState.HELD, RowState.SUPERSEDED)


def acknowledge(
    connection: Connection, outgoing: Outgoing, rows: Sequence[Captured], at: datetime
) -> int:
    """Mark *rows* as taken, with their receipts, except those that changed since; how many were."""
    described = outgoing.described
    by_seen = {each.seen: each.judged for each in rows}
    moved = mark_taken(connection, described, outgoing.table, list(by_seen), at)
    receipts = [taken_receipt(by_seen[seen], described) for seen in moved]
    write_receipts(connection, outgoing.beside, receipts, at)
    return len(moved)


def _answer(
    connection: Connection,
    outgoing: Outgoing,
    judged: Sequence[Judged],
    state: RowState,
    at: datetime,
) -> int:
    """Move the rows that are judged *state*, those of one reason together, with their receipts."""
    described, control = outgoing.described, outgoing.described.control
    groups: dict[tuple[str, str], dict[Seen, Judged]] = {}
    for each in judged:
        if each.state is state:
            said = (each.faults[0].code, reason_of(each.faults, described))
            groups.setdefault(said, {})[each.row.seen] = each
    receipts: list[Receipt] = []
    count = 0
    for (code, reason), group in groups.items():
        values = {control.code: code, control.error: reason, control.handled_at: at}
        moved = move(
            connection, described, outgoing.table, list(group), RowState.NEW, state, values
        )
        receipts += [each for seen in moved for each in receipts_of(group[seen], described)]
        count += len(moved)
    write_receipts(connection, outgoing.beside, receipts, at)
    return count


def _replace(
    connection: Connection, outgoing: Outgoing, good: Sequence[Judged], at: datetime
) -> None:
    """The refused rows in whose place others go are superseded."""
    instead = {each.instead: each for each in good if each.instead is not None}
    if not instead:
        return
    described, table = outgoing.described, outgoing.table
    control = described.control
    row_id, version = table.c[control.row_id], table.c[str(control.version)]
    found = connection.execute(select(row_id, version).where(row_id.in_(list(instead)))).all()
    seen = [Seen(str(each), number) for each, number in found]
    moved = move(
        connection,
        described,
        table,
        seen,
        RowState.REFUSED,
        RowState.SUPERSEDED,
        {control.handled_at: at},
    )
    receipts = [
        Receipt(
            table=described.name,
            batch=batch_of(instead[int(each.row_id)], described),
            row=each.row_id,
            key=instead[int(each.row_id)].key,
            version=each.version,
            stage=RowState.SUPERSEDED,
            code="row.corrected",
            reason=say("row.corrected", {"row": instead[int(each.row_id)].row.seen.row_id}, "zh"),
        )
        for each in moved
    ]
    write_receipts(connection, outgoing.beside, receipts, at)


def _in_a_whole_batch(outgoing: Outgoing) -> ColumnElement[bool] | None:
    """In none, or in one whose count and digest agree; rows of an open one are not read."""
    control = outgoing.described.control
    if not control.batch:
        return None
    batch, header = outgoing.table.c[control.batch], outgoing.beside.batch
    whole = exists().where(
        header.c.b_table == outgoing.described.name,
        header.c.b_no == batch,
        header.c.b_state.in_([BATCH_CODES[each] for each in READ_BATCHES]),
    )
    return or_(batch.is_(None), batch == NO_BATCH, whole)


def _standing(
    connection: Connection, outgoing: Outgoing, rows: Sequence[Read], progress: Progress
) -> Standing:
    described, table, standing = outgoing.described, outgoing.table, Standing()
    control = described.control
    if control.batch:
        standing.done = _done_batches(connection, outgoing, rows)
    if described.keeps is Keeps.LATEST or not control.key:
        return standing  # one row a key: nothing can be before it
    key, state = table.c[control.key], table.c[str(control.state)]
    row_id, version = table.c[control.row_id], table.c[str(control.version)]
    keys = sorted({str((row.raw or {}).get(control.key)) for row in rows})
    known = {row.seen.row_id for row in rows}
    waiting = {control.word(each): each for each in WAITING}
    gone = [control.word(each) for each in (RowState.TAKEN, RowState.DELIVERED)]
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = key.in_(keys[start : start + KEYS_AT_ONCE])
        asked = select(key, row_id, state).where(some, state.in_(list(waiting)))
        for found, number, word in connection.execute(asked):
            if waiting[word] is not RowState.NEW:
                standing.blocked.setdefault(found, set()).add(int(number))
            elif str(number) not in known and str(number) not in progress.handed:
                standing.earlier.setdefault(found, set()).add(int(number))
            if waiting[word] is RowState.REFUSED:
                standing.refused.add(int(number))
        highest = select(key, func.max(version)).where(some, state.in_(gone)).group_by(key)
        standing.taken |= {found: int(most) for found, most in connection.execute(highest)}
    return standing


def _done_batches(
    connection: Connection, outgoing: Outgoing, rows: Sequence[Read]
) -> frozenset[str]:
    name, header = str(outgoing.described.control.batch), outgoing.beside.batch
    numbers = {str((row.raw or {}).get(name)) for row in rows} - {NO_BATCH, "None"}
    if not numbers:
        return frozenset()
    asked = select(header.c.b_no).where(
        header.c.b_table == outgoing.described.name,
        header.c.b_no.in_(sorted(numbers)),
        header.c.b_state.in_([BATCH_CODES[each] for each in DONE_BATCHES]),
    )
    return frozenset(connection.scalars(asked))


def _release(connection: Connection, outgoing: Outgoing) -> None:
    """Held rows of keys of which none is refused any more are new again."""
    described, table = outgoing.described, outgoing.table
    control = described.control
    if not control.key or RowState.HELD not in control.states:
        return
    other = table.alias()
    refused = exists().where(
        and_(
            other.c[control.key] == table.c[control.key],
            other.c[str(control.state)] == control.word(RowState.REFUSED),
        )
    )
    row_id = table.c[control.row_id]
    asked = (
        select(row_id, table.c[str(control.version)])
        .where(table.c[str(control.state)] == control.word(RowState.HELD), ~refused)
        .order_by(row_id)
        .limit(RELEASED_AT_ONCE)
    )
    seen = [Seen(str(found), version) for found, version in connection.execute(asked)]
    # Not handled yet, so the version may stay as it is.
    values = {control.code: None, control.error: None, control.handled_at: None}
    move(connection, described, table, seen, RowState.HELD, RowState.NEW, values)
