"""Guarded moves: what changed since it was seen is not touched."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, update

from front_db.moves import Seen, move
from front_db.states import RowState
from schemas.errors import Misconfigured
from tests.front_db.standard import LEFT_AT, Standard, made


@pytest.fixture
def standard(partner: Engine) -> Standard:
    return made(partner)


def take(standard: Standard, *seen: Seen) -> list[Seen]:
    with standard.engine.begin() as connection:
        return move(
            connection,
            standard.out,
            standard.table,
            seen,
            RowState.NEW,
            RowState.TAKEN,
            {"x_done": LEFT_AT},
        )


def states(standard: Standard) -> dict[str, str]:
    table = standard.table
    with standard.engine.connect() as connection:
        return {row.x_key: row.x_state for row in connection.execute(select(table))}


def test_what_changed_since_it_was_seen_stays_new(standard: Standard) -> None:
    """A higher version, a state that the writer took back, and a row that is as it was."""
    for key in ("raised", "withdrawn", "same"):
        standard.leave(key)
    table = standard.table
    with standard.engine.begin() as connection:
        connection.execute(update(table).where(table.c.x_key == "raised").values(x_ver=2))
        connection.execute(update(table).where(table.c.x_key == "withdrawn").values(x_state="5"))

    moved = take(standard, Seen("1", 1), Seen("2", 1), Seen("3", 1))

    assert [Seen("3", 1)] == moved
    assert {"raised": "0", "withdrawn": "5", "same": "1"} == states(standard)


def test_the_version_that_was_handled_is_kept(standard: Standard) -> None:
    """With the time; so a later change that does not raise the version can be told."""
    standard.leave("a", 7)

    take(standard, Seen("1", 7))

    with standard.engine.connect() as connection:
        row = connection.execute(select(standard.table)).mappings().one()
    assert (7, LEFT_AT) == (row["x_done_ver"], row["x_done"])


def test_many_rows_move_at_once(standard: Standard) -> None:
    """More than one statement takes: all of them, in their order, and only once."""
    with standard.engine.begin() as connection:
        connection.execute(
            standard.table.insert(),
            [
                {"x_op": "I", "x_key": f"k{n}", "x_ver": 1, "x_time": LEFT_AT, "case_no": f"k{n}"}
                for n in range(1, 1202)
            ],
        )
    seen = [Seen(str(n), 1) for n in range(1, 1202)]

    assert seen == take(standard, *seen)
    assert [] == take(standard, *seen)


def test_a_move_that_no_reader_may_make_is_our_mistake(standard: Standard) -> None:
    """Withdrawing is the writer's alone: said by name, and nothing changes."""
    standard.leave("a")

    with pytest.raises(Misconfigured) as caught, standard.engine.begin() as connection:
        move(
            connection,
            standard.out,
            standard.table,
            [Seen("1", 1)],
            RowState.NEW,
            RowState.WITHDRAWN,
        )

    assert "front-db.move" == caught.value.code
    assert {"a": "0"} == states(standard)
