"""Rows that a partner left: by state, oldest first, and marked only as they were seen."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, MetaData, Table, insert, select, update

from front_db.ddl import sql_table
from front_db.read import Read, Seen, mark_refused, mark_taken, read_new, readable
from schemas.errors import Misconfigured
from tests.front_db.tables import CASES, NEWS


@pytest.fixture
def news(partner: Engine) -> Table:
    table = sql_table(NEWS, MetaData())
    table.create(partner)
    return table


def leave(partner: Engine, news: Table, row_id: str, stamp: str, **more: object) -> None:
    row = {"id": row_id, "bbh": 1, "zt": "0", "gxsj": stamp, "xmbh": row_id, **more}
    with partner.begin() as connection:
        connection.execute(insert(news), row)


def read(partner: Engine, news: Table, **more: object) -> list[Read]:
    with partner.connect() as connection:
        return read_new(connection, NEWS, news, **{"after": None, "limit": 10, **more})  # type: ignore[arg-type] # keyword arguments of a test


def state_of(partner: Engine, news: Table, row_id: str) -> str:
    with partner.connect() as connection:
        return str(connection.scalar(select(news.c.zt).where(news.c.id == row_id)))


def test_oldest_first_and_in_pages(partner: Engine, news: Table) -> None:
    """By stamp, then id; a page goes on right behind the last row, also within one stamp."""
    leave(partner, news, "c", "20260302090000")
    leave(partner, news, "b", "20260301090000")
    leave(partner, news, "a", "20260302090000")

    first = read(partner, news, limit=2)
    second = read(partner, news, limit=2, after=first[-1].place)

    assert ["b", "a"] == [row.seen.row_id for row in first]
    assert ["c"] == [row.seen.row_id for row in second]


def test_a_row_committed_late_still_comes_out(partner: Engine, news: Table) -> None:
    """Its stamp is older than what was taken already: a watermark would skip it for ever."""
    leave(partner, news, "new", "20260302090000")
    with partner.begin() as connection:
        mark_taken(connection, NEWS, news, [row.seen for row in read(partner, news)])
    leave(partner, news, "late", "20260301080000")

    assert ["late"] == [row.seen.row_id for row in read(partner, news)]


def test_a_change_between_reading_and_marking_is_not_swallowed(
    partner: Engine, news: Table
) -> None:
    """The partner raised the version meanwhile: the mark misses, and the row comes out again."""
    leave(partner, news, "a", "20260302090000")
    leave(partner, news, "b", "20260302090000")
    seen = [row.seen for row in read(partner, news)]
    with partner.begin() as connection:
        connection.execute(update(news).where(news.c.id == "a").values(bbh=2, xmbh="changed"))

    with partner.begin() as connection:
        mark_taken(connection, NEWS, news, seen)

    again = read(partner, news)
    assert [("changed", Seen("a", 2))] == [(row.content["xmbh"], row.seen) for row in again]
    assert "1" == state_of(partner, news, "b")


def test_a_refused_row_tells_its_writer_why(partner: Engine, news: Table) -> None:
    """In the agreed column, cut to its length, and the row is not read again."""
    leave(partner, news, "a", "20260302090000")

    with partner.begin() as connection:
        mark_refused(connection, NEWS, news, Seen("a", 1), "无法识别" * 200)

    assert [] == read(partner, news)
    assert "9" == state_of(partner, news, "a")
    with partner.connect() as connection:
        assert 500 == len(str(connection.scalar(select(news.c.cwyy))))


def test_a_table_without_version_cannot_be_read() -> None:
    """Without one a change could be swallowed; so it is refused at the start, by name."""
    with pytest.raises(Misconfigured) as caught:
        readable(CASES)

    assert "state" == caught.value.facts["missing"]
