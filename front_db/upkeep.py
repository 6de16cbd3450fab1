"""How a partner's exchange tables stand, and taking away what is done with.

Units      *at*, *before*: Beijing time without zone
Promises   only rows that are at an end are purged, a page at a time; a table that keeps the latest
           state loses only keys that were deleted. What waits, is refused or held is never touched
Careful    what is purged is forgotten: a row with an older version, committed later still, would
           pass; keep what is done for longer than any transaction may last
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Table, and_, delete, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from front_db.beside import Beside, paused
from front_db.contract import ExchangeTable, Keeps
from front_db.parents import not_referred_to
from front_db.states import BATCH_CODES, BatchState, RowState

__all__ = ["TableStatus", "beats", "purge_receipts", "purge_table", "table_status"]

PURGED = (RowState.TAKEN, RowState.DELIVERED, RowState.WITHDRAWN, RowState.SUPERSEDED)
ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class TableStatus:
    """
    One table. *rows* by state; a word that the contract has not stands as it is. *refused* by code;
    *oldest*: when the row that has waited longest was written, as the writer says.
    """

    table: str
    paused: bool
    rows: Mapping[str, int]
    oldest: datetime | str | None
    refused: Mapping[str, int] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)


def table_status(
    connection: Connection, described: ExchangeTable, table: Table, beside: Beside
) -> TableStatus:
    """Counts, without reading a row. For a table that has states."""
    control = described.control
    state = table.c[str(control.state)]
    words = {word: str(each) for each, word in control.states.items()}
    counted = select(state, func.count()).group_by(state)
    rows = {words.get(word, word): count for word, count in connection.execute(counted)}
    oldest = None
    if control.written_at:
        waits = select(func.min(table.c[control.written_at]))
        oldest = connection.scalar(waits.where(state == control.word(RowState.NEW)))
    if not described.standard:
        return TableStatus(described.name, paused=False, rows=rows, oldest=oldest)
    code = table.c[str(control.code)]
    refused = (
        select(code, func.count()).where(state == control.word(RowState.REFUSED)).group_by(code)
    )
    header = beside.batch
    by_state = (
        select(header.c.b_state, func.count())
        .where(header.c.b_table == described.name)
        .group_by(header.c.b_state)
    )
    names = {word: str(each) for each, word in BATCH_CODES.items()}
    return TableStatus(
        described.name,
        paused(connection, beside, described.name),
        rows,
        oldest,
        {str(found): count for found, count in connection.execute(refused)},
        {names.get(word, word): count for word, count in connection.execute(by_state)},
    )


def beats(connection: Connection, beside: Beside) -> dict[str, datetime]:
    """When each side was last seen."""
    table = beside.beat
    found = connection.execute(select(table.c.h_side, table.c.h_at))
    return {row.h_side: row.h_at for row in found}


def purge_table(
    connection: Connection,
    described: ExchangeTable,
    table: Table,
    before: datetime,
    *,
    only_count: bool = False,
) -> int:
    """
    Take away up to a page of rows that came to an end before *before*; how many it was.

    Call it until it is 0, each in a transaction of its own. *only_count*: of all, and none goes. A row
    that others refer to stays: children go first, and nothing goes along with it.
    """
    control, done = described.control, _done(described, table, before)
    done = and_(done, *not_referred_to(connection, table))
    row_id = table.c[control.row_id]
    if only_count:
        return connection.scalar(select(func.count()).select_from(table).where(done)) or 0
    page = select(row_id).where(done).order_by(row_id).limit(ROWS_AT_ONCE)
    ids = connection.scalars(page).all()
    if ids:
        # The condition again: the writer may have taken one up once more.
        connection.execute(delete(table).where(row_id.in_(ids), done))
    return len(ids)


def purge_receipts(
    connection: Connection, beside: Beside, before: datetime, *, only_count: bool = False
) -> int:
    """As `purge_table`, of receipts and of headers of batches that are done."""
    receipt, header = beside.receipt, beside.batch
    closed = [BATCH_CODES[each] for each in (BatchState.CLOSED, BatchState.CLOSED_WITH_REFUSALS)]
    old = header.c.b_closed_at < before
    if only_count:
        asked = select(func.count()).select_from(receipt).where(receipt.c.r_time < before)
        return connection.scalar(asked) or 0
    page = select(receipt.c.r_uid).where(receipt.c.r_time < before).limit(ROWS_AT_ONCE)
    uids = connection.scalars(page).all()
    if uids:
        connection.execute(delete(receipt).where(receipt.c.r_uid.in_(uids)))
    else:
        connection.execute(delete(header).where(header.c.b_state.in_(closed), old))
    return len(uids)


def _done(described: ExchangeTable, table: Table, before: datetime) -> ColumnElement[bool]:
    control = described.control
    state, handled = table.c[str(control.state)], table.c[str(control.handled_at)]
    ends = state.in_([control.word(each) for each in PURGED if each in control.states])
    done = (handled < before) & ends
    if control.told:
        # Of a table that we write: only what its reader has come to an end with, and we have seen.
        done &= table.c[control.told] == state
    if described.keeps is Keeps.LATEST:
        deleted = control.operation_codes["deleted"]
        done &= or_(
            table.c[str(control.operation)] == deleted,
            state == control.word(RowState.WITHDRAWN),
        )
    return done
