"""Tasks cancelled at any point of their talk with the broker: the connection stays of use."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise

import pytest

from hub.amqp import Channel, Connection
from hub.amqp.declare import declare_queue, depth
from hub.broker import Broker
from schemas.errors import HubError, Transient
from tests.hub.amqp.conftest import QUORUM, Message, bodies, publish


async def turns(count: int) -> None:
    """Let the loop go round *count* times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def closed_all(line: Connection, *but: Channel) -> None:
    """Wait until the broker has said the last word on all channels but those."""
    async with asyncio.timeout(10):
        for channel in set(line._channels.values()) - set(but):
            await channel.close()
    assert set(but) == set(line._channels.values())


async def test_a_call_cancelled_anywhere(line: Connection, channel: Channel, queue: str) -> None:
    """Its channel is given up; others, and new ones under its number, are as good as ever."""
    for count in range(12):
        doomed = await line.channel()
        asking = asyncio.create_task(depth(doomed, queue))
        await turns(count)
        asking.cancel()
        await asyncio.wait((asking,))
        assert asking.cancelled() or (0, 0) == asking.result()

        fresh = await line.channel()
        assert (0, 0) == await depth(fresh, queue)
        assert (0, 0) == await depth(channel, queue)

    await closed_all(line, channel)


async def test_an_opening_cancelled_anywhere(line: Connection, channel: Channel) -> None:
    """No channel is left half open."""
    for count in range(12):
        opening = asyncio.create_task(line.channel())
        await turns(count)
        opening.cancel()
        await asyncio.wait((opening,))
        assert not (await line.channel()).is_closed

    await closed_all(line, channel)


async def test_a_closing_cancelled_anywhere(line: Connection, channel: Channel, queue: str) -> None:
    """Closing twice would end the whole connection: it is asked for once."""
    for count in range(12):
        doomed = await line.channel()
        closing = asyncio.create_task(doomed.close())
        await turns(count)
        closing.cancel()
        await asyncio.wait((closing,))
        await doomed.close()

        assert (0, 0) == await depth(await line.channel(), queue)

    assert not line.is_closed
    await closed_all(line, channel)


async def test_a_close_that_crosses_the_brokers(line: Connection, channel: Channel) -> None:
    """Both sides close at once: the number is used again only after the last word on it."""
    for _ in range(20):
        doomed = await line.channel()
        flying = await doomed.publish([Message("k", exchange="no-such")])
        await doomed.close()
        with pytest.raises(Transient):
            await flying

        fresh = await line.channel()
        await declare_queue(fresh, "q", QUORUM)
        await fresh.close()

    assert not line.is_closed
    await closed_all(line, channel)


async def test_a_publisher_cancelled_anywhere(
    line: Connection, channel: Channel, queue: str
) -> None:
    """What was written is confirmed to nobody, and what is published next to its own publisher."""
    for count in range(8):

        async def publishing() -> None:
            await publish(channel, Message(queue, b"old"), Message("nowhere"))

        task = asyncio.create_task(publishing())
        await turns(count)
        task.cancel()
        await asyncio.wait((task,))
        await publish(channel, Message(queue, b"new"))

    assert {} == channel._unconfirmed
    await closed_all(line, channel)


async def test_one_who_waits_for_deliveries_cancelled_anywhere(
    line: Connection, channel: Channel, queue: str
) -> None:
    """No delivery is lost with him: who asks next gets it."""
    consumer = await line.channel()
    await consumer.consume(queue, prefetch=100)
    found: list[bytes] = []

    for n in range(40):
        taking = asyncio.create_task(bodies(consumer, 1))
        flying = await channel.publish([Message(queue, b"%d" % n)])
        if n % 2:
            await flying
        else:
            await turns(n // 2)
        taking.cancel()
        with suppress(asyncio.CancelledError):
            found += await taking
        await flying
    found += await bodies(consumer, 40 - len(found))

    assert [b"%d" % n for n in range(40)] == found


async def test_numbers_are_used_again(line: Connection, channel: Channel, queue: str) -> None:
    """Three hundred channels one after another, some closed by the broker: two numbers are enough."""
    for n in range(300):
        each = await line.channel()
        if n % 3 == 0:
            with pytest.raises(HubError):
                await depth(each, "no-such")
        await each.close()

    assert {1, 2} == {*line._channels, *line._free}
    assert (0, 0) == await depth(channel, queue)


async def test_many_channels_at_once(line: Connection, channel: Channel, queue: str) -> None:
    """Opened, used and closed side by side, each hears its own answers."""

    async def used(n: int) -> None:
        name = f"q{n}"
        for _ in range(3):
            each = await line.channel()
            await declare_queue(each, name, {})
            await publish(each, *(Message(name, b"x") for _ in range(n)))
            await each.close()

    async with asyncio.TaskGroup() as tasks:
        for n in range(30):
            tasks.create_task(used(n))

    assert [(3 * n, 0) for n in range(30)] == [await depth(channel, f"q{n}") for n in range(30)]
    await closed_all(line, channel)
    numbers = sorted({*line._channels, *line._free})
    assert all(after == before + 1 for before, after in pairwise(numbers))


async def test_a_broker_left_in_the_middle_of_connecting(amqp_url: str) -> None:
    """Leaving it leaves no connection open behind it, whatever was going on."""
    for count in range(0, 30, 3):
        async with Broker(amqp_url, name="test") as broker:
            opening = asyncio.create_task(broker.channel("consume"))
            await turns(count)
        await asyncio.wait((opening,), timeout=10)

        assert opening.done()
        assert not broker.connected
        assert {} == broker._lines
        if not opening.exception():
            assert opening.result().is_closed
