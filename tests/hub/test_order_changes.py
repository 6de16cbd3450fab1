"""A route begins or ceases to keep an order, under its name and under flow (issue 3, routes at run time)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import pytest

from hub.broker import Broker, Outgoing
from hub.engine import ROLES
from hub.gates import Gate, set_gates
from hub.store import Store
from hub.topology import (
    STREAMS,
    STREAMS_BULK,
    Binding,
    bulk_queue,
    declare,
    depths,
    route_queue,
)
from schemas.errors import Rejected
from schemas.message import Delivery
from schemas.receipt import Event
from tests.hub.conftest import Running, System, eventually, running_engine
from tests.hub.failing import desk_of, stop
from tests.hub.site import small_plan, small_texts
from tests.hub.test_releases import applied, following
from tests.records import shape

PLAIN, ORDERED = small_texts(), small_texts("order_by: subject")
SUBJECTS = 5


@pytest.fixture
def kept(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


class Sender:
    """Numbered steps of a few cases, one after the other; every other case is bulk."""

    def __init__(self, running: Running) -> None:
        self._running, self.sent = running, 0

    async def send(self, count: int) -> None:
        for _ in range(count):
            n, self.sent = self.sent, self.sent + 1
            body = {"bh": f"C{n % SUBJECTS}", "hj": f"{n}", "qh": "130102"}
            await self._running.send(body, key=f"{n}", bulk=bool(n % SUBJECTS % 2))


@asynccontextmanager
async def flowing(sender: Sender) -> AsyncIterator[None]:
    """Steps keep coming until the block is left."""
    enough = asyncio.Event()

    async def send() -> None:
        while not enough.is_set():
            await sender.send(1)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        enough.set()
        await task


async def more(sender: Sender, count: int) -> None:
    wanted = sender.sent + count

    async def look() -> int:
        return sender.sent

    await eventually(look, lambda sent: sent >= wanted, f"{count} more")


def numbers(system: System) -> list[int]:
    """The steps that it was called with, in that order."""
    return [int(str(delivery.payload["step"])) for delivery in system.calls]


def by_subject(found: Sequence[int]) -> Mapping[int, list[int]]:
    subjects: dict[int, list[int]] = defaultdict(list)
    for number in found:
        subjects[number % SUBJECTS].append(number)
    return subjects


async def all_called(system: System, count: int) -> None:
    async def look() -> int:
        return len(set(numbers(system)))

    await eventually(look, lambda found: found == count, f"{count} delivered")


async def test_a_route_begins_to_keep_order(amqp_url: str, kept: Store) -> None:
    """Of each case, the steps sent since come in their order, and behind all that were sent before:
    they wait until the queue that is left is worked off. Each is delivered once."""
    await applied(kept, PLAIN)
    async with running_engine(amqp_url, kept, roles=("pipeline", "ledger")) as running:
        follower, sender = following(running, "one"), Sender(running)
        await follower.look()
        await sender.send(40)
        await running.until(Event.RECORD_ACCEPTED, 40)
        await applied(kept, ORDERED)
        await follower.look()
        await sender.send(40)
        await running.until(Event.RECORD_ACCEPTED, 80)
    ordered = small_plan("order_by: subject")
    async with running_engine(amqp_url, kept, plan=ordered, roles=()) as running:
        await following(running, "another").look()
        task = asyncio.create_task(running.engine.run(ROLES))
        await all_called(running.left, 80)
        await running.until(Event.DELIVERY_DONE, 160)
        await stop(task)

        called = numbers(running.left)
        assert list(range(80)) == sorted(called)
        for found in by_subject(called).values():
            since = [number for number in found if number >= 40]
            assert sorted(since) == since == found[-len(since) :]
        assert list(range(80)) == sorted(numbers(running.right))
        assert not await running.failed()


async def test_a_route_ceases_to_keep_order(amqp_url: str, kept: Store) -> None:
    """What was held behind a failure is delivered once the failure is; it is retried on the queue
    that the route has now, and nothing is lost or doubled."""
    await applied(kept, ORDERED)
    plan = small_plan("order_by: subject")
    async with running_engine(amqp_url, kept, plan=plan) as running:
        follower = following(running, "one")
        await follower.look()
        sender = Sender(running)
        refused = {"0"}

        def trouble(delivery: Delivery) -> Exception | None:
            no = delivery.payload["step"] in refused
            return Rejected("target.refused", "No") if no else None

        running.left.trouble = trouble
        await sender.send(10)
        (failure,) = await eventually(running.failed, bool, "the failure")
        await all_called(running.left, 9)  # all but 5, which waits behind 0
        await applied(kept, PLAIN)
        async with flowing(sender):
            await follower.look()
            await more(sender, 40)
        refused.clear()
        assert [failure["id"]] == await desk_of(kept, running.engine.plan).retry(
            [failure["id"]], "tester"
        )
        await all_called(running.left, sender.sent)
        await eventually(lambda: running.failed("resolved"), bool, "resolved")

        assert Counter(range(sender.sent)) + Counter([0]) == Counter(numbers(running.left))
        assert sender.sent == len(running.left.taken)


async def test_there_and_back_with_two_processes(amqp_url: str, kept: Store) -> None:
    """Each goes over when it does, one of them past a release; each step is delivered once."""
    await applied(kept, PLAIN)
    async with (
        running_engine(amqp_url, kept) as one,
        running_engine(amqp_url, kept) as two,
    ):
        first, second = following(one, "one"), following(two, "two")
        await first.look()
        await second.look()
        sender = Sender(one)
        async with flowing(sender):
            await applied(kept, ORDERED)
            await first.look()
            await more(sender, 20)
            await applied(kept, PLAIN)
            await second.look()
            await more(sender, 20)
            await first.look()
            await applied(kept, ORDERED)
            await asyncio.gather(first.look(), second.look())
            await more(sender, 20)

        async def look() -> int:
            return len({*numbers(one.left), *numbers(two.left)})

        await eventually(look, lambda found: found == sender.sent, "all delivered")
        called = Counter(numbers(one.left) + numbers(two.left))
        assert {1} == set(called.values())
        assert not await one.failed()


async def test_a_change_that_nobody_took_up_is_no_trouble(amqp_url: str, kept: Store) -> None:
    """Ordered for a moment while no process ran: the next one finds plain again, and puts a gate up
    before the queue that was bound all the time."""
    await applied(kept, PLAIN)
    async with running_engine(amqp_url, kept) as running:
        follower = following(running, "one")
        await follower.look()
        sender = Sender(running)
        await applied(kept, ORDERED)
        await applied(kept, PLAIN)
        async with flowing(sender):
            await follower.look()
            await more(sender, 30)
        await all_called(running.left, sender.sent)
        assert {1} == set(Counter(numbers(running.left)).values())


@pytest.mark.parametrize("first", [False, True], ids=["plain first", "ordered first"])
async def test_a_gate_leads_each_message_to_one_queue(amqp_url: str, first: bool) -> None:  # noqa: FBT001 - one of the two cases
    """Two processes turn it to and fro, without agreement, while messages are published: each is in
    one queue, bulk in that for bulk or in the ordered one, none in two of them or in none."""
    plain, ordered = (route_queue("x", in_order=each) for each in (False, True))
    queues = [plain, bulk_queue(plain), ordered]
    types = ("caseStep.created",)
    async with (
        Broker(amqp_url, name="test") as broker,
        broker.publisher() as publisher,
    ):
        await declare(broker, [Binding(ordered if first else plain, types, in_order=first)])
        published: list[str] = []
        enough = asyncio.Event()

        async def publish() -> None:
            while not enough.is_set():
                ids = [f"{len(published) + n}" for n in range(20)]
                await publisher.publish_all(
                    [
                        Outgoing(streams, "caseStep.created.130102", b"{}", {"n": each})
                        for each, streams in zip(ids, cycle((STREAMS, STREAMS_BULK)))
                    ]
                )
                published.extend(ids)

        async def turn(offset: int) -> None:
            for n in range(6):
                mode = bool((n + offset) % 2)
                await set_gates(broker, [Gate("x", types, in_order=mode, ever=types)])

        task = asyncio.create_task(publish())
        await asyncio.gather(turn(0), turn(1))
        enough.set()
        await task
        found = await depths(broker, queues)
        each = [found[queue][0] for queue in queues]
        assert len(published) == sum(each), each
        assert all(each), "it was turned while messages came"
        assert max(each[:2]) <= len(published) // 2, "each class in its own queue"
