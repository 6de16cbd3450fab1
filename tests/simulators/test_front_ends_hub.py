"""Two bureaus that behave badly, the whole hub on a real broker, and a receiver's tables that are equal in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy import RowMapping, Table, select

from front_db import refusals, shape_tables
from front_db.database import Limits, make_engine
from hub.broker import Broker
from hub.crypto import Mac, Sm4Seal
from hub.delivery import Link, Turns
from hub.engine import Engine, Polled
from hub.port import Cursor, Source, Traits
from hub.store import Store
from hub.store.tables import failures, ledger
from schemas.errors import HubError
from schemas.message import Record, SystemCode
from schemas.receipt import Event
from simulators.exchange_store import open_database
from simulators.front_end import Office
from simulators.statistics_bureau import StatisticsOffice
from simulators.statistics_tables import metadata as statistics_metadata
from simulators.tax_bureau import TaxOffice
from simulators.tax_tables import metadata as tax_metadata
from simulators.writing import Habits
from tests.hub.conftest import eventually
from tests.records import shape
from tests.simulators.front_ends import CALLS, REPORTS_READ, SHARE, Clock, Flow, the_plan

STEP_S, POLL_S, SETTLED_S = 300.0, 0.05, 600.0
BAD = Habits(long_transaction_s=900, clock_skew_s=900, reuse_every=2, empty_for_s=900)
# A day of its own: a source that has met an error is asked less often, and would not meet the other.
LOCKED = Habits(long_transaction_s=450, clock_skew_s=900, reuse_every=2, lock_for_s=450)
LONG_S = 60.0  # on a busy machine


@dataclass
class Counted:
    """A source, and how often it was asked and what it said no with."""

    source: Source
    begun: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    waits: bool = False  # before it is asked again, longer than usual

    @property
    def traits(self) -> Traits:
        return self.source.traits

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None:
        await self.source.check()

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        self.begun, self.waits = self.begun + 1, False
        try:
            async for record in self.source.records(after):
                yield record
        except HubError as error:
            self.errors[error.code] += 1
            self.waits = True
            raise

    async def taken(self, records: Sequence[Record], /) -> None:
        await self.source.taken(records)


@dataclass
class Bureau:
    """One partner: its programs, its line, its tables."""

    flow: Flow
    office: Office
    source: Counted

    def held(self) -> int:
        """How many rows the receiver has of it."""
        return sum(len(self.flow.received(CALLS[table.name])) for table in self.office.tables)

    async def looked_at(self) -> None:
        """Once a poll that began after now has ended, its records safe; not for one that rests after an
        error, as the partner would not wait either."""
        begun = self.source.begun

        async def look() -> bool:
            return self.source.waits or self.source.begun >= begun + 2

        await eventually(look, bool, "another poll", within_s=LONG_S)


@dataclass
class City:
    """Both bureaus, the hub and its records. *store*: what its ledger says."""

    clock: Clock
    store: Store
    tax: Bureau
    statistics: Bureau

    @property
    def bureaus(self) -> tuple[Bureau, Bureau]:
        return (self.tax, self.statistics)

    async def day(self, habits: Habits) -> None:
        """A day of both to its end, looked at all the while; the receiver keeps what it has."""
        before = [each.held() for each in self.bureaus]
        for each in self.bureaus:
            each.office.habits = habits
            each.office.day()
            each.office.writer.work()
        while not all(each.office.writer.rests for each in self.bureaus):
            await asyncio.gather(*(each.looked_at() for each in self.bureaus))
            for each, held in zip(self.bureaus, before, strict=True):
                assert each.held() >= (1 - SHARE) * held
            self.clock.later(STEP_S)
            for each in self.bureaus:
                each.office.writer.work()
        self.clock.later(SETTLED_S)
        for each in self.bureaus:
            for table in each.office.tables:
                await self.equal(each, table)

    async def equal(self, bureau: Bureau, table: Table) -> None:
        """Once the receiver's rows are those of *table*, row for row."""

        async def same() -> bool:
            due = await asyncio.to_thread(bureau.flow.due, table)
            held = await asyncio.to_thread(bureau.flow.received, CALLS[table.name])
            return bool(due) and due == held

        await eventually(same, bool, f"{table.name} is equal", within_s=LONG_S)

    async def receipted(self) -> None:
        """Once every record has its receipts, each once: accepted, its message published and delivered,
        or known already; each of the receiver's rows stands under the number of a receipt."""

        async def counts() -> dict[Event, int]:
            found = {event: len(await self.told(event)) for event in Event}
            return {event: count for event, count in found.items() if count}

        def whole(found: dict[Event, int]) -> bool:
            # A row that two looks of one poll find is told twice under one key.
            known = found.pop(Event.RECORD_REPEATED, 0)
            fresh = found.get(Event.RECORD_RECEIVED, 0) - known
            made = (Event.RECORD_ACCEPTED, Event.MESSAGE_PUBLISHED, Event.DELIVERY_DONE)
            return found == {Event.RECORD_RECEIVED: fresh + known, **dict.fromkeys(made, fresh)}

        await eventually(counts, whole, "all receipts, and no others", within_s=LONG_S)
        published = Counter(row["message_id"] for row in await self.told(Event.MESSAGE_PUBLISHED))
        done = await self.told(Event.DELIVERY_DONE)
        assert {1} == set(published.values())
        assert published == Counter(row["message_id"] for row in done)
        numbers = {row["number"] for row in done}
        for bureau in self.bureaus:
            for table in bureau.office.tables:
                assert bureau.flow.numbers(CALLS[table.name]) <= numbers
        assert [] == await self.store.read(lambda c: c.execute(select(failures)).all())

    async def told(self, event: Event) -> Sequence[RowMapping]:
        query = select(ledger).where(ledger.c.event == event.value).order_by(ledger.c.id)
        return await self.store.read(lambda c: c.execute(query).mappings().all())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The hub's own records."""
    store = Store(f"sqlite:///{tmp_path}/hub.db")
    shape(store)
    for each in (shape_tables.shapes.metadata, refusals.metadata):
        each.create_all(store.engine)
    yield store
    store.close()


