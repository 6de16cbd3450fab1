"""Services take what has arrived together: once each, in order, the bad ones apart."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, TypeVar

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    event,
    insert,
    select,
    text,
)

from hub.broker import Outgoing
from hub.crypto import Sm4Seal, sm3
from hub.envelope import decode_taken, encode_body, encode_message
from hub.ids import new_id, new_trace
from hub.mailbox import Mailbox
from hub.plan import Plan
from hub.service_batch import apply
from hub.store import Store
from hub.store.tables import inbox, outbox
from hub.streams import Subscriber
from hub.subscribers import ServiceRunner
from hub.suspects import Suspects
from hub.topology import PIPELINE, STREAMS, depths, service_queue
from schemas.errors import Rejected
from schemas.message import Message, Operation, Publication, ResourceName, SystemCode
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, now, running_engine
from tests.records import shape

T = TypeVar("T")
STEP = ResourceName("caseStep")
written = Table(
    "written",
    MetaData(),
    Column("place", Integer, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False, unique=True),
)


def a_message(number: int, **body: Any) -> Message:
    """The *number*-th message."""
    content = {"number": number, **body}
    return Message(
        id=new_id(now()),
        source=SystemCode("sender"),
        resource=STEP,
        operation=Operation.CREATED,
        subject=f"A{number}",
        time=now(),
        region="130102",
        sequence=number,
        dataschema="caseStep/1",
        digest=sm3(encode_body(content)),
        traceparent=new_trace(),
        body=content,
    )


def together(
    connection: Connection, messages: Sequence[Message], _: datetime
) -> Sequence[Sequence[Publication]]:
    """Writes all of them by one statement, and refuses the bad ones; each leads to another message."""
    for message in messages:
        if message.body.get("bad"):
            raise Rejected("rule.broken", "Never")
    rows = [{"number": m.body["number"]} for m in messages]
    connection.execute(insert(written), rows)
    return [[_led_to(message)] for message in messages]


def singly(connection: Connection, message: Message, at: datetime) -> Sequence[Publication]:
    """The same for a handler that takes one message."""
    return together(connection, [message], at)[0]


def _led_to(message: Message) -> Publication:
    key = f"after {message.sequence}"
    return Publication(resource=STEP, operation=Operation.CREATED, key=key, body=message.body)


TOGETHER = Subscriber(name="counting", resources=(STEP,), handle_all=together)
SINGLY = Subscriber(name="counting", resources=(STEP,), handle=singly)


DEATHS = (((1, False), (4, False)), ((2, False), (3, True)))


class Crash(Exception):
    """A process that is killed."""


class Dying(Store):
    """Dies right *before* or right after its *nth* write."""

    def __init__(self, url: str, nth: int, *, before: bool) -> None:
        super().__init__(url)
        self._left, self._before = nth, before

    async def write(self, work: Callable[[Connection], T]) -> T:
        self._left -= 1
        dies = self._left == 0
        if dies and self._before:
            raise Crash
        done = await super().write(work)
        if dies:
            raise Crash
        return done


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    """The hub's records and the service's table, in SQLite and in PostgreSQL."""
    store = Store(database_url)
    shape(store)
    store.write_now(written.create)
    yield store
    store.close()


@asynccontextmanager
async def flowing(
    amqp_url: str, records: Store, subscriber: Subscriber
) -> AsyncIterator[tuple[Running, Callable[[Store], ServiceRunner]]]:
    """A hub whose service the test runs itself."""
    async with running_engine(
        amqp_url, records, roles=("ledger",), subscribers=[subscriber]
    ) as running:
        seal = running.engine.seal

        def plan() -> Plan:
            return running.engine.plan

        def runner(store: Store) -> ServiceRunner:
            suspects = Suspects(store, now)
            return ServiceRunner(running.broker, store, seal, subscriber, now, plan, suspects)

        yield running, runner


async def publish(running: Running, messages: Sequence[Message]) -> None:
    outgoing = []
    for message in messages:
        headers, body = encode_message(message)
        outgoing.append(Outgoing(STREAMS, f"{message.type}.{message.region}", body, headers))
    await running.publisher.publish_all(outgoing)


async def handed_on(running: Running) -> Counter[str]:
    """Every record that stands before the pipeline, by id."""
    found: list[str] = []
    for shard, (ready, _) in (await depths(running.broker, PIPELINE)).items():
        seen = len(found)
        async with running.broker.consumer(shard, prefetch=1000, steady=True) as consumer:
            while len(found) - seen < ready:
                found += [decode_taken(m.headers, m.body).id for m in await consumer.batch(1000)]
    return Counter(found)


async def test_killed_in_between_nothing_is_lost_or_doubled(
    amqp_url: str, records: Store, database_url: str
) -> None:
    """500 messages, some twice, three of them bad; the service dies around its first transactions,
    those that take a batch and those that clear its outbox. In the end each good one has taken
    effect once, and the bad ones wait for a person."""
    # Either kind of handler, each with a database of its own.
    subscriber = SINGLY if records.is_sqlite else TOGETHER
    messages = [a_message(n, **({"bad": 1} if n in (7, 250, 499) else {})) for n in range(500)]
    twice = [each for message in messages for each in [message] * (1 + (message.sequence % 9 == 0))]
    good = [message for message in messages if not message.body.get("bad")]
    async with flowing(amqp_url, records, subscriber) as (running, runner):
        await publish(running, twice)

        # Not three times: what was delivered so often is given out alone, and slowly.
        for nth, before in DEATHS[subscriber.handle is None]:
            store = Dying(database_url, nth, before=before)
            with pytest.raises((Crash, ExceptionGroup)):
                async with asyncio.timeout(20):
                    await runner(store).run()
            store.close()
        last = asyncio.create_task(runner(records).run())
        await running.until(Event.SERVICE_DONE, len(good))
        await running.until(Event.SERVICE_FAILED, 3)
        queue = service_queue("counting")
        await eventually(
            lambda: depths(running.broker, [queue]), lambda d: not d[queue][0], "all taken"
        )
        await eventually(lambda: _count(records, outbox), lambda n: not n, "all published")
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)

        assert not (await depths(running.broker, [queue]))[queue][0]
        numbers = await records.read(lambda c: c.scalars(select(written.c.number)).all())
        assert sorted(message.sequence for message in good) == sorted(numbers)
        assert len(good) == await _count(records, inbox)
        assert len(good) == len(await handed_on(running))
        failed = await running.failed()
        assert {"rule.broken"} == {row["code"] for row in failed}
        assert 3 == len(failed)


async def _count(store: Store, table: Table) -> int:
    return len(await store.read(lambda c: c.execute(select(table)).all()))


async def test_a_database_that_breaks_off_is_no_fault_of_the_messages(
    amqp_url: str, postgres_url: str
) -> None:
    """The connection is cut in the middle of a batch: it is taken again, in its order, and nobody
    is told of a failure."""
    records = Store(postgres_url)
    shape(records)
    records.write_now(written.create)
    cuts = iter([True])

    def cut_once(
        connection: Connection, messages: Sequence[Message], at: datetime
    ) -> Sequence[Sequence[Publication]]:
        told = together(connection, messages, at)
        if next(cuts, False):
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return told

    subscriber = Subscriber(name="counting", resources=(STEP,), handle_all=cut_once)
    async with running_engine(
        amqp_url, records, roles=("ledger", "services"), subscribers=[subscriber]
    ) as running:
        await publish(running, [a_message(n) for n in range(20)])

        await running.until(Event.SERVICE_DONE, 20)

        order = select(written.c.number).order_by(written.c.place)
        assert list(range(20)) == await records.read(lambda c: list(c.scalars(order)))
        assert [] == await running.rows(Event.SERVICE_RETRYING)
        assert None is next(cuts, None)
    records.close()


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that *store* runs meanwhile."""
    seen: list[str] = []

    def saw(_: Any, __: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", saw)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", saw)


