"""State of exchange tables, and purging what is at an end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from front_db.capture import Outgoing, acknowledge, begin, next_page
from front_db.contract import Keeps
from front_db.upkeep import beats, purge_receipts, purge_table, table_status
from tests.front_db.standard import LEFT_AT, Standard, made

AT = LEFT_AT + timedelta(minutes=1)
LATER = AT + timedelta(days=1)


def poll(standard: Standard) -> None:
    source = Outgoing(standard.out, standard.table, standard.beside)
    with standard.engine.begin() as connection:
        progress = begin(connection, source, AT)
        assert progress
        page = next_page(connection, source, progress, after=None, limit=100, at=AT)
        acknowledge(connection, source, page.rows, AT)


@pytest.fixture
def standard(partner: Engine) -> Standard:
    """A row taken, one refused, one held behind it, one new."""
    standard = made(partner)
    standard.leave("taken")
    standard.leave("bad", applicant_name=None)
    standard.leave("bad", 2)
    poll(standard)
    standard.leave("new")
    return standard


def test_the_state_of_a_table_is_counted(standard: Standard) -> None:
    """By state and reason, with the time of what waits longest, and the hub's heartbeat."""
    with standard.engine.connect() as connection:
        found = table_status(connection, standard.out, standard.table, standard.beside)
        seen = beats(connection, standard.beside)

    assert {"taken": 1, "refused": 1, "held": 1, "new": 1} == found.rows
    assert ({"row.missing": 1}, LEFT_AT, False) == (found.refused, found.oldest, found.paused)
    assert {"hub": AT} == seen


def purged(standard: Standard, *, only_count: bool = False) -> int:
    with standard.engine.begin() as connection:
        return purge_table(connection, standard.out, standard.table, LATER, only_count=only_count)


def test_only_what_is_at_an_end_is_purged(standard: Standard) -> None:
    """What waits, is refused or held stays, however old; a count takes nothing away."""
    assert 1 == purged(standard, only_count=True)
    assert 1 == purged(standard)
    assert 0 == purged(standard)

    with standard.engine.connect() as connection:
        left = connection.scalars(
            select(standard.table.c.x_state).order_by(standard.table.c.x_id)
        ).all()
    assert ["3", "4", "0"] == left


def test_what_is_not_old_enough_stays(standard: Standard) -> None:
    """The time is when we handled it, not when its writer says it wrote it."""
    with standard.engine.begin() as connection:
        assert 0 == purge_table(connection, standard.out, standard.table, AT)
        assert 3 == purge_receipts(connection, standard.beside, LATER, only_count=True)
        assert 3 == purge_receipts(connection, standard.beside, LATER)
        assert 0 == purge_receipts(connection, standard.beside, LATER)


def test_a_table_of_latest_states_loses_deleted_keys_alone(partner: Engine) -> None:
    """Its other rows are what is true now."""
    standard = made(partner, keeps=Keeps.LATEST)
    for key in ("lives", "gone"):
        standard.leave(key)
    table = standard.table
    with partner.begin() as connection:
        gone = update(table).where(table.c.x_key == "gone")
        connection.execute(gone.values(x_op="D", x_ver=2))
    poll(standard)

    assert 1 == purged(standard)
    with partner.connect() as connection:
        assert ["lives"] == list(connection.scalars(select(table.c.x_key)))