@asynccontextmanager
async def a_city(
    amqp_url: str, store: Store, urls: dict[str, str], receiver_url: str
) -> AsyncIterator[City]:
    """A hub that runs between them. *urls*: of each bureau's own database."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        made = []
        for system, metadata, make in (
            ("tax-bureau", tax_metadata, TaxOffice),
            ("statistics-bureau", statistics_metadata, StatisticsOffice),
        ):
            partner = open_database(urls[system], metadata)
            stack.callback(partner.dispose)
            ours = make_engine(urls[system], Limits())
            stack.callback(ours.dispose)
            changed: dict[str, Any] = {"reads": [REPORTS_READ]} if make is StatisticsOffice else {}
            flow = Flow(system, ours, urls[system], receiver_url, store, clock, changed)
            await flow.open()
            stack.push_async_callback(flow.close)
            office = make(partner, clock.local)
            stack.callback(office.writer.close)
            made.append(Bureau(flow, office, Counted(flow.sender)))
        broker = await stack.enter_async_context(Broker(amqp_url, name="test", mac=Mac(b"test")))
        engine = Engine(
            url=amqp_url,
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=the_plan(),
            clock=clock,
            links={"data-platform": Link("data-platform", made[0].flow.receiver, Turns(16), 16)},
            polled=[Polled(SystemCode(each.flow.system), each.source, POLL_S) for each in made],
        )
        await engine.declare()
        running = asyncio.create_task(engine.run())
        try:
            yield City(clock, store, *made)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_two_bad_bureaus_and_the_whole_hub(
    amqp_url: str, store: Store, postgres_url: str, mariadb_url: str, sqlite_url: str
) -> None:
    """Long transactions, clocks that differ, keys of others, a table emptied in the night, locks: in MariaDB and
    PostgreSQL, through broker, pipeline and deliveries to a third database. In the end source and receiver are equal
    row for row, each record has its receipts, and at no time had the receiver lost what was emptied. R-A6, R-B3"""
    urls = {"tax-bureau": mariadb_url, "statistics-bureau": postgres_url}
    async with a_city(amqp_url, store, urls, f"{sqlite_url}-received") as city:
        for habits in (Habits(), BAD, LOCKED):
            await city.day(habits)
        for bureau in city.bureaus:
            assert {"front-db.fuse", "target.locked"} == set(bureau.source.errors)
        await city.receipted()
