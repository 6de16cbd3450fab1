"""The state machine of exchange tables: who may move a row where."""

from __future__ import annotations

import pytest

from front_db.contract import Control
from front_db.states import (
    BATCH_CODES,
    MOVES,
    STANDARD_CODES,
    BatchState,
    Party,
    RowState,
    may_move,
    may_move_batch,
)


def reached(start: RowState) -> set[RowState]:
    found, coming = {start}, [start]
    while coming:
        source = coming.pop()
        for move in MOVES:
            if move.source is source and move.target not in found:
                found.add(move.target)
                coming.append(move.target)
    return found


def test_every_state_can_be_reached_and_has_a_word() -> None:
    """From a draft; a state that no row can be in would be a column's comment that lies."""
    assert set(RowState) == reached(RowState.DRAFT) == set(STANDARD_CODES)
    assert set(BatchState) == set(BATCH_CODES)


@pytest.mark.parametrize(
    "state",
    [s for s in RowState if s not in {RowState.DRAFT, RowState.NEW}],
)
def test_a_writer_sends_again_only_with_a_higher_version(state: RowState) -> None:
    """Whatever became of a row: the version is how a change is told from an echo."""
    assert not may_move(state, RowState.NEW, Party.WRITER)
    assert may_move(state, RowState.NEW, Party.WRITER, raised=True)


def test_a_reader_never_withdraws_and_a_writer_never_takes() -> None:
    """Withdrawing is the writer's right alone, receipts are the reader's."""
    readers = {move.target for move in MOVES if move.by is Party.READER}
    writers = {move.target for move in MOVES if move.by is Party.WRITER}

    assert {RowState.WITHDRAWN, RowState.DRAFT} & readers == set()
    assert {RowState.NEW, RowState.DRAFT, RowState.WITHDRAWN} == writers


def test_an_open_batch_is_never_checked() -> None:
    """It must be sealed by its writer first; what does not agree may be sealed again."""
    assert not may_move_batch(BatchState.OPEN, BatchState.CHECKED, Party.READER)
    assert may_move_batch(BatchState.SEALED, BatchState.CHECKED, Party.READER)
    assert may_move_batch(BatchState.MISMATCH, BatchState.SEALED, Party.WRITER)


def test_a_profile_names_the_states_that_its_partner_has() -> None:
    """At least new, taken and refused, each with a word of its own."""
    with pytest.raises(ValueError, match="no word for refused"):
        Control(row_id="id", states={RowState.NEW: "N", RowState.TAKEN: "T"})
    with pytest.raises(ValueError, match="same word"):
        Control(
            row_id="id",
            states={RowState.NEW: "N", RowState.TAKEN: "T", RowState.REFUSED: "T"},
        )
