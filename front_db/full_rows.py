"""Rows of full batches answered and marked, a page at a time: see `front_db.full_batches`.

Units      *at*: Beijing time without zone
Promises   each page is one transaction; done again, it finds what is left
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, FromClause, Table, exists, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db.beside import NO_BATCH
from front_db.capture import Outgoing
from front_db.contract import Control, ExchangeTable
from front_db.judge import Judged, Standing, judge, key_of
from front_db.moves import Seen, move
from front_db.read import Place, Read, read_new
from front_db.receipts import reason_of, receipts_of, write_receipts
from front_db.states import BATCH_CODES, BatchState, RowState
from schemas.errors import Fault

__all__ = ["answer_outside", "mark_page", "refuse_page", "refused_keys", "whole_batch"]

OUTSIDE_AT_ONCE = 500
ENDED = (BatchState.CLOSED, BatchState.CLOSED_WITH_REFUSALS, BatchState.CANCELLED)


def whole_batch(
    described: ExchangeTable, table: Table, number: str
) -> tuple[ExchangeTable, FromClause]:
    """A batch as a table of its own: key and content of its rows that are there."""
    control = described.control
    state, operation = table.c[str(control.state)], table.c[str(control.operation)]
    none = [control.word(each) for each in (RowState.DRAFT, RowState.WITHDRAWN, RowState.REFUSED)]
    there = (
        table.c[str(control.batch)] == number,
        state.not_in(none),
        operation != control.operation_codes.get("deleted", ""),
    )
    names = [str(control.key), *(each.name for each in described.columns)]
    columns = [type_coerce(table.c[name], NullType()).label(name) for name in names]
    plain = {
        "control": Control(key=control.key, key_length=control.key_length),
        "standard": False,
        "business_key": (),
    }
    rows = select(*columns).where(*there).subquery("whole_batch")
    return described.model_copy(update=plain), rows


def answer_outside(connection: Connection, outgoing: Outgoing, current: str, at: datetime) -> None:
    """Rows in no batch, or in one that has ended and is not *current*, would wait for ever."""
    described, table = outgoing.described, outgoing.table
    batch, header = table.c[str(described.control.batch)], outgoing.beside.batch
    ended = exists().where(
        header.c.b_table == described.name,
        header.c.b_no == batch,
        header.c.b_no != current,
        header.c.b_state.in_([BATCH_CODES[each] for each in ENDED]),
    )
    none = or_(batch.is_(None), batch == NO_BATCH)
    for where, code in ((none, "row.batch-needed"), (ended, "row.batch-done")):
        rows = _new(connection, outgoing, where, None, OUTSIDE_AT_ONCE)
        told = str(described.control.batch)
        fault = Fault(code, f"/{told}", {"column": told})
        judged = [
            Judged(row, key_of(row.raw or {}, described), RowState.REFUSED, (fault,))
            for row in rows
        ]
        _refuse(connection, outgoing, judged, at)


def refuse_page(
    connection: Connection,
    *,
    outgoing: Outgoing,
    number: str,
    after: Place | None,
    limit: int,
    at: datetime,
) -> Place | None:
    """Refuse those of the next *limit* new rows of a batch that cannot be handed on; where the next page
    begins, none after the last."""
    rows = _new(connection, outgoing, _of(outgoing, number), after, limit)
    judged = judge(rows, outgoing.described, Standing(), outgoing.fits)
    _refuse(connection, outgoing, [e for e in judged if e.state is RowState.REFUSED], at)
    return rows[-1].place if len(rows) == limit else None


def refused_keys(connection: Connection, outgoing: Outgoing, number: str) -> frozenset[str]:
    """Keys of a batch of which the row is refused: nobody knows yet what becomes of them."""
    control, table = outgoing.described.control, outgoing.table
    refused = table.c[str(control.state)] == control.word(RowState.REFUSED)
    asked = select(table.c[str(control.key)]).where(_of(outgoing, number), refused)
    return frozenset(str(key) for key in connection.scalars(asked))


def mark_page(
    connection: Connection, *, outgoing: Outgoing, number: str, limit: int, at: datetime
) -> int:
    """Mark the next *limit* new rows of a batch as taken; how many were."""
    described, table = outgoing.described, outgoing.table
    control = described.control
    row_id, version = table.c[control.row_id], table.c[str(control.version)]
    new = table.c[str(control.state)] == control.word(RowState.NEW)
    asked = select(row_id, version).where(_of(outgoing, number), new).order_by(row_id).limit(limit)
    seen = [Seen(str(found), told) for found, told in connection.execute(asked)]
    values = {control.handled_at: at, control.code: None, control.error: None}
    return len(move(connection, described, table, seen, RowState.NEW, RowState.TAKEN, values))


def _of(outgoing: Outgoing, number: str) -> ColumnElement[bool]:
    return outgoing.table.c[str(outgoing.described.control.batch)] == number


def _new(
    connection: Connection,
    outgoing: Outgoing,
    where: ColumnElement[bool],
    after: Place | None,
    limit: int,
) -> list[Read]:
    described, table = outgoing.described, outgoing.table
    return read_new(connection, described, table, after=after, limit=limit, only=where)


def _refuse(
    connection: Connection, outgoing: Outgoing, judged: Sequence[Judged], at: datetime
) -> None:
    """Those of one reason together, with a receipt for each fault."""
    described, control = outgoing.described, outgoing.described.control
    groups: dict[tuple[str, str], dict[Seen, Judged]] = {}
    for each in judged:
        said = (each.faults[0].code, reason_of(each.faults, described))
        groups.setdefault(said, {})[each.row.seen] = each
    for (code, reason), group in groups.items():
        values = {control.code: code, control.error: reason, control.handled_at: at}
        moved = move(
            connection,
            described,
            outgoing.table,
            list(group),
            RowState.NEW,
            RowState.REFUSED,
            values,
        )
        receipts = [told for seen in moved for told in receipts_of(group[seen], described)]
        write_receipts(connection, outgoing.beside, receipts, at)
