"""The tax and the statistics bureau behave badly on purpose; their receiver has every row in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select

from catalog.lint import lint as lint_catalogue
from front_db.database import Limits, make_engine
from hub.store import Store
from routes.examples import run as run_examples
from routes.lint import lint
from shuniu.service_list import FED, TAKEN
from simulators.exchange_store import open_database
from simulators.front_end import tax_bureau
from simulators.server import listening
from simulators.statistics_bureau import StatisticsOffice
from simulators.statistics_tables import REPORTS
from simulators.statistics_tables import metadata as statistics_metadata
from simulators.surroundings import Surroundings
from simulators.tax_bureau import TaxOffice
from simulators.tax_tables import AMOUNTS, TAXPAYERS
from simulators.tax_tables import metadata as tax_metadata
from simulators.writing import Habits
from tests.front_db.plain import fresh_store
from tests.simulators.front_ends import CALLS, REPORTS_READ, SHARE, Clock, Flow, the_site

DAYS = 2
ALL, LOCK = "all of it", "a lock for long"
BAD: dict[str, Habits] = {
    "long transactions": Habits(long_transaction_s=1200),
    "clock skew": Habits(clock_skew_s=900),
    "re-used keys": Habits(reuse_every=2),
    "truncate and reload": Habits(empty_for_s=1800),
    LOCK: Habits(lock_for_s=600),
    ALL: Habits(
        long_transaction_s=1200,
        clock_skew_s=900,
        reuse_every=2,
        empty_for_s=1800,
        lock_for_s=450,
    ),
}


# Each bad habit alone on one database, all together on each; only a server's locks keep readers out.
CASES = [
    *((name, "postgres" if name == LOCK else "sqlite") for name in BAD if name != ALL),
    *((ALL, name) for name in ("sqlite", "postgres", "mariadb")),
]


@pytest.fixture
def url(request: pytest.FixtureRequest, database: str) -> str:
    """The address of a fresh database."""
    address: str = request.getfixturevalue(f"{database}_url")
    return address


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


@asynccontextmanager
async def flowing(
    system: str, url: str, store: Store, **changed: Any
) -> AsyncIterator[tuple[Flow, Engine]]:
    """The partner's line to its database, and what goes from there to the platform."""
    metadata = tax_metadata if system == "tax-bureau" else statistics_metadata
    partner = open_database(url, metadata)
    ours = make_engine(url, Limits())
    # One SQLite file has one writer, and the receiver shall not wait for the partner.
    into = f"{url}-received" if ours.dialect.name == "sqlite" else url
    flow = Flow(system, ours, url, into, store, Clock(), changed)
    await flow.open()
    try:
        yield flow, partner
    finally:
        await flow.close()
        ours.dispose()
        partner.dispose()


def equal(flow: Flow, *tables: Any) -> None:
    """Row for row: what records told, in all columns; what the receiver holds, in all of its own."""
    for table in tables:
        theirs = flow.theirs(table)
        assert theirs
        assert theirs == flow.mirrored(table)
        assert flow.due(table) == flow.received(CALLS[table.name])


def test_the_ready_front_ends_are_without_fault() -> None:
    """Copied over the reference site: no error and no warning of theirs, and each example passes."""
    declarations = the_site().declarations
    found = [str(each) for each in lint(declarations, fed=FED, taken=TAKEN)]

    assert [] == [each for each in found if "bureau" in each or "data-platform" in each]
    assert [] == [e for e in lint_catalogue(declarations.catalogue) if e.severity == "error"]
    outcomes = run_examples(declarations)
    assert [] == [each for each in outcomes if not each.passed]


# It stamps nothing, so its clock does no harm.
@pytest.mark.parametrize(("bad", "database"), [each for each in CASES if each[0] != "clock skew"])
async def test_the_tax_bureau(bad: str, url: str, store: Store) -> None:
    """Compared by keys behind a fuse: an emptied table takes nothing away, and in the end all is equal,
    whatever its programs do and wherever the hub's process dies. R-A6"""
    habits = BAD[bad]
    async with flowing("tax-bureau", url, store) as (flow, partner):
        office = TaxOffice(partner, flow.clock.local)
        await flow.day(office)
        await flow.poll()
        flow.clock.later(600)
        await flow.poll()
        office.habits = habits
        for _ in range(DAYS):
            before = flow.live()
            during = await flow.day(office)
            assert min(during) >= (1 - SHARE) * before
            flow.clock.later(600)
            await flow.poll()

        equal(flow, TAXPAYERS, AMOUNTS)
        office.writer.close()
    assert bool(habits.empty_for_s) == bool(flow.errors.get("front-db.fuse"))


@pytest.mark.parametrize(("bad", "database"), CASES)
async def test_the_statistics_bureau(bad: str, url: str, store: Store) -> None:
    """Behind a mark, with a window for late commits and clocks that differ, and a look at all keys."""
    habits = BAD[bad]
    changed = {"reads": [REPORTS_READ]} if habits.empty_for_s else {}
    async with flowing("statistics-bureau", url, store, **changed) as (flow, partner):
        office = StatisticsOffice(partner, flow.clock.local)
        await flow.day(office)
        office.habits = habits
        for _ in range(DAYS):
            before = flow.live()
            during = await flow.day(office)
            assert min(during) >= (1 - SHARE) * before
        # What was struck off is found once a day.
        flow.clock.later(86400)
        await flow.poll()
        await flow.poll()

        equal(flow, REPORTS)
        office.writer.close()
    assert bool(habits.empty_for_s) == bool(flow.errors.get("front-db.fuse"))


@pytest.mark.parametrize(
    ("make", "metadata"),
    [(TaxOffice, tax_metadata), (StatisticsOffice, statistics_metadata)],
    ids=["tax", "statistics"],
)
async def test_an_office_goes_on_where_its_tables_are(
    make: Callable[..., Any], metadata: Any, sqlite_url: str
) -> None:
    """Started anew, its next day is the next month."""
    clock = Clock()
    engine = open_database(sqlite_url, metadata)
    seen = []
    for _ in range(2):
        office = make(engine, clock.local)
        office.habits = replace(office.habits, reuse_every=1)
        office.day()
        while not office.writer.rests:
            clock.later(60)
            office.writer.work()
        table = office.tables[-1]
        with engine.connect() as connection:
            column = table.c.ssq if "ssq" in table.c else table.c.bgq
            seen.append({*connection.scalars(select(column))})
    engine.dispose()

    assert [{"202601"}, {"202601", "202602"}] == seen


async def test_it_works_when_it_is_told_to(tmp_path: Path) -> None:
    """Quiet until then; a switch that it does not know is refused."""
    given = Surroundings(folder=tmp_path, hub_url="http://127.0.0.1:9", secrets={})
    async with (
        tax_bureau(given) as partner,
        listening(partner.app) as address,
        httpx.AsyncClient(trust_env=False, base_url=f"{address}/_sim") as http,
    ):
        assert {"quiet": True} == (await http.get("/quiet")).json()
        assert 422 == (await http.post("/faults", json={"hang_for_s": 1})).status_code
        assert 422 == (await http.post("/days", json={"days": 0})).status_code
        assert 200 == (await http.post("/faults", json={"empty_for_s": 1})).status_code
        assert 200 == (await http.post("/days", json={"days": 1})).status_code
        assert {"quiet": False} == (await http.get("/quiet")).json()
        assert 1 == (await http.get("/counts")).json()["waiting"]
