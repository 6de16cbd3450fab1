"""Receipts (回执): what became of each row and batch, written where the partner can select it.

Form       a row of ``xch_receipt`` for each row taken, held or superseded, and for each fault of a
           refused one: the field, why, and an example of a right value. The row itself carries the
           first code and all reasons
Promises   written in the transaction of the move that they tell of; the same receipt is never there
           twice. No value of the row is quoted, however wrong
Careful    texts are Chinese: they are read in the partner's own database tool
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from front_db.beside import NO_BATCH, Beside
from front_db.contract import Column, ExchangeTable, Kind
from front_db.judge import Judged
from front_db.states import RowState
from schemas.errors import Fault
from schemas.texts import say

__all__ = [
    "Receipt",
    "batch_of",
    "batch_of_row",
    "example_of",
    "reason_of",
    "receipts_of",
    "taken_receipt",
    "write_receipts",
]

LOOK_UP = 500
UID_LENGTH = 40
EXAMPLES = {
    Kind.TEXT: "示例文本",
    Kind.WHOLE: "12",
    Kind.DATE: "2026-03-02",
    Kind.MOMENT: "2026-03-02 09:00:00",
    Kind.FLAG: "1",
    Kind.LONG: "示例文本",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt; *row* is empty for a whole batch. Texts in Chinese."""

    table: str
    batch: str
    stage: str
    row: str = ""
    key: str = ""
    version: int | None = None
    field: str = ""
    code: str = ""
    reason: str = ""
    example: str = ""
    count: int | None = None
    digest: str = ""

    @property
    def uid(self) -> str:
        """The same for the same thing told."""
        row = self.row or self.key  # a row that is not there has its key alone
        parts = (self.table, self.batch, row, self.version, self.stage, self.field, self.code)
        told = "\x1f".join(str(part) for part in (*parts, self.digest, self.count))
        return sha256(told.encode()).hexdigest()[:UID_LENGTH]


def receipts_of(judged: Judged, described: ExchangeTable) -> list[Receipt]:
    """The receipts of one row: one for each fault, or one that it was taken."""
    return [
        Receipt(
            table=described.name,
            batch=batch_of(judged, described),
            row=judged.row.seen.row_id,
            key=judged.key[:200],
            version=judged.row.seen.version,
            stage=judged.state,
            field=fault.at[1:] if fault else "",
            code=fault.code if fault else "",
            reason=say(fault.code, fault.facts, "zh") if fault else "",
            example=example_of(described.column(fault.at[1:])) if fault else "",
        )
        for fault in (judged.faults or (None,))
    ]


def batch_of(judged: Judged, described: ExchangeTable) -> str:
    return batch_of_row(judged.row.raw or {}, described)


def batch_of_row(row: Mapping[str, object], described: ExchangeTable) -> str:
    """The batch that a row belongs to, or the word for none."""
    name = described.control.batch
    return str(row.get(name) or NO_BATCH) if name else NO_BATCH


def reason_of(faults: Sequence[Fault], described: ExchangeTable) -> str:
    """All of *faults* for the row's own column, cut to its length."""
    parts: list[str] = []
    for fault in faults:
        example = example_of(described.column(fault.at[1:]))
        told = say(fault.code, fault.facts, "zh")
        parts.append(f"{told}正确示例：{example}。" if example else told)
    return "".join(parts)[: described.control.error_length]


def example_of(column: Column | None) -> str:
    """A right value of *column*; empty for a control column."""
    if column is None:
        return ""
    if column.example:
        return column.example
    if column.codes:
        return column.codes[0]
    if column.kind is Kind.DECIMAL:
        return f"12.{'5'.ljust(column.places, '0')}" if column.places else "12"
    return EXAMPLES[column.kind][: column.length]


def write_receipts(
    connection: Connection, tables: Beside, receipts: Sequence[Receipt], at: datetime
) -> None:
    """Write those that are not there yet. *at*: Beijing time without zone."""
    by_uid = {each.uid: each for each in receipts}
    table, uids = tables.receipt, list(by_uid)
    for start in range(0, len(uids), LOOK_UP):
        asked = select(table.c.r_uid).where(table.c.r_uid.in_(uids[start : start + LOOK_UP]))
        for found in connection.scalars(asked).all():
            del by_uid[found]
    if by_uid:
        rows = [_row(uid, each, at) for uid, each in by_uid.items()]
        connection.execute(insert(table), rows)


def _row(uid: str, receipt: Receipt, at: datetime) -> dict[str, object]:
    return {
        "r_uid": uid,
        "r_table": receipt.table,
        "r_batch": receipt.batch,
        "r_row": receipt.row or None,
        "r_key": receipt.key or None,
        "r_version": receipt.version,
        "r_stage": receipt.stage,
        "r_field": receipt.field or None,
        "r_code": receipt.code or None,
        "r_msg": receipt.reason or None,
        "r_example": receipt.example or None,
        "r_count": receipt.count,
        "r_digest": receipt.digest or None,
        "r_time": at.replace(microsecond=0),
    }


def taken_receipt(judged: Judged, described: ExchangeTable) -> Receipt:
    """That *judged* was taken."""
    return receipts_of(Judged(judged.row, judged.key, RowState.TAKEN), described)[0]
