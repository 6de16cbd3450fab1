"""Deliveries and their acknowledgement, on the real broker."""

from __future__ import annotations

import asyncio

import pytest
from pamqp import commands

from hub.amqp import Channel, Connection
from hub.amqp.declare import declare_queue, depth
from hub.broker import Broker, Incoming, acknowledge, hand_back
from schemas.errors import Transient
from tests.hub.amqp.conftest import QUORUM, Message, bodies, publish
from tests.hub.conftest import eventually


@pytest.fixture
async def filled(channel: Channel, queue: str) -> str:
    """A queue that holds the bodies 0 … 9."""
    await publish(channel, *(Message(queue, b"%d" % n) for n in range(10)))
    return queue


ALL = [b"%d" % n for n in range(10)]


async def ready(channel: Channel, queue: str, count: int) -> None:
    """Wait until *count* messages stand in *queue* for whoever comes."""
    await eventually(
        lambda: depth(channel, queue), lambda found: found[0] == count, f"{count} in {queue}"
    )


async def taken(consumer: Channel, count: int) -> list[Incoming]:
    found: list[Incoming] = []
    while len(found) < count:
        found += await consumer.arrived(count - len(found))
    return found


async def test_one_acknowledgement_for_all_so_far(
    line: Connection, channel: Channel, filled: str
) -> None:
    """What came up to the last one is done; what came after returns when the consumer leaves."""
    consumer = await line.channel()
    await consumer.consume(filled, prefetch=10)

    batch = await taken(consumer, 7)
    await acknowledge(batch, in_order=True)
    await consumer.close()

    await ready(channel, filled, 3)
    await channel.consume(filled, prefetch=10)
    assert [b"7", b"8", b"9"] == await bodies(channel, 3)


async def test_single_acknowledgements_are_single(
    line: Connection, channel: Channel, filled: str
) -> None:
    """The fifth done says nothing of the first."""
    consumer = await line.channel()
    await consumer.consume(filled, prefetch=10)

    batch = await taken(consumer, 10)
    await acknowledge([batch[4], batch[1]])
    await consumer.close()

    await ready(channel, filled, 8)
    await channel.consume(filled, prefetch=10)
    assert [b"0", b"2", b"3", *ALL[5:]] == await bodies(channel, 8)


async def test_handed_back_they_come_again_in_order(line: Connection, filled: str) -> None:
    """All that was taken, in the order in which it was handed back, and marked as come again."""
    consumer = await line.channel()
    await consumer.consume(filled, prefetch=10)

    await hand_back(await taken(consumer, 10))
    again = await taken(consumer, 10)

    assert ALL == [each.body for each in again]
    assert [1] * 10 == [each.headers["x-delivery-count"] for each in again]


async def test_what_was_not_acknowledged_is_back_when_the_consumer_has_left(
    broker: Broker,
) -> None:
    """Taken or only on its way, all of it."""
    channel = await broker.channel()
    await declare_queue(channel, "q", QUORUM)
    await publish(channel, *(Message("q", body) for body in ALL))

    async with broker.consumer("q", prefetch=10) as consumer:
        await consumer.one()

    await ready(channel, "q", 10)
    async with broker.consumer("q", prefetch=10) as consumer:
        found: list[Incoming] = []
        while len(found) < 10:
            found += await consumer.batch(10 - len(found))
        await acknowledge(found, in_order=True)
    assert sorted(ALL) == sorted(each.body for each in found)
    await ready(channel, "q", 0)


async def test_a_subscription_that_the_broker_ends_is_trouble(
    line: Connection, channel: Channel, queue: str
) -> None:
    """Its queue was deleted: who waits is told, and nothing stays open behind him."""
    consumer = await line.channel()
    await consumer.consume(queue, prefetch=10)
    waiting = asyncio.create_task(consumer.arrived(1))

    await channel.call(commands.Queue.Delete(queue=queue))
    with pytest.raises(Transient) as caught:
        await waiting

    assert "broker.lost" == caught.value.code
    await consumer.close()
    assert [channel] == list(line._channels.values())


async def test_no_more_than_the_prefetch_is_given(line: Connection, filled: str) -> None:
    """The fourth comes when one of the first three is done."""
    consumer = await line.channel()
    await consumer.consume(filled, prefetch=3)

    first = await taken(consumer, 3)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await consumer.arrived(1)
    await acknowledge(first[:1])

    assert [b"3"] == await bodies(consumer, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await consumer.arrived(1)


async def test_a_batch_is_what_is_there(line: Connection, filled: str) -> None:
    """In order, never more than asked for, and what is left over stays for the next."""
    consumer = await line.channel()
    await consumer.consume(filled, prefetch=10)

    found: list[bytes] = []
    while len(found) < 10:
        batch = await consumer.arrived(4)
        assert 1 <= len(batch) <= 4
        found += [each.body for each in batch]

    assert ALL == found
