"""Batches (批次): a header declares count and digest, and its rows are read only when both agree.

Promises   rows of a batch that is open, or does not agree, are not read. A sealed batch whose rows
           are not all there yet is waited for: its writer may commit late
Units      *at*: Beijing time without zone; ``patience`` as a span of time
Careful    where the database cannot hash, the digest is computed here, row by row in bounded memory
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, literal_column, select, type_coerce, update
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db.capture import Outgoing
from front_db.digest import MODULUS, digest_columns, digest_sql, row_digest
from front_db.receipts import Receipt, write_receipts
from front_db.states import BATCH_CODES, BATCH_MOVES, BatchMove, BatchState, Party, RowState
from schemas.errors import Fact, Misconfigured
from schemas.texts import say

__all__ = [
    "PATIENCE",
    "BatchOutcome",
    "Header",
    "batch_digest",
    "check_batch",
    "counts_of",
    "move_batch",
    "settle_batches",
]

PATIENCE = timedelta(minutes=10)
ROWS_AT_ONCE = 1000
BATCHES_AT_ONCE = 50
PENDING = (RowState.NEW, RowState.HELD)
Header = Mapping[Any, Any]


def settle_batches(
    connection: Connection, outgoing: Outgoing, at: datetime, *, patience: timedelta = PATIENCE
) -> None:
    """Check what has been sealed, and close what is read to its end."""
    for header in _in_state(connection, outgoing, BatchState.SEALED):
        check_batch(connection, outgoing, header, at, patience)
    for state in (BatchState.CHECKED, BatchState.CLOSED_WITH_REFUSALS):
        for header in _in_state(connection, outgoing, state):
            _close(connection, outgoing, header, state, at)


def _in_state(connection: Connection, outgoing: Outgoing, state: BatchState) -> list[Header]:
    table = outgoing.beside.batch
    asked = (
        select(table)
        .where(table.c.b_table == outgoing.described.name, table.c.b_state == BATCH_CODES[state])
        .order_by(table.c.b_no)
        .limit(BATCHES_AT_ONCE)
    )
    return list(connection.execute(asked).mappings())


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What becomes of a batch, and the figures that say why."""

    target: BatchState
    code: str
    facts: Mapping[str, Fact]
    found: int | None = None
    digest: str | None = None
    taken: int | None = None
    refused: int | None = None


def check_batch(
    connection: Connection, outgoing: Outgoing, header: Header, at: datetime, patience: timedelta
) -> None:
    counts = counts_of(connection, outgoing, header["b_no"])
    found, declared = sum(counts.values()), header["b_count"]
    if declared != found:
        if _may_still_come(header, found, at, patience):
            return
        outcome = BatchOutcome(
            target=BatchState.MISMATCH,
            code="batch.count",
            facts={"declared": declared or 0, "found": found},
            found=found,
        )
    else:
        digest = batch_digest(connection, outgoing, header["b_no"])
        agrees = (header["b_digest"] or "").strip() in {"", digest}
        outcome = BatchOutcome(
            target=BatchState.CHECKED if agrees else BatchState.MISMATCH,
            code="batch.checked" if agrees else "batch.digest",
            facts={"count": found},
            found=found,
            digest=digest,
        )
    move_batch(connection, outgoing, header, BatchState.SEALED, outcome, at)


def _may_still_come(header: Header, found: int, at: datetime, patience: timedelta) -> bool:
    sealed: datetime | None = header["b_sealed_at"]
    declared: int | None = header["b_count"]
    fewer = declared is not None and found < declared
    return fewer and sealed is not None and at - sealed < patience