def test_a_batch_takes_as_many_statements_as_one_message(records: Store) -> None:
    """Inbox, the handler's rows and outbox are each one statement, whatever the batch's size."""
    counts = []
    for at, size in ((0, 1), (1, 10), (11, 100)):
        with statements(records) as seen:
            applied = take(records, [a_message(n) for n in range(at, at + size)])
        assert size == len(applied.to_publish)
        counts.append(len(seen))

    assert 1 == len(set(counts))


def test_bad_ones_are_found_by_halves(records: Store) -> None:
    """What is refused and what breaks the database's rules fails alone; the rest of the batch does
    not pay by message for it."""
    messages = [a_message(n, **({"bad": 1} if n in (20, 60) else {})) for n in range(128)]
    again = a_message(5)  # its number is taken: a unique key is violated
    messages.insert(100, again)

    with statements(records) as seen:
        applied = take(records, messages)

    bad = [messages[20], messages[60], again]
    assert {each.id for each in bad} == set(applied.failed)
    assert isinstance(applied.failed[messages[20].id], Rejected)
    rows = records.read_now(
        lambda c: c.scalars(select(written.c.number).order_by(written.c.place)).all()
    )
    assert [m.sequence for m in messages if m not in bad] == list(rows)
    assert len(rows) == len(applied.to_publish)
    # Of each bad one at most seven halvings, each with a few statements.
    assert len(seen) < len(messages) * 3


def test_what_was_taken_before_is_published_again(records: Store) -> None:
    """A crash kept it from the broker: its outbox row is still there; the handler is not called."""
    message = a_message(1)
    (first,) = take(records, [message]).to_publish

    (again,) = take(records, [message, a_message(2)]).to_publish[1:]

    assert (first.id, first.record) == (again.id, again.record)
    assert 2 == len(records.read_now(lambda c: c.execute(select(written)).all()))


def test_a_publication_that_no_outbox_takes_is_the_handlers_fault(records: Store) -> None:
    """A key of any length would stay in SQLite and never leave it; both databases refuse it."""
    long = Publication(resource=STEP, operation=Operation.CREATED, key="k" * 161, body={})
    service = Subscriber(name="long", resources=(STEP,), handle=lambda *_: [long])

    applied = take(records, [a_message(1)], service)

    (error,) = applied.failed.values()
    assert isinstance(error, ValueError)
    assert [] == records.read_now(lambda c: c.execute(select(inbox)).all())


def test_a_service_has_one_handler() -> None:
    """Which one would be called must be no question."""
    with pytest.raises(TypeError):
        Subscriber(name="none", resources=(STEP,))
    with pytest.raises(TypeError):
        Subscriber(name="both", resources=(STEP,), handle=singly, handle_all=together)


def take(records: Store, messages: Sequence[Message], subscriber: Subscriber = TOGETHER) -> Any:
    mailbox = Mailbox(subscriber.name, Sm4Seal(bytes(16)))
    return records.write_now(
        lambda connection: apply(
            connection, messages, subscriber=subscriber, mailbox=mailbox, clock=now
        )
    )
