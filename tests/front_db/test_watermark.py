"""Behind a mark: late commits, equal and missing stamps, clocks, numbers left out; and what is not seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert

from front_db import gaps
from front_db.books import Book
from front_db.modes import WatermarkMode
from hub.store import Store
from tests.front_db.plain import STARTED, Plain, fresh_store

BY_TIME: dict[str, Any] = {"column": "changed", "window_s": 600, "again_s": 60}
BY_NUMBER: dict[str, Any] = {"column": "counter", "gap_s": 300}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def plain(request: pytest.FixtureRequest, partner: Engine, store: Store) -> Iterator[Plain]:
    plain = Plain(partner, store, WatermarkMode(**request.param))
    plain.create()
    yield plain
    plain.database.close()


@pytest.mark.parametrize("plain", [BY_TIME], indirect=True)
async def test_rows_of_one_stamp_are_not_lost_at_a_pages_edge(plain: Plain) -> None:
    """Pages of three, seven rows of one second; one more of that second comes later. R-A6"""
    plain.leave(*"ABCDEFG")
    assert [f"I {each}" for each in "ABCDEFG"] == await plain.poll()
    assert [] == await plain.poll()

    plain.leave("AA")
    assert ["I AA"] == await plain.poll()
    plain.later(5)
    plain.change("B", name="新", changed=plain.now.replace(tzinfo=None))
    assert ["U B"] == await plain.poll()


@pytest.mark.parametrize("plain", [BY_TIME], indirect=True)
async def test_what_is_committed_late_is_found_within_the_window(plain: Plain) -> None:
    """Told as late, so that a window too short is seen before it loses anything."""
    plain.leave("A")
    await plain.poll()
    plain.later(300)
    plain.leave("B")
    await plain.poll()
    plain.leave("late", at=STARTED + timedelta(seconds=10))
    plain.later(30)
    assert [] == await plain.poll(), "the window is read again every minute"

    plain.later(30)
    assert ["I late"] == await plain.poll()

    assert 1 == (await plain.standing()).figures["late"]
    plain.later(60)
    assert [] == await plain.poll()


@pytest.mark.parametrize("plain", [BY_TIME], indirect=True)
async def test_a_clock_that_is_ahead_hides_nobody_elses_rows(plain: Plain) -> None:
    """The mark never moves past now; rows without a stamp are read too, and counted."""
    plain.leave("ahead", at=STARTED + timedelta(days=2))
    plain.leave("A")
    assert ["I A", "I ahead"] == await plain.poll()
    plain.later(900)
    plain.leave("B")
    with plain.engine.begin() as connection:
        connection.execute(insert(plain.table), {"code": "none", "name": "无"})

    assert ["I B", "I none"] == await plain.poll()

    assert 1 == (await plain.standing()).figures["unstamped"]
    plain.later(60)
    assert [] == await plain.poll()
    plain.change("none", name="又")
    plain.later(60)
    assert ["U none"] == await plain.poll()


@pytest.mark.parametrize("plain", [{**BY_TIME, "keys_s": 3600}], indirect=True)
async def test_what_the_mark_cannot_see_is_found_by_comparing_and_counted(plain: Plain) -> None:
    """Deletes, changes without a stamp, commits later than the window."""
    plain.leave(*"ABCD")
    assert 4 == len(await plain.poll())
    plain.later(1800)
    plain.leave("C2")
    assert ["I C2"] == await plain.poll()
    plain.remove("A")
    plain.change("B", name="新")
    plain.leave("late", at=STARTED)
    plain.later(60)
    assert [] == await plain.poll()

    plain.later(3600)
    assert ["D A", "I late", "U B"] == sorted(await plain.poll())

    assert 3 == (await plain.standing()).figures["missed"]
    plain.later(3600)
    assert [] == await plain.poll()


@pytest.mark.parametrize("plain", [{**BY_TIME, "deleted": "gone"}], indirect=True)
async def test_a_column_may_say_that_a_row_is_deleted(plain: Plain) -> None:
    """Told once; and once more as a change when it counts again."""
    plain.leave("A", "B")
    await plain.poll()
    plain.later(5)
    now = plain.now.replace(tzinfo=None)
    plain.change("A", gone="1", changed=now)

    (deleted,) = await plain.seen()
    assert ("deleted", {"code": "A"}) == (str(deleted.operation), deleted.content)
    await plain.take([deleted])
    plain.later(61)
    assert [] == await plain.poll()
    plain.change("A", gone=None, changed=now)
    plain.later(61)
    assert ["U A"] == await plain.poll()


@pytest.mark.parametrize("plain", [BY_NUMBER], indirect=True)
async def test_a_number_left_out_is_waited_for(plain: Plain) -> None:
    """One comes late, however long after; one was rolled back and is given up, and counted."""
    for number in (1, 2, 4, 7):
        plain.leave(f"N{number}", counter=number)
    assert ["I N1", "I N2", "I N4", "I N7"] == await plain.poll()
    assert 3 == (await plain.standing()).figures["waiting_numbers"]
    plain.leave("N8", counter=8)
    plain.leave("N5", counter=5)

    late = await plain.seen()
    assert ["N5", "N8"] == [each.key for each in late]
    plain.restart()
    again = await plain.seen()
    assert [each.id for each in late] == [each.id for each in again]
    await plain.take(again)
    plain.later(301)
    assert [] == await plain.poll()

    figures = (await plain.standing()).figures
    assert (0, 2) == (figures["waiting_numbers"], figures["given_up"])


@pytest.mark.parametrize("plain", [BY_TIME], indirect=True)
async def test_a_first_load_goes_on_where_it_stopped_while_rows_come(plain: Plain) -> None:
    """Neither gap nor double: what was safe is not told again, what came meanwhile is."""
    for n in range(10):
        plain.leave(f"A{n}", at=STARTED - timedelta(hours=10 - n))
    found = await plain.seen()
    await plain.take(found[:7])
    plain.restart()
    plain.leave("B")
    plain.change("A2", name="新", changed=plain.now.replace(tzinfo=None))

    assert ["I A7", "I A8", "I A9", "U A2", "I B"] == await plain.poll()


async def test_gaps_that_overlap_lose_no_number(store: Store) -> None:
    """Read twice around a crash, with other rows there: what either time was missing is waited for."""
    await Book(store, "tax", "qyss", "watermark", lambda: STARTED).open()

    def noted(connection: Connection) -> list[tuple[int, int]]:
        gaps.note(connection, 1, [3, 7], STARTED)
        gaps.note(connection, 1, [3, 11], STARTED)
        gaps.note(connection, 1, [4, 8], STARTED)
        gaps.fill(connection, 1, [6])
        return gaps.open_gaps(connection, 1, 0, 9)

    assert [(4, 5), (5, 5), (7, 10)] == await store.write(noted)
