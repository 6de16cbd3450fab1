"""How far a row or a batch is, and who may move it where: the state machine of exchange tables.

Form       a table has a *writer* and a *reader*. Of a table in which a partner leaves rows for us we
           are the reader; of one in which we leave rows for the partner, it is. Both are the same
           machine; the words that a table uses for the states are data (`Control.states`)
Promises   pure. `front_db.moves` carries a reader's moves out by an UPDATE that names the state and
           the version which were seen, so a change made meanwhile is never swallowed
Careful    a writer may take a row back to "new" only with a higher version
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "BATCH_CODES",
    "BATCH_MOVES",
    "MOVES",
    "READ_BATCHES",
    "STANDARD_CODES",
    "BatchMove",
    "BatchState",
    "Move",
    "Party",
    "RowState",
    "may_move",
    "may_move_batch",
]


class RowState(StrEnum):
    """States of a row."""

    DRAFT = "draft"  # 编制中
    NEW = "new"  # 待交换
    TAKEN = "taken"  # 已接收
    DELIVERED = "delivered"  # 已送达
    REFUSED = "refused"  # 已驳回
    HELD = "held"  # 挂起: an earlier row of its key is refused
    WITHDRAWN = "withdrawn"  # 已撤回
    SUPERSEDED = "superseded"  # 已被取代: a newer version of its key went first


class BatchState(StrEnum):
    """States of a batch header."""

    OPEN = "open"  # 编制中: its rows are not read
    SEALED = "sealed"  # 已封存: complete, says the writer
    CHECKED = "checked"  # 已核对: count and digest agree; its rows are read
    CLOSED = "closed"  # 已完成
    CLOSED_WITH_REFUSALS = "closed-with-refusals"  # 已完成，有驳回
    MISMATCH = "mismatch"  # 数量或摘要不符: none of it is read
    CANCELLED = "cancelled"  # 已取消


class Party(StrEnum):
    WRITER = "writer"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class Move:
    """One move that is allowed. *raises*: only together with a higher version."""

    source: RowState
    target: RowState
    by: Party
    raises: bool = False


@dataclass(frozen=True, slots=True)
class BatchMove:
    source: BatchState
    target: BatchState
    by: Party


STANDARD_CODES: Mapping[RowState, str] = {
    RowState.NEW: "0",
    RowState.TAKEN: "1",
    RowState.DELIVERED: "2",
    RowState.REFUSED: "3",
    RowState.HELD: "4",
    RowState.WITHDRAWN: "5",
    RowState.SUPERSEDED: "6",
    RowState.DRAFT: "9",
}
BATCH_CODES: Mapping[BatchState, str] = {
    BatchState.OPEN: "0",
    BatchState.SEALED: "1",
    BatchState.CHECKED: "3",
    BatchState.CLOSED: "5",
    BatchState.CLOSED_WITH_REFUSALS: "6",
    BatchState.CANCELLED: "7",
    BatchState.MISMATCH: "8",
}
# Of these the rows are read: they agree, or no row of theirs is new any more but mended ones.
READ_BATCHES = (
    BatchState.CHECKED,
    BatchState.CLOSED,
    BatchState.CLOSED_WITH_REFUSALS,
    BatchState.CANCELLED,
)


def _moves() -> frozenset[Move]:
    s, reader, writer = RowState, Party.READER, Party.WRITER
    by_reader = {
        s.NEW: (s.TAKEN, s.REFUSED, s.HELD, s.SUPERSEDED),
        s.TAKEN: (s.DELIVERED, s.REFUSED),
        s.REFUSED: (s.SUPERSEDED,),
        s.HELD: (s.NEW,),
    }
    by_writer = {
        s.DRAFT: (s.NEW, s.WITHDRAWN),
        s.NEW: (s.DRAFT, s.WITHDRAWN),
        s.REFUSED: (s.WITHDRAWN,),
        s.HELD: (s.WITHDRAWN,),
    }
    again = (s.TAKEN, s.DELIVERED, s.REFUSED, s.HELD, s.WITHDRAWN, s.SUPERSEDED)
    return frozenset(
        [
            Move(source, target, reader)
            for source, targets in by_reader.items()
            for target in targets
        ]
        + [
            Move(source, target, writer)
            for source, targets in by_writer.items()
            for target in targets
        ]
        + [Move(source, s.NEW, writer, raises=True) for source in again]
    )


MOVES = _moves()
BATCH_MOVES = frozenset(
    {
        BatchMove(BatchState.OPEN, BatchState.SEALED, Party.WRITER),
        BatchMove(BatchState.OPEN, BatchState.CANCELLED, Party.WRITER),
        BatchMove(BatchState.SEALED, BatchState.CANCELLED, Party.WRITER),
        BatchMove(BatchState.MISMATCH, BatchState.SEALED, Party.WRITER),
        BatchMove(BatchState.MISMATCH, BatchState.CANCELLED, Party.WRITER),
        BatchMove(BatchState.SEALED, BatchState.CHECKED, Party.READER),
        BatchMove(BatchState.SEALED, BatchState.MISMATCH, Party.READER),
        BatchMove(BatchState.CHECKED, BatchState.CLOSED, Party.READER),
        BatchMove(BatchState.CHECKED, BatchState.CLOSED_WITH_REFUSALS, Party.READER),
        # Of a full batch: it was changed while it was read, or would take too much away; let pass.
        BatchMove(BatchState.CHECKED, BatchState.MISMATCH, Party.READER),
        BatchMove(BatchState.MISMATCH, BatchState.CHECKED, Party.READER),
        # A refused row of it was corrected in place.
        BatchMove(BatchState.CLOSED_WITH_REFUSALS, BatchState.CLOSED, Party.READER),
    }
)


def may_move(source: RowState, target: RowState, by: Party, *, raised: bool = False) -> bool:
    """
    Whether *by* may move a row; *raised*: its version rises with it.

    >>> may_move(RowState.NEW, RowState.TAKEN, Party.READER)
    True
    >>> may_move(RowState.REFUSED, RowState.NEW, Party.WRITER)
    False
    """
    return Move(source, target, by) in MOVES or (
        raised and Move(source, target, by, raises=True) in MOVES
    )


def may_move_batch(source: BatchState, target: BatchState, by: Party) -> bool:
    return BatchMove(source, target, by) in BATCH_MOVES
