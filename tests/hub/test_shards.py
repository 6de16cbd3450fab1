"""The pipeline's queues among several processes: order, shares, takeover, poison (design §3, §7)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Connection, func, select

from hub.amqp.declare import depth
from hub.broker import SUSPECT_AFTER, Broker, Outgoing, acknowledge
from hub.engine import Engine
from hub.pipeline import Pipeline
from hub.shard_consumer import Shards, shards
from hub.shard_shares import Shares
from hub.store import Store
from hub.store.suspects import forget
from hub.store.tables import suspects
from hub.suspects import Suspects
from hub.topology import PIPELINE, PIPELINE_BULK, declare, depths
from schemas.errors import Transient
from schemas.receipt import Event
from tests.hub.conftest import eventually, now, running_engine
from tests.hub.site import small_plan
from tests.records import shape

T = TypeVar("T")
CASES, STEPS = 24, 12


async def test_two_processes_keep_the_order_of_every_subject(amqp_url: str, store: Store) -> None:
    """Both take part in the pipeline, while one of them joins and leaves again and again."""
    plan = small_plan("order_by: subject")
    async with (
        running_engine(amqp_url, store, plan=plan) as running,
        asyncio.TaskGroup() as tasks,
    ):
        first = running.engine

        async def second() -> None:
            while True:
                async with Broker(amqp_url, name="second") as broker:
                    other = Engine(
                        url=amqp_url,
                        broker=broker,
                        store=store,
                        seal=first.seal,
                        plan=plan,
                        clock=first.clock,
                    )
                    try:
                        async with asyncio.timeout(0.7):
                            await other.run(["pipeline"])
                    except TimeoutError:
                        continue

        guest = tasks.create_task(second())
        for step in range(STEPS):
            await asyncio.gather(
                *(
                    running.send({"bh": f"A{n}", "hj": f"第{step}步", "qh": "130102"})
                    for n in range(CASES)
                )
            )
        await running.until(Event.DELIVERY_DONE, 2 * CASES * STEPS)
        guest.cancel()

    found = defaultdict(list)
    for delivery in running.left.taken.values():
        found[delivery.payload["no"]].append(delivery.payload["step"])
    assert {f"A{n}": [f"第{step}步" for step in range(STEPS)] for n in range(CASES)} == found


class Process:
    """One that takes from the shards and acknowledges at once, until it is told to die."""

    def __init__(self, name: str, consumer: Shards, seen: list[tuple[str, bytes]]) -> None:
        self.name, self.consumer, self._seen = name, consumer, seen

    async def work(self) -> None:
        while True:
            batch = await self.consumer.batch(10)
            self._seen += [(self.name, each.body) for each in batch]
            await acknowledge(batch, in_order=True)


@asynccontextmanager
async def process(
    url: str, name: str, seen: list[tuple[str, bytes]], *, works: bool = True
) -> AsyncIterator[Process]:
    async with (
        Broker(url, name=name) as broker,
        shards(broker, PIPELINE) as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        one = Process(name, consumer, seen)
        running = [tasks.create_task(consumer.tend())]
        if works:
            running.append(tasks.create_task(one.work()))
        yield one
        for each in running:
            each.cancel()


async def fill(url: str, queue: str, bodies: Sequence[str]) -> None:
    async with Broker(url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        await publisher.publish_all([Outgoing("", queue, body.encode()) for body in bodies])


async def test_who_leaves_a_queue_lets_the_other_go_first(amqp_url: str) -> None:
    """The first to come takes of all; what it leaves falls to the other, what it keeps does not."""
    seen: list[tuple[str, bytes]] = []
    await fill(amqp_url, PIPELINE[0], [])
    async with process(amqp_url, "a", seen) as a, process(amqp_url, "b", seen):
        await fill(amqp_url, PIPELINE[0], ["0"])
        await fill(amqp_url, PIPELINE[1], ["1"])
        await eventually(_count(seen), lambda count: count == 2, "both")
        a.consumer.leave([PIPELINE[1]])

        async def taken_over() -> bool:
            await fill(amqp_url, PIPELINE[1], ["2"])
            return ("b", b"2") in seen

        await eventually(taken_over, bool, "the other at the queue that was left")
        await fill(amqp_url, PIPELINE[0], ["3"])
        await eventually(_count_of(seen, b"3"), lambda count: count == 1, "the one that was kept")

    assert {("a", b"0"), ("a", b"1"), ("b", b"2"), ("a", b"3")} <= set(seen)
    assert ("b", b"3") not in seen


async def test_what_a_dead_process_had_in_hand_comes_first_at_the_next(amqp_url: str) -> None:
    """It dies with a part of a queue unacknowledged; its successor waited already, and takes that
    part before what is behind it."""
    every = [f"{n:03}" for n in range(100)]
    seen: list[tuple[str, bytes]] = []
    in_hand: list[str] = []
    await fill(amqp_url, PIPELINE[2], [])
    async with process(amqp_url, "mortal", seen, works=False) as mortal:
        await fill(amqp_url, PIPELINE[2], every)
        done: list[str] = []
        while not done:
            batch = await mortal.consumer.batch(10)
            done += [each.body.decode() for each in batch]
            await acknowledge(batch, in_order=True)
        while len(in_hand) < 20:
            in_hand += [each.body.decode() for each in await mortal.consumer.batch(10)]
        heir = await AsyncExitStack().__aenter__()
        await heir.enter_async_context(process(amqp_url, "heir", seen))
    async with heir:
        await eventually(_count(seen), lambda count: count >= 100 - len(done), "the rest")
    assert every == done + [body.decode() for _, body in seen]
    assert every[len(done) :][: len(in_hand)] == in_hand


async def test_time_and_again_a_successor_begins_with_what_was_left(amqp_url: str) -> None:
    """Three die with different parts in hand, the last comes to an end: all in order, and the first
    that is suspect, having been delivered three times, comes alone."""
    every = [f"{n:03}" for n in range(400)]
    await fill(amqp_url, PIPELINE[3], every)
    done: list[str] = []
    for size in (7, 120, 30):
        async with Broker(amqp_url, name="mortal") as broker, shards(broker, PIPELINE) as consumer:
            taken = 0
            while taken < size:
                taken += len(await consumer.batch(size - taken))
    async with Broker(amqp_url, name="last") as broker, shards(broker, PIPELINE) as consumer:
        sizes: list[int] = []
        while len(done) < len(every):
            batch = await consumer.batch(1000)
            sizes.append(len(batch))
            done += [each.body.decode() for each in batch]
            await acknowledge(batch, in_order=True)

    assert every == done
    assert [1] * 250 == sizes[:250]


async def test_bulk_waits_while_others_have_something(amqp_url: str) -> None:
    """A long load stands before ten batches of another system: these go first, but for one batch in
    ten; when they are through, the load goes on, in order."""
    bulk, others = [f"b{n:03}" for n in range(120)], [f"o{n:03}" for n in range(100)]
    await fill(amqp_url, PIPELINE_BULK, bulk)
    async with (
        Broker(amqp_url, name="test") as broker,
        shards(broker, PIPELINE, later=(PIPELINE_BULK,)) as consumer,
    ):
        order: list[str] = []

        async def take() -> None:
            batch = await consumer.batch(10)
            order.extend(each.body.decode() for each in batch)
            await acknowledge(batch, in_order=True)

        await take()
        await fill(amqp_url, PIPELINE[0], others)
        for queue in PIPELINE:
            # What it answers stands behind what was delivered on the same line before.
            channel = await broker.channel("consume")
            await depth(channel, queue)
            await channel.close()
        while len(order) < 220:
            await take()

    assert bulk == [each for each in order if each.startswith("b")]
    assert others == [each for each in order if each.startswith("o")]
    before_the_last = order[10 : order.index(others[-1])]
    assert 10 == sum(each.startswith("b") for each in before_the_last)


def _count(seen: list[tuple[str, bytes]]) -> Callable[[], Awaitable[int]]:
    async def look() -> int:
        return len(seen)

    return look


def _count_of(seen: list[tuple[str, bytes]], body: bytes) -> Callable[[], Awaitable[int]]:
    async def look() -> int:
        return sum(each == body for _, each in seen)

    return look


class Left:
    """What a process is told to leave."""

    def __init__(self) -> None:
        self.told: list[set[str]] = []

    def leave(self, queues: Sequence[str], /) -> None:
        self.told.append(set(queues))


async def test_processes_find_their_shares_and_notice_who_is_gone(store: Store) -> None:
    """Two leave one another's queues, so that each is somebody's; one that is silent for more than
    ten seconds is there no longer, and the other leaves nothing."""
    at = [now()]
    shares = [Shares(store, lambda: at[0]) for _ in range(2)]
    left = [Left(), Left()]
    keeping = [asyncio.create_task(s.keep(each)) for s, each in zip(shares, left, strict=True)]

    async def told() -> bool:
        return all(each.told and each.told[-1] for each in left)

    await eventually(told, bool, "both to leave something")
    assert set() == left[0].told[-1] & left[1].told[-1]
    assert set(PIPELINE) == left[0].told[-1] | left[1].told[-1]

    keeping[1].cancel()
    await asyncio.wait((keeping[1],))
    at[0] += timedelta(seconds=11)

    async def alone() -> bool:
        return left[0].told[-1] == set()

    await eventually(alone, bool, "the other to have all")
    keeping[0].cancel()
    await asyncio.wait((keeping[0],))


async def test_a_channel_that_failed_is_not_replaced_under_batches_in_flight(
    amqp_url: str,
) -> None:
    """What comes later would arrive before what must be written again; another publisher's is."""
    nowhere = Outgoing("no.such.exchange", "", b"1")
    async with Broker(amqp_url, name="test") as broker:
        await declare(broker, [])
        for lasting in (True, False):
            async with broker.publisher(lasting=lasting) as publisher:
                with pytest.raises(Transient):
                    await publisher.publish(nowhere)
                later = publisher.publish(Outgoing("", PIPELINE[0], b"2"))
                if lasting:
                    await later
                else:
                    with pytest.raises(Transient):
                        await later
        assert 1 == (await depths(broker, PIPELINE))[PIPELINE[0]][0]


