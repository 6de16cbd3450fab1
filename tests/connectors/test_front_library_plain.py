"""The connector on tables that nobody may touch: their mode is declared, their progress kept by the hub."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from connectors.front_library import FrontLibrary, Settings
from front_db.database import Limits, make_engine
from front_db.modes import KeySetMode
from hub.store import Store
from schemas.errors import Misconfigured
from schemas.message import Record, SystemCode
from tests.front_db.plain import FIRMS, STARTED, Plain, fresh_store
from tests.front_db.standard import Standard


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[Engine]:
    """Embedded: what differs by database is tested where it is read."""
    engine = make_engine(f"sqlite:///{tmp_path}/partner.db", Limits())
    yield engine
    engine.dispose()


def settings(partner: Engine, capture: Any, *more: Any) -> Settings:
    told = {
        "url": partner.url.render_as_string(hide_password=False),
        "tables": [FIRMS.model_dump(), *(each.model_dump() for each in more)],
        "reads": [
            {"table": "qyss", "kind": "firm", "capture": capture},
            *({"table": each.name, "kind": each.name} for each in more),
        ],
    }
    return Settings.model_validate(told)


async def read(library: FrontLibrary) -> list[Record]:
    return [record async for record in library.records(None)]


async def test_a_table_is_read_in_its_mode_and_told_once(partner: Engine, store: Store) -> None:
    """Beside a standard table, after a restart too; the check asks for nothing but `SELECT`."""
    plain = Plain(partner, store, KeySetMode())
    plain.create()
    standard = Standard(partner)
    plain.leave("A", "B", gone="")
    standard.leave("k")
    declared = settings(partner, {"mode": "key-set", "every_s": 0}, standard.out)
    library = FrontLibrary(SystemCode("tax"), declared)
    library.keep_in(store)

    async with library:
        await library.check()
        found = await read(library)
        await library.taken(found)
        assert [("firm", "A"), ("firm", "B")] == [(r.kind, r.body["x_key"]) for r in found[:2]]
        assert ["o_test_case"] == [record.kind for record in found[2:]]
        assert ("I", "企业A") == (found[0].body["x_op"], found[0].body["name"])
        assert "gone" not in found[0].body, "an empty text is no value"
        assert isinstance(found[0].body["x_ver"], int)
    plain.remove("B")
    async with library:
        (gone,) = await read(library)
        assert {"code": "B", "x_op": "D", "x_key": "B"} == {
            name: value for name, value in gone.body.items() if name != "x_ver"
        }
    plain.database.close()


class Clock:
    """As a test sets it."""

    def __init__(self) -> None:
        self.at = STARTED.replace(hour=12)

    def __call__(self) -> datetime:
        return self.at


async def test_a_table_is_read_within_its_hours_and_its_rate(partner: Engine, store: Store) -> None:
    """What is left is read later, and nothing twice; another table of the partner's is not held up."""
    plain, clock = Plain(partner, store, KeySetMode()), Clock()
    plain.create()
    plain.leave(*(f"A{number}" for number in range(7)))
    standard = Standard(partner)
    standard.leave("k")
    declared = settings(partner, {"mode": "key-set", "every_s": 0}, standard.out)
    limited = declared.reads[0].model_copy(update={"hours": ("13:00-14:00",), "rows_per_minute": 3})
    declared = declared.model_copy(update={"reads": (limited, declared.reads[1])})
    library = FrontLibrary(SystemCode("tax"), declared, clock=clock)
    library.keep_in(store)

    found: list[list[str]] = []
    async with library:
        for minutes in (0, 60, 0, 1, 1, 1):
            clock.at += timedelta(minutes=minutes)
            records = await read(library)
            found.append([str(r.body["x_key"]) for r in records if r.kind == "firm"])
            await library.taken(records)
    assert [0, 3, 0, 3, 1, 0] == [len(each) for each in found]
    assert [f"A{number}" for number in range(7)] == sorted(key for each in found for key in each)
    plain.database.close()


async def test_without_the_hubs_records_only_such_a_table_is_not_read(
    partner: Engine, store: Store
) -> None:
    """As where a profile is only checked; what has states is read all the same."""
    standard = Standard(partner)
    standard.leave("k")
    async with FrontLibrary(
        SystemCode("tax"), settings(partner, "key-set", standard.out)
    ) as library:
        found: list[Record] = []
        with pytest.raises(Misconfigured) as caught:
            async for record in library.records(None):
                found.append(record)  # noqa: PERF401 - what came before the error counts
    assert "front-db.no-records" == caught.value.code
    assert ["o_test_case"] == [record.kind for record in found]


async def test_a_row_that_cannot_be_read_keeps_nobody_else(partner: Engine, store: Store) -> None:
    """It is not told with an empty field: it waits until it is mended, and is counted. R-A6"""
    plain = Plain(partner, store, KeySetMode(every_s=0))
    plain.create()
    plain.leave("A", "B")
    with partner.begin() as connection:
        connection.exec_driver_sql("UPDATE qyss SET name = x'00ff' WHERE code = 'A'")

    assert ["I B"] == await plain.poll()
    assert [] == await plain.poll()
    assert 1 == (await plain.standing()).figures["unreadable"]
    plain.change("A", name="好")
    assert ["I A"] == await plain.poll()
    assert 0 == (await plain.standing()).figures["unreadable"]
    plain.database.close()


@pytest.mark.parametrize(
    ("capture", "said"),
    [
        ({"mode": "watermark", "column": "gxsj"}, "no such column: gxsj"),
        ("triggers", "triggers fill a standard table"),
        ("by-hand", "by-hand"),
        ({"mode": "watermark", "column": "changed", "deleted": "gone", "keys_s": 9}, "keys_s"),
    ],
)
def test_a_mode_that_does_not_fit_its_table_is_told(
    partner: Engine, capture: Any, said: str
) -> None:
    """When the profile is read, not at the first row."""
    with pytest.raises(ValidationError) as caught:
        settings(partner, capture)
    assert said in str(caught.value)
