"""Comparison of keys and digests: every difference is found, and none is told that the fuse keeps back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from front_db.modes import Fuse, KeySetMode
from hub.store import Store
from schemas.errors import Misconfigured
from tests.front_db.plain import STARTED, Plain, fresh_store, told

MODE = KeySetMode(every_s=60, range_rows=10, fuse=Fuse(share=0.3, rows=2))
CODES = [f"A{n:02}" for n in range(35)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def plain(partner: Engine, store: Store) -> Iterator[Plain]:
    plain = Plain(partner, store, MODE)
    plain.create()
    yield plain
    plain.database.close()


async def test_every_difference_is_found(plain: Plain) -> None:
    """Inserts, changes, deletes and a key used again, on a table that we only select from. R-A6"""
    plain.leave(*CODES)
    assert [f"I {code}" for code in CODES] == await plain.poll()
    assert [] == await plain.poll(), "it is not due again yet"

    plain.change("A05", name="新名𠮷")
    plain.change("A20", fee=0.5)
    plain.remove("A30")
    plain.leave("A001", "Z99")
    plain.later(60)
    assert ["I A001", "I Z99", "U A05", "U A20", "D A30"] == sorted(
        await plain.poll(), key=lambda each: ("IUD".index(each[0]), each)
    )

    plain.leave("A30")
    plain.later(60)
    assert ["I A30"] == await plain.poll()
    plain.later(60)
    assert [] == await plain.poll()


async def test_ranges_that_are_as_they_were_are_told_by_a_sum(plain: Plain) -> None:
    """Where the database can hash: only the range with the change is read row by row."""
    plain.leave(*CODES)
    await plain.poll()
    plain.change("A20", name="新")
    plain.later(60)

    assert ["U A20"] == await plain.poll()

    figures = (await plain.standing()).figures
    hashes = plain.engine.dialect.name != "sqlite"
    assert (4, 3 if hashes else 0) == (figures["ranges"], figures["same"])


async def test_versions_of_a_key_rise_and_what_is_read_twice_is_one_message(plain: Plain) -> None:
    """A crash before it was safe: the same id again, or another with a higher version where the row
    changed meanwhile."""
    plain.leave("A", "B")
    first = await plain.seen()
    plain.change("B", name="新")
    plain.restart()
    again = await plain.seen()

    assert first[0].id == again[0].id
    assert first[1].id != again[1].id
    assert first[1].version < again[1].version
    await plain.take(again)
    plain.later(60)
    plain.change("B", name="又新")
    (third,) = await plain.seen()
    plain.change("B", name="新")
    plain.restart()
    (back,) = await plain.seen()
    assert "U B" == told([back])[0], "whether the third arrived is not known"
    assert third.version < back.version
    await plain.take([back])
    plain.remove("B")
    plain.later(60)
    assert [("deleted", {"code": "B"})] == [
        (str(each.operation), each.content) for each in await plain.seen()
    ]


async def test_a_first_load_goes_on_where_it_stopped(plain: Plain) -> None:
    """What was safe is not read again; what changed behind it is found by the next comparison."""
    plain.leave(*CODES)
    found = await plain.seen()
    await plain.take(found[:27])
    plain.restart()
    plain.change("A03", name="新")

    rest = await plain.seen()

    assert CODES[27:] == [each.key for each in rest]
    assert 4 == (await plain.standing()).figures["ranges"]
    await plain.take(rest)
    plain.later(60)
    assert ["U A03"] == await plain.poll()


async def test_a_table_that_was_emptied_stops_and_nothing_is_told(plain: Plain) -> None:
    """Emptied at night, half loaded, loaded: it goes on by itself, having told only what changed."""
    plain.leave(*CODES)
    await plain.poll()
    plain.remove(*CODES)
    plain.later(60)
    with pytest.raises(Misconfigured) as caught:
        await plain.poll()
    assert ("front-db.fuse", 35, 35) == (
        caught.value.code,
        caught.value.facts["lost"],
        caught.value.facts["known"],
    )

    plain.leave(*CODES[:20], at=STARTED)
    plain.restart()
    with pytest.raises(Misconfigured):
        await plain.poll()
    plain.leave(*CODES[20:34], at=STARTED, name="新")
    plain.later(60)
    with pytest.raises(Misconfigured):
        await plain.poll()
    for code in CODES[20:34]:
        plain.change(code, name=f"企业{code}")
    plain.later(60)

    assert ["D A34"] == await plain.poll()
    assert "" == (await plain.standing()).code


async def test_a_person_lets_it_go_on(plain: Plain) -> None:
    """What was found is right: it is compared once more, and told."""
    plain.leave(*CODES)
    await plain.poll()
    plain.remove(*CODES[5:])
    plain.later(60)
    with pytest.raises(Misconfigured):
        await plain.poll()
    with pytest.raises(Misconfigured):
        await plain.poll()

    await plain.go_on()

    assert [f"D {code}" for code in CODES[5:]] == await plain.poll()
    plain.later(60)
    assert [] == await plain.poll()


async def test_two_rows_of_one_key_stop_the_table(partner: Engine, store: Store) -> None:
    """It would flip between them for ever."""
    plain = Plain(partner, store, MODE)
    with partner.begin() as connection:
        columns = "code varchar(32), name varchar(60), fee numeric(18,2), changed timestamp, "
        connection.exec_driver_sql(f"CREATE TABLE qyss ({columns} counter bigint, gone varchar(1))")
        connection.execute(insert(plain.table), [{"code": "A", "name": "a"}] * 2)

    with pytest.raises(Misconfigured) as caught:
        await plain.poll()
    assert "front-db.key-twice" == caught.value.code
    plain.database.close()
