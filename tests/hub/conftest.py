"""An engine on a real broker and a real database, with systems that a test can command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

import pytest
from sqlalchemy import RowMapping, select

from hub.broker import Broker, Publisher
from hub.crypto import Mac, Sm4Seal
from hub.delivery import Hours, Link, Turns
from hub.engine import ROLES, Engine
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from hub.plan import Plan
from hub.port import Traits
from hub.store import Store
from hub.store.tables import failures, ledger
from hub.streams import Subscriber
from schemas.message import Answer, Body, Delivery, MessageId, Record, SystemCode
from schemas.receipt import Event
from tests.hub.site import small_plan
from tests.records import shape

DEADLINE_S = 20.0


def now() -> datetime:
    return datetime.now(UTC)


class System:
    """A target that takes what it is given, once a key, unless a test sets *answers*."""

    traits = Traits(idempotent=True, says_why=True)

    def __init__(self) -> None:
        self.taken: dict[str, Delivery] = {}
        self.calls: list[Delivery] = []
        self.trouble: Callable[[Delivery], Exception | None] = lambda _: None
        self.ill: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None:
        if self.ill:
            raise self.ill

    async def deliver(self, delivery: Delivery, /) -> Answer:
        self.calls.append(delivery)
        if self.gate:
            await self.gate.wait()
        if error := self.trouble(delivery):
            raise error
        repeated = delivery.key in self.taken
        self.taken.setdefault(delivery.key, delivery)
        return Answer(f"N{len(self.taken)}", repeated=repeated)

    @property
    def payloads(self) -> list[Body]:
        return [delivery.payload for delivery in self.taken.values()]


@dataclass
class Running:
    """The engine under test and what a test asks of it."""

    engine: Engine
    store: Store
    broker: Broker
    publisher: Publisher
    left: System = field(default_factory=System)
    right: System = field(default_factory=System)

    async def send(
        self, body: Body, *, key: str = "", kind: str = "step", bulk: bool = False
    ) -> MessageId:
        """A record as the gateway hands it over; *bulk*: as a replay does, which may wait."""
        at = now()
        taken = Taken(
            id=new_id(at),
            system=SystemCode("sender"),
            received_at=at,
            traceparent=new_trace(),
            record=Record(kind=kind, key=key, body=body),
        )
        await self.publisher.publish(taken_in(taken, self.engine.plan, bulk=bulk))
        return taken.id

    async def rows(self, event: Event) -> Sequence[RowMapping]:
        query = select(ledger).where(ledger.c.event == event.value).order_by(ledger.c.id)
        return await self.store.read(lambda c: c.execute(query).mappings().all())

    async def failed(self, state: str = "waiting") -> Sequence[RowMapping]:
        query = select(failures).where(failures.c.state == state)
        return await self.store.read(lambda c: c.execute(query).mappings().all())

    async def until(self, event: Event, count: int) -> Sequence[RowMapping]:
        """The ledger's rows of *event*, once there are *count*."""
        found: Sequence[RowMapping] = await eventually(
            lambda: self.rows(event), lambda rows: len(rows) >= count, f"{count} {event}"
        )
        return found


async def eventually(
    look: Callable[[], Any],
    good: Callable[[Any], bool],
    wanted: str,
    *,
    within_s: float = DEADLINE_S,
) -> Any:
    """Look until it is good; fail, naming what was *wanted*, when that takes too long."""
    found: Any = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                found = await look()
                if good(found):
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"never came: {wanted}; last seen: {found}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """The hub's records in a fresh SQLite database."""
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


@asynccontextmanager
async def running_engine(
    url: str,
    store: Store,
    *,
    plan: Plan | None = None,
    roles: Sequence[str] = ROLES,
    subscribers: Sequence[Subscriber] = (),
    left: System | None = None,
    clock: Callable[[], datetime] = now,
    hours: Hours | None = None,
) -> AsyncIterator[Running]:
    """An engine that runs until the block is left. *left*: instead of the usual system; *hours*: its
    hours."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(url, name="test", mac=Mac(b"test")))
        publisher = await stack.enter_async_context(broker.publisher())
        left, right = left or System(), System()
        engine = Engine(
            url=url,
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=plan or small_plan(),
            clock=clock,
            links={
                name: Link(name, system, Turns(4), 4, hours=open_at)
                for name, system, open_at in (("left", left, hours), ("right", right, None))
            },
            subscribers=subscribers,
        )
        await engine.declare()
        task = asyncio.create_task(engine.run(roles))
        try:
            yield Running(engine, store, broker, publisher, left, right)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def running(amqp_url: str, store: Store) -> AsyncIterator[Running]:
    async with running_engine(amqp_url, store) as running:
        yield running


def a_step(number: str = "A1", *, region: str = "130102") -> dict[str, str]:
    """A record of the sender, in its own words."""
    return {"bh": number, "hj": "受理", "qh": region}


__all__ = ["Running", "System", "a_step", "eventually", "now", "replace", "running_engine"]
