"""Confirmed publishing in groups, on the real broker."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from hub.amqp import Channel, Connection
from hub.amqp.declare import bind, declare_exchange, declare_queue, depth
from hub.broker import Broker, Outgoing, Publisher
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from tests.hub.amqp.conftest import QUORUM, Message, bodies, publish


async def test_three_megabytes_come_back_as_they_went(channel: Channel, queue: str) -> None:
    """In many frames, with headers of every type that ours can have."""
    body = bytes(n * n % 251 for n in range(3_000_000))
    headers = {
        "名称": "办件\N{OK HAND SIGN}",
        "n": -(2**63),
        "yes": True,
        "half": 0.1,
        "none": None,
    }

    await publish(channel, Message(queue, body, headers=headers))
    await channel.consume(queue, prefetch=1)
    (arrived,) = await channel.arrived(1)

    assert body == arrived.body
    assert headers == arrived.headers
    assert ("", queue) == (arrived.exchange, arrived.routing_key)


async def test_what_the_broker_adds_is_read(channel: Channel, queue: str) -> None:
    """The history of a dead letter and the count of deliveries, beside our own headers."""
    arguments = {"x-message-ttl": 1, "x-dead-letter-exchange": ""}
    await declare_exchange(channel, "late", "fanout")
    await declare_queue(channel, "waiting", QUORUM | arguments)
    await bind(channel, "waiting", "late", "")

    await publish(channel, Message(queue, b"x", "late", {"ours": "办"}))
    await channel.consume(queue, prefetch=1)
    (first,) = await channel.arrived(1)
    await first.nack(requeue=True)
    (second,) = await channel.arrived(1)
    (death,) = second.headers["x-death"]

    assert "x-delivery-count" not in first.headers
    assert 1 == second.headers["x-delivery-count"]
    assert "办" == second.headers["ours"]
    assert ("expired", "waiting", "late", [queue], 1) == (
        death["reason"],
        death["queue"],
        death["exchange"],
        death["routing-keys"],
        death["count"],
    )
    assert isinstance(death["time"], datetime)
    assert "expired" == second.headers["x-first-death-reason"]


async def test_an_unroutable_message_fails_its_group_alone(channel: Channel, queue: str) -> None:
    """Named by exchange and key; the groups around it are confirmed, the channel lives on."""
    await declare_exchange(channel, "somewhere", "topic")

    before = await channel.publish([Message(queue, b"1"), Message(queue, b"2")])
    lost = await channel.publish([Message(queue, b"3"), Message("办.a", b"", "somewhere")])
    after = await channel.publish([Message(queue, b"4")])
    await asyncio.gather(before, after)
    with pytest.raises(Transient) as caught:
        await lost

    assert "broker.unroutable" == caught.value.code
    assert {"exchange": "somewhere", "key": "办.a"} == caught.value.facts
    await publish(channel, Message(queue, b"5"))
    await channel.consume(queue, prefetch=10)
    assert [b"1", b"2", b"3", b"4", b"5"] == await bodies(channel, 5)


async def test_each_groups_outcome_is_its_own(channel: Channel, queue: str) -> None:
    """Forty groups in flight at once, every third of which the broker refuses or cannot route."""
    # A quorum queue may exceed its length a little before it refuses: a classic one is exact.
    await declare_queue(channel, "full", {"x-max-length": 1, "x-overflow": "reject-publish"})
    await publish(channel, Message("full", b"first"))
    targets = [("full", "broker.refused"), (queue, ""), ("nowhere", "broker.unroutable")]

    flying = [
        await channel.publish([Message(queue, b"a"), Message(targets[n % 3][0], b"b")])
        for n in range(40)
    ]
    await asyncio.wait(flying)

    codes = [getattr(done.exception(), "code", "") for done in flying]
    assert [targets[n % 3][1] for n in range(40)] == codes
    assert (1, 0) == await depth(channel, "full")
    assert {} == channel._unconfirmed


async def test_order_is_kept_across_groups(channel: Channel, queue: str) -> None:
    """Written one after the other, confirmed whenever, they arrive in the order of writing."""
    messages = [Message(queue, b"%d" % n) for n in range(600)]

    flying = [await channel.publish(messages[at : at + 7]) for at in range(0, 600, 7)]
    await asyncio.gather(*flying)
    await channel.consume(queue, prefetch=600)

    assert [each.body for each in messages] == await bodies(channel, 600)


async def test_nothing_is_confirmed_at_once(channel: Channel) -> None:
    """An empty group waits for nobody."""
    assert (await channel.publish([])).done()


@pytest.mark.parametrize(
    "bad",
    [
        Message("k" * 256),
        Message("办" * 86),
        Message("k", exchange="e" * 256),
        Message("k", headers={"h" * 256: 1}),
        Message("k", headers={"h": 2**63}),
        Message("k", headers={"h": object()}),
        Message("k", headers={"h": "\ud800"}),
        # A header is one frame, whatever the body.
        Message("k", headers={"h": "a" * 131_072}),
        # RabbitMQ 4 takes no more, and closes the channel of who sends more.
        Message("k", bytes(16 * 1024 * 1024 + 1)),
    ],
    ids=[
        *("key", "chinese key", "exchange", "name"),
        *("number", "object", "surrogate", "headers", "body"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_it_is(
    channel: Channel, queue: str, bad: Message
) -> None:
    """Its group is not written, nothing is left of it, and the connection does not notice."""
    with pytest.raises(Rejected) as caught:
        await channel.publish([Message(queue, b"0"), bad])

    assert "broker.unsendable" == caught.value.code
    assert {} == channel._unconfirmed
    await publish(channel, Message(queue, b"1"))
    assert (1, 0) == await depth(channel, queue)


async def test_a_thousand_publishes_leave_nothing(line: Connection, queue: str) -> None:
    """Neither of messages confirmed, nor of channels closed."""
    channel = await line.channel()

    for _ in range(10):
        flying = [await channel.publish([Message(queue, b"x")] * 10) for _ in range(10)]
        await asyncio.gather(*flying)
    before = len(line._channels)
    await channel.close()

    assert {} == channel._unconfirmed
    assert before - 1 == len(line._channels)
    assert (0, 0) == (channel._content is not None, len(channel._arrivals))


async def test_a_publisher_goes_on_after_its_channel_was_closed(
    broker: Broker, publisher: Publisher
) -> None:
    """A missing exchange costs the channel; the next publish has a new one, on the same line."""
    other = await broker.channel()
    await declare_queue(other, "q", QUORUM)

    for _ in range(3):
        with pytest.raises(Transient) as caught:
            await publisher.publish(Outgoing("no-such", "k", b""))
        assert "broker.missing" == caught.value.code
        assert "no-such" in str(caught.value.facts["said"])
        await publisher.publish(Outgoing("", "q", b"good"))

    assert (3, 0) == await depth(other, "q")
    assert broker.connected


async def test_a_missing_queue_is_said_to_be_missing(broker: Broker) -> None:
    """It may be declared in a moment: `Transient`."""
    with pytest.raises(Transient) as caught:
        async with broker.consumer("no-such", prefetch=1):
            pytest.fail("consumed from nothing")

    assert "broker.missing" == caught.value.code
    assert broker.connected


async def test_the_longest_body_that_every_broker_takes(channel: Channel, queue: str) -> None:
    """Sixteen mebibytes, to the byte."""
    body = bytes(16 * 1024 * 1024)
    await publish(channel, Message(queue, body))
    await channel.consume(queue, prefetch=1)

    (arrived,) = await channel.arrived(1)

    assert body == arrived.body


@pytest.mark.parametrize("kind", ["queue", "exchange"])
async def test_other_properties_are_a_person_s_work(
    channel: Channel, queue: str, kind: str
) -> None:
    """What exists otherwise never becomes what we want by waiting."""
    await declare_exchange(channel, "e", "topic")

    with pytest.raises(Misconfigured) as caught:
        if kind == "queue":
            await declare_queue(channel, queue, QUORUM | {"x-delivery-limit": 7})
        else:
            await declare_exchange(channel, "e", "fanout")

    assert "broker.topology" == caught.value.code
    assert channel.is_closed


async def test_an_unknown_tag_closes_the_channel_and_no_route(channel: Channel, queue: str) -> None:
    """The same reply code as for other properties, another meaning: `Transient`."""
    await channel.consume(queue, prefetch=1)

    channel.acknowledge(99, multiple=False)
    with pytest.raises(HubError) as caught:
        await channel.arrived(1)

    assert isinstance(caught.value, Transient)
    assert "broker.lost" == caught.value.code