def _close(
    connection: Connection, outgoing: Outgoing, header: Header, state: BatchState, at: datetime
) -> None:
    control = outgoing.described.control
    counts = counts_of(connection, outgoing, header["b_no"])
    if any(counts.get(control.word(each)) for each in PENDING):
        return
    refused = counts.get(control.word(RowState.REFUSED), 0)
    if refused and state is BatchState.CLOSED_WITH_REFUSALS:
        return
    gone = (RowState.TAKEN, RowState.DELIVERED)
    taken = sum(counts.get(control.word(each), 0) for each in gone)
    outcome = BatchOutcome(
        target=BatchState.CLOSED_WITH_REFUSALS if refused else BatchState.CLOSED,
        code="batch.closed",
        facts={"taken": taken, "refused": refused},
        taken=taken,
        refused=refused,
    )
    move_batch(connection, outgoing, header, state, outcome, at)


def move_batch(
    connection: Connection,
    outgoing: Outgoing,
    header: Header,
    source: BatchState,
    outcome: BatchOutcome,
    at: datetime,
) -> None:
    target = outcome.target
    if BatchMove(source, target, Party.READER) not in BATCH_MOVES:
        raise Misconfigured("front-db.move", "No such move", source=source, target=target)
    table, reason = outgoing.beside.batch, say(outcome.code, outcome.facts, "zh")
    values = {
        "b_state": BATCH_CODES[target],
        "b_msg": reason,
        "b_found_count": outcome.found,
        "b_found_digest": outcome.digest,
        "b_taken": outcome.taken,
        "b_refused": outcome.refused,
        "b_closed_at": at.replace(microsecond=0) if outcome.taken is not None else None,
    }
    same = (table.c.b_table == header["b_table"], table.c.b_no == header["b_no"])
    # The declared count too: a header that was sealed anew meanwhile is judged next time.
    guard = (
        table.c.b_state == BATCH_CODES[source],
        table.c.b_count.is_not_distinct_from(header["b_count"]),
    )
    changed = {name: value for name, value in values.items() if value is not None}
    if not connection.execute(update(table).where(*same, *guard).values(changed)).rowcount:
        return
    receipt = Receipt(
        table=outgoing.described.name,
        batch=header["b_no"],
        stage=_stage(target),
        code=outcome.code,
        reason=reason,
        count=outcome.found if outcome.found is not None else outcome.taken,
        digest=outcome.digest or "",
    )
    write_receipts(connection, outgoing.beside, [receipt], at)


def _stage(target: BatchState) -> str:
    stages = {BatchState.CHECKED: "checked", BatchState.MISMATCH: "mismatch"}
    return stages.get(target, "closed")


def counts_of(connection: Connection, outgoing: Outgoing, number: str) -> dict[str, int]:
    """Rows of a batch by the word of their state; drafts and withdrawn ones are none of it."""
    table, control = outgoing.table, outgoing.described.control
    state = table.c[str(control.state)]
    aside = [control.word(each) for each in (RowState.DRAFT, RowState.WITHDRAWN)]
    asked = (
        select(state, func.count())
        .where(table.c[str(control.batch)] == number, state.not_in(aside))
        .group_by(state)
    )
    return {str(row[0]): int(row[1]) for row in connection.execute(asked)}


def batch_digest(connection: Connection, outgoing: Outgoing, number: str) -> str:
    """The sum of the digests of a batch's rows, as its header declares it."""
    table, described = outgoing.table, outgoing.described
    control = described.control
    state = table.c[str(control.state)]
    aside = [control.word(each) for each in (RowState.DRAFT, RowState.WITHDRAWN)]
    mine = (table.c[str(control.batch)] == number, state.not_in(aside))
    if told := digest_sql(described, connection.dialect.name):
        total_sql: ColumnElement[Any] = literal_column(told[1])
        asked = select(total_sql.label("total")).select_from(table).where(*mine)
        return str(connection.execute(asked).scalar_one())
    columns = [type_coerce(table.c[n], NullType()).label(n) for n in digest_columns(described)]
    total = 0
    rows = connection.execute(
        select(*columns).where(*mine), execution_options={"yield_per": ROWS_AT_ONCE}
    )
    for row in rows.mappings():
        total += int(row_digest(dict(row), described), 16)
    return str(total % MODULUS)