class Faltering(Store):
    """A database that is away when a note is to be forgotten, twice."""

    away = 2

    async def write(self, work: Callable[[Connection], T]) -> T:
        if isinstance(work, partial) and work.func is forget and self.away:
            self.away -= 1
            raise Transient("store.down", "Away")
        return await super().write(work)


async def test_a_note_is_forgotten_though_the_database_was_away(
    amqp_url: str, postgres_url: str
) -> None:
    """A suspect that does no harm is taken, and nothing of the suspicion stays."""
    store = Faltering(postgres_url)
    shape(store)
    async with running_engine(amqp_url, store, roles=("ledger",)) as running:
        await running.send({"bh": "A1", "hj": "受理", "qh": "130102"})
        for _ in range(SUSPECT_AFTER):
            async with shards(running.broker, PIPELINE) as consumer:
                await consumer.batch(1)
        pipeline = Pipeline(running.broker, store, running.engine.plan, now, Suspects(store, now))
        working = asyncio.create_task(pipeline.run())
        await running.until(Event.RECORD_ACCEPTED, 1)

        async def notes() -> int:
            query = select(func.count()).select_from(suspects)
            return await store.read(lambda connection: connection.scalar(query) or 0)

        await eventually(notes, lambda count: count == 0, "the note to be forgotten")
        assert 0 == store.away
        working.cancel()
        await asyncio.wait((working,))
    store.close()
