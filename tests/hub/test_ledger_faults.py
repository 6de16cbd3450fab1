"""The ledger's writer killed between any two of its steps: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import OperationalError

from hub.broker import Broker, Outgoing, Publisher
from hub.crypto import Sm4Seal, sm3
from hub.envelope import encode_body, encode_message, encode_receipts
from hub.ids import new_id, new_trace
from hub.ledger import LedgerWriter
from hub.payloads import unpacked
from hub.store import Store
from hub.store.tables import payloads
from hub.tap import tapped
from hub.topology import LEDGER, RECEIPTS, STREAMS, declare, depths
from schemas.message import Message, Operation, ResourceName, SystemCode
from schemas.receipt import Event, Receipt
from tests.hub.conftest import eventually, now
from tests.hub.ledger_rows import kept, whole
from tests.records import shape

SEAL = Sm4Seal(bytes(16))
MESSAGES, RECEIPTS_EACH = 30, 2
# Statements of one batch, in their order, and the commit after them.
STEPS = ("ledger_keys", "ledger_partitions", "UPDATE ledger_partitions", "failures", "COMMIT")


class _Died(Exception):
    """What a test throws into the writer."""


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    shape(store)
    yield store
    store.close()


async def _send(publisher: Publisher) -> set[str]:
    """Messages and receipts of them; returns the keys that the ledger must have."""
    out: list[Outgoing] = []
    keys: set[str] = set()
    for n in range(MESSAGES):
        body = {"caseNo": f"A{n}", "stepName": "受理", "regionCode": "130102"}
        at = now()
        message = Message(
            id=new_id(at),
            source=SystemCode("sender"),
            resource=ResourceName("caseStep"),
            operation=Operation.CREATED,
            subject=f"A{n}",
            time=at,
            region="130102",
            sequence=n,
            dataschema="caseStep/1",
            digest=sm3(encode_body(body)),
            traceparent=new_trace(),
            body=body,
        )
        headers, content = encode_message(message, new_id(at))
        out += tapped([Outgoing(STREAMS, "caseStep.created.130102", content, headers)])
        receipts = [
            Receipt(
                key=f"{message.id}.r{which}.{Event.DELIVERY_DONE}",
                event=Event.DELIVERY_DONE,
                at=at,
                message_id=message.id,
            )
            for which in range(RECEIPTS_EACH)
        ]
        out.append(Outgoing(RECEIPTS, "receipts", encode_receipts(receipts)))
        keys |= {f"{message.id}.{Event.MESSAGE_PUBLISHED}", *(each.key for each in receipts)}
    await publisher.publish_all(out)
    return keys


@asynccontextmanager
async def _writing(
    broker: Broker, store: Store, changed: Callable[[frozenset[Event]], None] = lambda _: None
) -> AsyncIterator[None]:
    """A writer that is started again whenever it dies, as the engine does."""

    async def run() -> None:
        while True:
            with contextlib.suppress(BaseExceptionGroup):
                await LedgerWriter(broker, store, SEAL, now, changed).run()

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _all_there(broker: Broker, store: Store, keys: set[str]) -> None:
    async def look() -> tuple[set[str], tuple[int, int]]:
        rows = await asyncio.to_thread(kept, store)
        return {row["key"] for row in rows}, (await depths(broker, [LEDGER]))[LEDGER]

    await eventually(look, lambda told: told[0] == keys and told[1][0] == 0, "every row")
    rows = kept(store)
    assert len(keys) == len(rows)
    assert whole(store)
    bodies = {
        digest: unpacked(sealed, SEAL)
        for digest, sealed in store.read_now(
            lambda c: c.execute(select(payloads.c.digest, payloads.c.sealed)).all()
        )
    }
    assert {row["digest"] for row in rows if row["digest"]} == set(bodies)
    assert all(sm3(body) == digest for digest, body in bodies.items())


def _kill(connection: Connection) -> None:
    """End what the connection is to: the server's process; SQLite has none, its disk fails."""
    if connection.dialect.name == "sqlite":
        raise OperationalError("", {}, OSError("disk I/O error"))
    driver: Any = connection.connection.driver_connection
    with psycopg.connect(driver.info.dsn, password=driver.info.password, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])


@pytest.mark.parametrize("step", STEPS)
async def test_the_database_lost_at_a_step(amqp_url: str, records: Store, step: str) -> None:
    """At the first statement, between any two, and at the commit itself."""
    died: list[str] = []

    def before(connection: Connection, _: Any, statement: str, *__: Any) -> None:
        if step in statement and "FROM ledger_checkpoints" not in statement and not died:
            died.append(statement)
            _kill(connection)

    def commits(connection: Connection) -> None:
        if not died:
            died.append("COMMIT")
            _kill(connection)

    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        keys = await _send(publisher)
        if step == "COMMIT":
            event.listen(records.engine, "commit", commits)
        else:
            event.listen(records.engine, "before_cursor_execute", before)
        async with _writing(broker, records):
            await _all_there(broker, records, keys)
    assert died


async def test_the_writer_dies_before_it_acknowledges(amqp_url: str, records: Store) -> None:
    """Committed, and told again by the broker: each row once."""
    deaths: list[int] = []

    def die(events: frozenset[Event]) -> None:
        if len(deaths) < 3:
            deaths.append(len(events))
            raise _Died

    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        keys = await _send(publisher)
        async with _writing(broker, records, die):
            await _all_there(broker, records, keys)
            keys |= await _send(publisher)
            await _all_there(broker, records, keys)
    assert 3 == len(deaths)


async def test_two_writers_on_one_queue(amqp_url: str, records: Store) -> None:
    """Two processes' worth: one chain, each row once."""
    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        async with _writing(broker, records), _writing(broker, records):
            keys: set[str] = set()
            for _ in range(5):
                keys |= await _send(publisher)
            await _all_there(broker, records, keys)


async def test_what_cannot_be_read_goes_aside(amqp_url: str, records: Store) -> None:
    """A receipt that is none stands in the failure queue, and its batch is kept."""
    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        await publisher.publish(Outgoing(RECEIPTS, "x", b'{"no": "receipt"}'))
        keys = await _send(publisher)
        async with _writing(broker, records):
            await _all_there(broker, records, keys)
            assert (1, 0) == (await depths(broker, ["failures"]))["failures"]
