"""A partner's table that changes its shape: what grows goes on, what loses stops that table alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from connectors.front_library import FrontLibrary, ReadTable, Settings
from front_db.contract import Column, Control, ExchangeTable
from front_db.drift import accept, drifts
from front_db.shape import ColumnShape, compared
from hub.store import Store
from schemas.errors import Misconfigured
from schemas.message import SystemCode
from shuniu.service_list import MIGRATIONS
from tests.records import shape

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CONTROL = Control(
    row_id="id", version="ver", state="state", written_at="gxsj", written_at_format="%Y-%m-%d"
)
TABLES = tuple(
    ExchangeTable(name=name, columns=(Column(name="qymc"),), control=CONTROL)
    for name in ("first", "second")
)


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ("varchar(100)", "varchar(200)", False),
        ("varchar(200)", "varchar(100)", True),
        ("varchar(100)", "text", False),
        ("text", "varchar(100)", True),
        ("character varying(9)", "character varying(9)", None),
        ("numeric(16,2)", "numeric(18,2)", False),
        ("numeric(16,2)", "numeric(16,4)", True),  # less room before the point
        ("numeric(16,2)", "numeric(16,0)", True),
        ("int(11)", "bigint(20)", False),
        ("bigint", "integer", True),
        ("date", "varchar(10)", True),
        ("decimal(10,2)", "decimal(10,2) unsigned", True),
    ],
)
def test_a_type_that_holds_less_loses(before: str, after: str, loses: bool | None) -> None:  # noqa: FBT001 - the expected
    """R-A6: wider is a notice; narrower, or another type, is not."""
    found = compared({"a": ColumnShape(before)}, {"a": ColumnShape(after)}, ["A"])

    assert ([] if loses is None else [loses]) == [each.loses for each in found]


def test_what_is_not_exchanged_may_go_but_not_a_key() -> None:
    """A column of theirs alone is their business; the key says which row is which."""
    before = {"a": ColumnShape("int", nullable=False, key=True), "own": ColumnShape("text")}
    gone = {"a": before["a"], "b": ColumnShape("int")}
    no_key = {"a": ColumnShape("int", nullable=False), "own": before["own"]}

    assert [("b", False), ("own", False)] == [
        (each.column, each.loses) for each in compared(before, gone, ["a"])
    ]
    assert [("a: int not null key → int not null", True)] == [
        (each.said, each.loses) for each in compared(before, no_key, ["a"])
    ]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hub.db")
    shape(store, MIGRATIONS)
    yield store
    store.close()


def connector(url: str, records: Store) -> FrontLibrary:
    """As a hub process that has just started has it."""
    reads = tuple(ReadTable(table=each.name, kind=each.name) for each in TABLES)
    settings = Settings(url=SecretStr(url), tables=TABLES, reads=reads)
    made = FrontLibrary(SystemCode("tax"), settings, clock=lambda: AT)
    made.keep_in(records)
    return made


async def read(connector: FrontLibrary) -> tuple[set[str], Misconfigured | None]:
    """The keys of what comes, and what stops a table."""
    found: set[str] = set()
    async with connector:
        try:
            async for record in connector.records(None):
                found.add(f"{record.kind}/{record.body['qymc']}")
        except Misconfigured as error:
            return found, error
    return found, None


def changed(partner: Engine, *statements: str) -> None:
    with partner.begin() as connection:
        for each in statements:
            connection.execute(text(each))


async def test_a_table_that_loses_a_column_stops_alone_and_goes_on_when_it_is_mended(
    partner: Engine, url: str, records: Store
) -> None:
    """New columns are a notice; one that is renamed stops its table, by name; back again, all goes on."""
    made = "(id varchar(50) PRIMARY KEY, ver bigint, state varchar(2), gxsj varchar(32), qymc varchar(100), x int)"
    for name in ("first", "second"):
        changed(
            partner,
            f"CREATE TABLE {name} {made}",
            f"INSERT INTO {name} (id, ver, state, gxsj, qymc) VALUES ('1', 1, '0', '2026-03-02', '甲')",  # noqa: S608 - names of ours
        )
    both = {"first/甲", "second/甲"}
    assert (both, None) == await read(connector(url, records))

    changed(partner, "ALTER TABLE first ADD COLUMN more int")
    assert (both, None) == await read(connector(url, records))
    (grown,) = await records.read(lambda c: drifts(c, "tax"))
    assert ("first", [], 1) == (grown.table, grown.lost, len(grown.grown))

    changed(partner, "ALTER TABLE first RENAME COLUMN qymc TO mc")
    running = connector(url, records)
    found, stopped = await read(running)
    assert {"second/甲"} == found
    assert stopped
    assert ("front-db.drift", "first") == (stopped.code, stopped.facts["table"])
    assert str(stopped.facts["changes"]).startswith("qymc: varchar(100) → ∅") or (
        "qymc: character varying(100) → ∅" == stopped.facts["changes"]
    )

    changed(partner, "ALTER TABLE first RENAME COLUMN mc TO qymc")
    assert (both, None) == await read(running)


async def test_a_person_accepts_a_table_as_it_is_now(
    partner: Engine, url: str, records: Store
) -> None:
    """A type that holds less stops it, over restarts, until somebody says that it is right."""
    for name in ("first", "second"):
        changed(
            partner,
            f"CREATE TABLE {name} (id varchar(50), ver bigint, state varchar(2), gxsj varchar(32), qymc varchar(100))",
            f"INSERT INTO {name} (id, ver, state, gxsj, qymc) VALUES ('1', 1, '0', '2026-03-02', '甲')",  # noqa: S608 - names of ours
        )
    await read(connector(url, records))
    changed(
        partner,
        "DROP TABLE first",
        "CREATE TABLE first (id varchar(50), ver bigint, state varchar(2), gxsj varchar(32), qymc varchar(50))",
        "INSERT INTO first (id, ver, state, gxsj, qymc) VALUES ('2', 1, '0', '2026-03-02', '乙')",
    )

    for _ in range(2):
        found, stopped = await read(connector(url, records))
        assert {"second/甲"} == found
        assert stopped
    assert not await records.write(lambda c: accept(c, "tax", "second", AT))
    assert await records.write(lambda c: accept(c, "tax", "first", AT))
    assert ({"first/乙", "second/甲"}, None) == await read(connector(url, records))
