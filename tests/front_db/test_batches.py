"""Batches: rows are read only when the header's count and digest agree with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from front_db.batches import PATIENCE, settle_batches
from front_db.capture import Outgoing, acknowledge, begin, next_page
from front_db.digest import row_digest, sum_of
from tests.front_db.standard import LEFT_AT, Standard, good_row, made

AT = LEFT_AT + timedelta(minutes=1)


@pytest.fixture
def standard(partner: Engine) -> Standard:
    return made(partner)


def leave(standard: Standard, *names: str, batch: str = "B1") -> None:
    for name in names:
        standard.leave(name, x_batch=batch)


def seal(standard: Standard, count: int | None, digest: str | None = None) -> None:
    header = standard.beside.batch
    row = {"b_table": "o_test_case", "b_no": "B1", "b_state": "1", "b_count": count}
    with standard.engine.begin() as connection:
        connection.execute(insert(header), {**row, "b_digest": digest, "b_sealed_at": LEFT_AT})


def seal_again(standard: Standard, **values: object) -> None:
    with standard.engine.begin() as connection:
        connection.execute(update(standard.beside.batch).values(b_state="1", **values))


def poll(standard: Standard, at: datetime = AT) -> list[str]:
    """Read and acknowledge all there is; the keys that were taken."""
    source = Outgoing(standard.out, standard.table, standard.beside)
    with standard.engine.begin() as connection:
        settle_batches(connection, source, at)
        progress = begin(connection, source, at)
        assert progress
        page = next_page(connection, source, progress, after=None, limit=100, at=at)
        acknowledge(connection, source, page.rows, at)
        settle_batches(connection, source, at)
    return [row.judged.key for row in page.rows]


def header(standard: Standard) -> Any:
    with standard.engine.connect() as connection:
        return connection.execute(select(standard.beside.batch)).one()


def stages(standard: Standard) -> list[tuple[str, str]]:
    table = standard.beside.receipt
    asked = select(table.c.r_stage, table.c.r_msg).where(table.c.r_row.is_(None))
    with standard.engine.connect() as connection:
        return [(stage, said) for stage, said in connection.execute(asked)]


def test_rows_of_a_batch_wait_until_it_is_sealed(standard: Standard) -> None:
    """With no header, or an open one, they are not read; real-time rows pass them."""
    leave(standard, "a", "b")
    standard.leave("now")

    assert ["now"] == poll(standard)
    seal(standard, 2)
    assert ["a", "b"] == poll(standard)

    found = header(standard)
    assert ("5", 2, 2, 0) == (found.b_state, found.b_found_count, found.b_taken, found.b_refused)
    assert {"checked", "closed"} == {stage for stage, _ in stages(standard)}


def test_a_batch_that_is_not_complete_is_waited_for(standard: Standard) -> None:
    """A row of it may be committed late; after the patience it is a mismatch, with both numbers."""
    leave(standard, "a")
    seal(standard, 2)

    assert [] == poll(standard)
    assert "1" == header(standard).b_state
    assert [] == poll(standard, LEFT_AT + PATIENCE)
    assert ("8", "批次声明 2 行，实际读到 1 行，整批未读取；请补齐或更正声明后重新封存。") == (
        header(standard).b_state,
        header(standard).b_msg,
    )

    leave(standard, "b")
    seal_again(standard)
    assert ["a", "b"] == poll(standard)


def test_more_rows_than_declared_are_a_mismatch_at_once(standard: Standard) -> None:
    """Waiting makes them no fewer."""
    leave(standard, "a", "b")
    seal(standard, 1)

    assert [] == poll(standard)
    assert "8" == header(standard).b_state


def test_a_declared_digest_must_fit(standard: Standard) -> None:
    """The right number of rows and not the right ones: nothing of it is read."""
    leave(standard, "a", "b")
    rows = [{**good_row(key), "x_batch": "B1"} for key in ("a", "b")]
    right = sum_of(row_digest(row, standard.out) for row in rows)
    seal(standard, 2, "12345")

    assert [] == poll(standard)
    assert [("mismatch", right)] == [(stages(standard)[0][0], header(standard).b_found_digest)]
    seal_again(standard, b_digest=right)
    assert ["a", "b"] == poll(standard)


def test_a_refused_row_closes_a_batch_with_refusals_until_it_is_corrected(
    standard: Standard,
) -> None:
    """The other rows go; the corrected one is of the same batch and closes it in full."""
    leave(standard, "a", "b")
    table = standard.table
    with standard.engine.begin() as connection:
        connection.execute(update(table).where(table.c.x_id == 1).values(applicant_name=None))
    seal(standard, 2)

    assert ["b"] == poll(standard)
    assert ("6", 1, 1) == (
        header(standard).b_state,
        header(standard).b_taken,
        header(standard).b_refused,
    )
    with standard.engine.begin() as connection:
        mended = {"applicant_name": "甲", "x_ver": 2, "x_state": "0"}
        connection.execute(update(table).where(table.c.x_id == 1).values(mended))
    assert ["a"] == poll(standard)
    assert ("5", 2, 0) == (
        header(standard).b_state,
        header(standard).b_taken,
        header(standard).b_refused,
    )


def test_a_row_added_to_a_batch_that_is_done_is_answered(standard: Standard) -> None:
    """It would make the count a lie; left unread it would wait for ever in silence."""
    leave(standard, "a")
    seal(standard, 1)
    assert ["a"] == poll(standard)
    leave(standard, "late")

    assert [] == poll(standard)

    with standard.engine.connect() as connection:
        codes = connection.scalars(select(standard.table.c.x_code)).all()
    assert "row.batch-done" in codes
