"""Routes in order while the database is away, where what waits is kept: it costs time and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any

import psycopg
import pytest
import structlog
from psycopg import sql
from sqlalchemy import event, make_url, select
from sqlalchemy.exc import OperationalError

from hub import crew
from hub.delivery import under_way
from hub.store import Store, held
from hub.store.suspects import key_of, note
from hub.store.tables import suspects
from hub.topology import DELIVERY_LIMIT, depths
from schemas.errors import Transient
from schemas.message import Delivery
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, now, running_engine
from tests.hub.site import small_plan
from tests.records import shape

WAIT_S = 8.0
IN_ORDER = small_plan("order_by: subject")


class Away:
    """Lets nobody in, and throws out who is."""

    def __init__(self, url: str) -> None:
        at = make_url(url)
        self._name = sql.Literal(at.database)
        self._allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {{}}").format(
            sql.Identifier(str(at.database))
        )
        self._admin = at.set(drivername="postgresql", database="postgres").render_as_string(
            hide_password=False
        )

    def goes(self) -> None:
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(sql.SQL(self._allow.as_string(admin).format("false")))
            admin.execute(
                sql.SQL(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}"
                ).format(self._name)
            )

    def comes(self) -> None:
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(sql.SQL(self._allow.as_string(admin).format("true")))


@pytest.fixture
def records(postgres_url: str) -> Iterator[Store]:
    store = Store(postgres_url)
    shape(store)
    yield store
    store.close()


async def _said(logs: Sequence[Mapping[str, Any]], times: int, **told: str) -> None:
    async def look() -> int:
        return sum(told.items() <= dict(entry).items() for entry in logs)

    await eventually(look, lambda n: n >= times, f"{times} times {told}")


async def _all_of_a(running: Running) -> None:
    async def steps() -> list[object]:
        return [p["step"] for p in running.left.payloads if p["no"] == "A"]

    assert ["一", "二"] == await eventually(steps, lambda found: len(found) == 2, "all of A")
    assert not await running.failed()


async def test_what_is_in_hand_is_not_used_up_by_it(
    postgres_url: str, amqp_url: str, records: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call has failed, and that it waits cannot be kept. However often the route tries to start
    again meanwhile, nothing is delivered so often that the broker gives it up."""
    monkeypatch.setattr(crew, "AGAIN_FIRST_S", 0.05)
    monkeypatch.setattr(crew, "AGAIN_LAST_S", 0.05)
    away, fails = Away(postgres_url), True
    async with running_engine(amqp_url, records, plan=IN_ORDER) as running:
        running.left.gate = asyncio.Event()
        running.left.trouble = lambda _: Transient("target.down", "Away") if fails else None
        for name in ("一", "二"):
            await running.send({"bh": "A", "hj": name, "qh": "130102"})

        async def called() -> list[Delivery]:
            return running.left.calls

        await eventually(called, bool, "a call")
        with structlog.testing.capture_logs() as logs:
            away.goes()
            try:
                running.left.gate.set()
                role = "route route.steps-to-left:ordered"
                await _said(logs, DELIVERY_LIMIT + 5, event="role.failed", role=role)
            finally:
                away.comes()
        fails = False
        await _all_of_a(running)


async def test_what_waits_goes_on_after_it(
    postgres_url: str, amqp_url: str, records: Store
) -> None:
    """A message waits while nothing else comes: the database back, it is tried again."""
    away, fails = Away(postgres_url), True
    async with running_engine(amqp_url, records, plan=IN_ORDER) as running:
        # It names a wait that outlasts the outage: nothing else is to be done meanwhile.
        busy = Transient("target.busy", "Busy", after_s=WAIT_S)
        running.left.trouble = lambda _: busy if fails else None
        for name in ("一", "二"):
            await running.send({"bh": "A", "hj": name, "qh": "130102"})
        await running.until(Event.DELIVERY_RETRYING, 1)
        with structlog.testing.capture_logs() as logs:
            away.goes()
            try:
                await _said(logs, 2, event="order.unseen")
            finally:
                away.comes()
        fails = False
        await _all_of_a(running)


async def test_a_process_that_stops_in_order_leaves_no_note(
    amqp_url: str, records: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that waited is being delivered as the process stops: nobody died of it."""
    monkeypatch.setattr(under_way, "GRACE_S", 0.1)
    noted: list[MutableMapping[str, Any]] = []
    async with running_engine(amqp_url, records, plan=IN_ORDER) as running:
        running.left.trouble = lambda _: Transient("target.down", "Away")
        await running.send({"bh": "A", "hj": "一", "qh": "130102"})
        await running.until(Event.DELIVERY_RETRYING, 1)
        running.left.gate = asyncio.Event()
        before = len(running.left.calls)

        async def calls() -> int:
            return len(running.left.calls)

        await eventually(calls, lambda n: n > before, "the second call")
        noted = [dict(row) for row in await records.read(_notes)]
    assert [1] == [row["times"] for row in noted]
    assert [] == await records.read(_notes)


def _notes(connection: Any) -> Any:
    return connection.execute(select(suspects)).mappings().all()


async def test_several_that_let_go_of_the_same_never_wait_in_a_circle(records: Store) -> None:
    """After an outage each call that ends lets go of all that is left; whatever order each has them in,
    the database need end none of them (deadlock)."""
    ids = [f"{n:03}" for n in range(200)]
    for each in ids:
        await records.write(partial(note, key=key_of("left", each), at=now()))

    async with asyncio.TaskGroup() as tasks:
        for n in range(8):
            one_way = ids[n * 25 :] + ids[: n * 25]
            let_go = partial(held.let_go, route="left", message_ids=one_way[:: 1 - 2 * (n % 2)])
            tasks.create_task(records.write(let_go))

    assert [] == await records.read(_notes)


class Refusing:
    """A database that does not keep what waits, the first *times*; all else goes well."""

    def __init__(self, store: Store, times: int) -> None:
        self.left = times
        event.listen(store.engine, "before_cursor_execute", self._refuse)

    def _refuse(self, *given: Any) -> None:
        statement = given[2]
        if self.left and statement.startswith("INSERT INTO held"):
            self.left -= 1
            raise OperationalError(statement, {}, Exception("away for a moment"))


async def test_what_stands_behind_one_that_could_not_be_kept_does_not_overtake_it(
    amqp_url: str, store: Store
) -> None:
    """The first step's call fails as the database is away, only just: neither its retry nor its return
    can be kept, and the next step has its turn when the database is back. It does not go first."""
    busy = iter([Transient("target.busy", "Busy", after_s=0.1)])
    async with running_engine(amqp_url, store, plan=IN_ORDER) as running:
        running.left.gate = asyncio.Event()
        running.left.trouble = lambda _: next(busy, None)
        for name in ("一", "二"):
            await running.send({"bh": "A", "hj": name, "qh": "130102"})

        async def called() -> list[Delivery]:
            return running.left.calls

        await eventually(called, bool, "a call")
        await running.until(Event.RECORD_ACCEPTED, 2)
        queue = "route.steps-to-left:ordered"
        await eventually(
            lambda: depths(running.broker, [queue]), lambda d: not d[queue][0], "both in hand"
        )
        refusing = Refusing(store, 2)
        running.left.gate.set()

        await _all_of_a(running)
        assert not refusing.left
