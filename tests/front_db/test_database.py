"""Every wait on a partner's database ends, and what it refuses is one of three kinds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, MetaData, Table, insert, make_url, select, text

from front_db.check import prove
from front_db.database import Database, Limits
from front_db.ddl import sql_table
from front_db.group import GroupedWrites
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from tests.front_db.tables import CASES, written_row
from tests.servers.sockets import talking

QUICK = Limits(connect_s=2, lock_s=0.3, call_s=2.0, connections=2)


@asynccontextmanager
async def opened(url: str, limits: Limits = QUICK) -> AsyncIterator[Database]:
    database = Database(url, limits)
    database.open()
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def cases(partner: Engine) -> Table:
    table = sql_table(CASES, MetaData())
    table.create(partner)
    return table


async def test_a_lock_that_somebody_holds_is_not_waited_for_long(
    url: str, partner: Engine, cases: Table
) -> None:
    """The partner's batch job holds our row: Transient, and its job is not disturbed."""
    row = written_row(CASES, {"project_no": "A-1"})
    limits = replace(QUICK, call_s=5.0)
    async with opened(url, limits) as database:
        with partner.connect() as theirs:
            if theirs.dialect.name == "sqlite":
                theirs.execution_options(shuniu_write=True)
            with theirs.begin():
                theirs.execute(insert(cases), dict(row))

                with pytest.raises(Transient) as caught:
                    await database.write(lambda c: c.execute(insert(cases), dict(row)), CASES)

        assert "target.locked" == caught.value.code
        held = await database.read(lambda c: c.scalar(select(cases.c.project_no)))
        assert "A-1" == held


async def test_a_table_that_is_not_there_stops_the_route(url: str) -> None:
    """No retry helps: a person must create it or grant it."""
    missing = sql_table(CASES, MetaData())
    async with opened(url) as database:
        with pytest.raises(Misconfigured) as caught:
            await database.write(lambda c: prove(c, CASES, missing, written=True), CASES)

    assert ("target.no-table", "cases") == (caught.value.code, caught.value.facts["table"])


async def test_a_column_that_is_not_there_stops_the_route(
    url: str, partner: Engine, cases: Table
) -> None:
    """The partner changed its table without telling."""
    with partner.begin() as connection:
        connection.execute(text("ALTER TABLE cases RENAME COLUMN applicant TO sqr"))
    async with opened(url) as database:
        with pytest.raises(Misconfigured) as caught:
            await database.write(lambda c: prove(c, CASES, cases, written=True), CASES)

    assert "target.no-column" == caught.value.code


async def test_the_check_changes_nothing(url: str, partner: Engine, cases: Table) -> None:
    """It is run at noon on a working day."""
    async with opened(url) as database:
        await database.write(lambda c: prove(c, CASES, cases, written=True), CASES)
        await database.write(lambda c: prove(c, CASES, cases, written=False), CASES)

        assert [] == await database.read(lambda c: list(c.execute(select(cases))))


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (lambda url: url.set(password="wrong"), Misconfigured),
        (lambda url: url.set(database="not_there"), Misconfigured),
        (lambda url: url.set(port=1), Transient),
    ],
    ids=["password", "database", "port"],
)
@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
async def test_what_is_wrong_with_the_address_is_of_its_kind(
    server: str,
    broken: Callable[..., object],
    kind: type[HubError],
    request: pytest.FixtureRequest,
) -> None:
    """A wrong password stops the route; a server that is away is tried again."""
    address = make_url(request.getfixturevalue(server))
    wrong = broken(address).render_as_string(hide_password=False)  # type: ignore[attr-defined] # a helper without types
    async with opened(wrong) as database:
        with pytest.raises(HubError) as caught:
            await database.read(lambda c: c.execute(text("SELECT 1")))

    assert kind is type(caught.value)
    assert str(address.password) not in f"{caught.value} {caught.value.facts}"


