"""Tables that refer to each other, with references that the database itself enforces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, ForeignKeyConstraint, MetaData, select, text, update

from connectors.front_library import FrontLibrary, ReadTable, Settings
from front_db.contract import Column, Control, ExchangeTable
from front_db.ddl import sql_table
from front_db.modes import KeySetMode
from front_db.parents import references
from front_db.upkeep import purge_table
from schemas.errors import Transient
from schemas.message import SystemCode
from tests.front_db.plain import fresh_store
from tests.front_db.standard import LEFT_AT, Standard, made
from tests.simulators.exchange import a_delivery

OFFICE = ExchangeTable(
    name="office",
    columns=(Column(name="office_no", length=20, needed=True),),
    control=Control(row_id="office_row"),
)
CASE = ExchangeTable(
    name="office_case",
    columns=(Column(name="case_no", length=20), Column(name="office_no", length=20)),
    control=Control(row_id="case_row"),
)


def url_of(partner: Engine) -> SecretStr:
    return SecretStr(partner.url.render_as_string(hide_password=False))


def create(partner: Engine) -> None:
    """A case refers to its office."""
    metadata = MetaData()
    office, case = sql_table(OFFICE, metadata), sql_table(CASE, metadata)
    with partner.begin() as connection:
        office.create(connection)
        connection.execute(text("CREATE UNIQUE INDEX uq_office ON office (office_no)"))
        case.append_constraint(ForeignKeyConstraint(["office_no"], [office.c.office_no]))
        case.create(connection)


@pytest.fixture
async def library(partner: Engine) -> AsyncIterator[FrontLibrary]:
    create(partner)
    settings = Settings(url=url_of(partner), tables=(CASE, OFFICE))
    async with FrontLibrary(SystemCode("offices"), settings) as library:
        yield library


async def test_a_child_is_written_as_soon_as_its_parent_is(
    library: FrontLibrary, partner: Engine
) -> None:
    """Delivered at one time, the child first: neither waits for a retry. R-A6"""
    sent = []
    for n in range(12):
        sent += [
            a_delivery("office_case", {"case_no": f"C{n}", "office_no": f"O{n}"}),
            a_delivery("office", {"office_no": f"O{n}"}),
        ]

    await asyncio.gather(*(library.deliver(each) for each in sent))

    with partner.connect() as connection:
        found = connection.execute(text("SELECT case_no FROM office_case")).scalars().all()
    assert {f"C{n}" for n in range(12)} == {*found}


async def test_a_child_without_parent_waits(library: FrontLibrary) -> None:
    """It is tried again by the ladder, and another child beside it is written."""
    orphan = a_delivery("office_case", {"case_no": "C1", "office_no": "nowhere"})
    free = a_delivery("office_case", {"case_no": "C2"})

    told = await asyncio.gather(
        library.deliver(orphan), library.deliver(free), return_exceptions=True
    )

    assert isinstance(told[0], Transient)
    assert "target.parent" == told[0].code
    assert not isinstance(told[1], BaseException)
    await library.deliver(a_delivery("office", {"office_no": "nowhere"}))
    assert not (await library.deliver(orphan)).repeated


async def test_tables_are_read_parents_first(partner: Engine, tmp_path: Path) -> None:
    """In whatever order the profile names them."""
    create(partner)
    with partner.begin() as connection:
        connection.execute(text("INSERT INTO office (office_row, office_no) VALUES ('1', 'O1')"))
        row = "INSERT INTO office_case (case_row, case_no, office_no) VALUES ('2', 'C1', 'O1')"
        connection.execute(text(row))
    plain = [t.model_copy(update={"control": Control()}) for t in (CASE, OFFICE)]
    tables = tuple(t.model_copy(update={"business_key": (t.columns[0].name,)}) for t in plain)
    reads = tuple(ReadTable(table=t.name, kind=t.name, capture=KeySetMode()) for t in tables)
    settings = Settings(url=url_of(partner), tables=tables, reads=reads)
    library = FrontLibrary(SystemCode("offices"), settings)
    store = fresh_store(tmp_path)
    library.keep_in(store)

    async with library:
        found = [record.kind async for record in library.records(None)]
    store.close()

    assert ["office", "office_case"] == found
    # A table that is not there refers to nothing; the poll itself says that it is missing.
    assert {"office_case": {"office"}, "office": set(), "none": set()} == references(
        partner, ["office_case", "office", "none"]
    )


def done(standard: Standard, *keys: str) -> None:
    table: Any = standard.table
    with standard.engine.begin() as connection:
        mine = table.c.x_key.in_(keys)
        connection.execute(update(table).where(mine).values(x_state="1", x_done=LEFT_AT))


@pytest.mark.parametrize("rule", ["", " ON DELETE CASCADE"], ids=["kept", "cascade"])
def test_a_row_that_others_refer_to_is_not_purged(partner: Engine, rule: str) -> None:
    """Neither is what refers to it taken away with it: the child goes first, then the parent may. R-A6"""
    standard = made(partner)
    for key in ("a", "b", "c"):
        standard.leave(key)
    done(standard, "a", "b", "c")
    with partner.begin() as connection:
        kind = "INTEGER" if partner.dialect.name == "sqlite" else "BIGINT"
        reference = f"REFERENCES o_test_case (x_id){rule}"
        connection.execute(
            text(
                f"CREATE TABLE partners_own (note VARCHAR(20), row_no {kind},"
                f" FOREIGN KEY (row_no) {reference})"
            )
        )
        number = connection.scalar(
            select(standard.table.c.x_id).where(standard.table.c.x_key == "b")
        )
        own = "INSERT INTO partners_own (note, row_no) VALUES ('kept', :number)"
        connection.execute(text(own), {"number": number})

    def purge(*, only_count: bool = False) -> int:
        with partner.begin() as connection:
            later = LEFT_AT + timedelta(days=1)
            return purge_table(
                connection, standard.out, standard.table, later, only_count=only_count
            )

    assert 2 == purge(only_count=True)
    assert [2, 0] == [purge(), purge()]
    with partner.begin() as connection:
        assert 1 == connection.scalar(text("SELECT COUNT(*) FROM partners_own"))
        connection.execute(text("DELETE FROM partners_own"))
    assert [1, 0] == [purge(), purge()]