async def test_a_file_that_is_not_a_database_is_gibberish(tmp_path: Path) -> None:
    """Half a copy of a file, for example: later there may be the whole one."""
    file = tmp_path / "half.db"
    file.write_bytes(b"not a database at all" * 100)
    async with opened(f"sqlite:///{file}") as database:
        with pytest.raises(Transient) as caught:
            await database.read(lambda c: c.execute(text("SELECT * FROM sqlite_master")).all())

    assert "target.gibberish" == caught.value.code


async def test_a_bad_address_is_told_when_opening() -> None:
    """An unknown driver is a wrong profile, not a delivery to retry."""
    with pytest.raises(Misconfigured) as caught:
        Database("oracel://host/x").open()

    assert "front-db.url" == caught.value.code


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql+pymysql"])
async def test_a_server_that_says_nothing_is_given_up(scheme: str) -> None:
    """It takes the connection and is silent: within the call's limit we are free again."""

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with talking(silent) as port:
        quick = replace(QUICK, call_s=0.3)
        started = time.monotonic()
        async with opened(f"{scheme}://u:p@127.0.0.1:{port}/x", quick) as database:
            with pytest.raises(Transient) as caught:
                await database.read(lambda c: c.execute(text("SELECT 1")))

    assert "target.timeout" == caught.value.code
    assert 20 > time.monotonic() - started


async def test_a_statement_that_never_ends_gives_its_thread_back(postgres_url: str) -> None:
    """The line is cut from outside, so that two hung calls do not use up two threads for ever."""
    limits = Limits(connect_s=2, lock_s=0.3, call_s=0.5, connections=1)
    async with opened(postgres_url, limits) as database:
        await database.read(lambda c: c.execute(text("SELECT 1")))
        for _ in range(2):
            with pytest.raises(Transient):
                await database.read(lambda c: c.execute(text("SELECT pg_sleep(60)")))

        assert 1 == await _until_answered(database, lambda c: c.scalar(text("SELECT 1")))


async def _until_answered(database: Database, ask: Callable[[Connection], object]) -> object:
    async with asyncio.timeout(5):
        while True:
            try:
                return await database.read(ask)
            except Transient:
                await asyncio.sleep(0.05)


async def test_what_comes_during_a_write_goes_in_one_batch(
    url: str, partner: Engine, cases: Table
) -> None:
    """Fifty at once: all are written, each hears of its own row, and the bad one of its fault."""
    async with opened(url, replace(QUICK, call_s=8.0)) as database:
        blind = CASES.model_copy(
            update={"columns": tuple(c.model_copy(update={"codes": ()}) for c in CASES.columns)}
        )
        group = GroupedWrites(database, blind, cases, batch_rows=20)
        rows = [
            written_row(blind, {"project_no": f"A-{n}", "region": "1" if n == 7 else "130102"})
            for n in range(50)
        ]

        told = await asyncio.gather(*map(group.write, rows), return_exceptions=True)
        await group.close()

        assert [7] == [n for n, found in enumerate(told) if isinstance(found, Rejected)]
        held = await database.read(lambda c: set(c.scalars(select(cases.c.row_guid))))
        assert {str(row["row_guid"]) for n, row in enumerate(rows) if n != 7} == held


async def test_a_waiter_that_leaves_stops_waiting_at_once(
    url: str, partner: Engine, cases: Table
) -> None:
    """A route that is stopped does not hang on a partner's lock."""
    async with opened(url, replace(QUICK, lock_s=3.0, call_s=5.0)) as database:
        group = GroupedWrites(database, CASES, cases, batch_rows=20)
        row = written_row(CASES, {"project_no": "A-1"})
        with partner.connect() as theirs:
            theirs.execution_options(shuniu_write=True)
            with theirs.begin():
                theirs.execute(insert(cases), dict(row))
                waiting = asyncio.create_task(group.write(row))
                await asyncio.sleep(0)

                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.wait_for(waiting, timeout=0.2)

        await group.close()
