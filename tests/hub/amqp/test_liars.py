"""A peer that is silent, breaks off or talks nonsense: `Transient`, in time, and nothing left."""

from __future__ import annotations

import asyncio
import gc
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pamqp.frame
import pytest
from pamqp import body, commands, header

import hub.amqp.channel
import hub.broker
from hub.amqp import Connection, connect
from hub.amqp.declare import depth
from hub.broker import Broker, Outgoing
from schemas.errors import Misconfigured, Transient
from tests.hub.amqp.conftest import Message
from tests.hub.amqp.liar import Peer, a_broker, lying

HELLO = pamqp.frame.marshal(commands.Connection.Start(server_properties={"product": "liar"}), 0)
TUNE = pamqp.frame.marshal(commands.Connection.Tune(0, 131_072, 0), 0)


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """Neither a task nor an error that nobody took."""
    loop, unseen = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    yield
    gc.collect()
    await asyncio.sleep(0)
    assert {asyncio.current_task()} == asyncio.all_tasks()
    assert [] == unseen


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def method_frame(payload: bytes, *, channel: int = 1, kind: int = 1) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


async def test_nobody_listens() -> None:
    """`Transient` with the address, and at once."""
    async with lying(Peer.silent) as url:
        pass

    with within(20), pytest.raises(Transient) as caught:
        await connect(url, name="test")

    assert "broker.down" == caught.value.code
    assert {"host": "127.0.0.1", "port": int(url.split(":")[3].split("/")[0])} == caught.value.facts


@pytest.mark.parametrize(
    "said",
    [b"", HELLO, HELLO[:20], HELLO + TUNE, b"HTTP"],
    ids=["at once", "greeted", "half greeted", "tuned", "four bytes"],
)
async def test_silence_while_opening(said: bytes) -> None:
    """At whatever step: the time for opening is the caller's."""

    async def script(peer: Peer) -> None:
        await peer.said(said)
        await peer.silent()

    async with lying(script) as url:
        with within(20), pytest.raises(Transient) as caught:
            await connect(url, name="test", within_s=0.3)

    assert "broker.down" == caught.value.code


@pytest.mark.parametrize(
    "said",
    [
        b"",
        HELLO,
        HELLO[:20],
        HELLO + TUNE[:-1],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"AMQP\x00\x00\x09\x01",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        pamqp.frame.marshal(commands.Connection.OpenOk(), 0),
        method_frame(b"\x00", channel=0),
        method_frame(b"\x00\x0a\x00\x0a\x00", channel=0),
        method_frame(b"\xff\xff\xff\xff", channel=0),
        method_frame(b"a" * 200_000, channel=0),
    ],
    ids=[
        "end",
        "end after greeting",
        "end in greeting",
        "end in tuning",
        "http",
        "other version",
        "ssh",
        "wrong answer",
        "no method",
        "short method",
        "unknown method",
        "long frame",
    ],
)
async def test_nonsense_or_the_end_while_opening(said: bytes) -> None:
    """Seen at once, not after the time for opening."""

    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(8)
        await peer.said(said)

    async with lying(script) as url:
        with within(20), pytest.raises(Transient) as caught:
            await connect(url, name="test")

    assert "broker.lost" == caught.value.code


def told(*found: Any) -> bytes:
    return b"".join(pamqp.frame.marshal(each, 1) for each in found)


DELIVER = commands.Basic.Deliver("c", 1, exchange="", routing_key="q")


def a_header(size: int) -> header.ContentHeader:
    return header.ContentHeader(0, size, commands.Basic.Properties(headers={"a": 1}))


NONSENSE = {
    "end": b"",
    "half a frame": told(DELIVER)[:-5],
    "half a message": told(DELIVER, a_header(5)),
    "garbage": b"\xff" * 64,
    "end byte": told(DELIVER)[:-1] + b"\x00",
    "short method": method_frame(b"\x00\x3c"),
    "short tag": method_frame(b"\x00\x3c\x00\x50\x00"),
    "short deliver": method_frame(b"\x00\x3c\x00\x3c\x09a") + told(a_header(0)),
    "unknown method": method_frame(b"\x7f\x7f\x7f\x7f"),
    "no method": told(a_header(0)),
    "no header": told(DELIVER, body.ContentBody(b"abc")),
    "short header": told(DELIVER) + method_frame(b"\x00\x3c\x00", kind=2),
    "cut header": told(DELIVER)
    + method_frame(struct.pack(">HHQHI", 60, 0, 0, 0xA000, 9)[:-2], kind=2),
    "long body": told(DELIVER, a_header(2), body.ContentBody(b"abc")),
    "long frame": method_frame(b"a" * 200_000, kind=3),
    "close": pamqp.frame.marshal(commands.Connection.Close(541, "INTERNAL_ERROR", 0, 0), 0),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_nonsense_or_the_end_later(nonsense: str) -> None:
    """All that waits on the connection fails, and so does what comes after."""

    async def script(peer: Peer) -> None:
        await peer.greeted()
        await peer.opened()
        await peer.heard()  # the publish below
        await peer.said(NONSENSE[nonsense])

    async with lying(script) as url:
        line = await connect(url, name="test")
        channel = await line.channel()
        waiting = asyncio.create_task(channel.arrived(1))
        flying = await channel.publish([Message("q", b"x")])
        asking = asyncio.create_task(depth(channel, "q"))
        with within(20):
            ends = await asyncio.gather(flying, waiting, asking, return_exceptions=True)

    assert ["broker.lost"] * 3 == [getattr(end, "code", end) for end in ends]
    assert all(isinstance(end, Transient) for end in ends)
    assert line.is_closed
    for attempt in (line.channel(), channel.publish([]), channel.arrived(1), depth(channel, "q")):
        with pytest.raises(Transient):
            await attempt


async def test_silence_is_noticed_by_its_missing_heartbeats() -> None:
    """After two intervals without a byte, while ours were sent in time."""
    beats: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.greeted(heartbeat=1)
        await peer.opened()
        while data := await peer.reader.read(4096):
            beats.append(data.count(b"\x08\x00\x00\x00\x00\x00\x00\xce"))

    async with lying(script) as url:
        line = await connect(url, name="test")
        channel = await line.channel()
        flying = await channel.publish([Message("q", b"x")])
        with within(20), pytest.raises(Transient) as caught:
            await flying

    assert "broker.lost" == caught.value.code
    assert line.is_closed
    assert sum(beats) >= 2


async def test_heartbeats_alone_keep_a_line() -> None:
    """A peer with nothing to say is no dead one."""

    async def script(peer: Peer) -> None:
        await peer.greeted(heartbeat=1)
        for _ in range(8):
            await peer.said(b"\x08\x00\x00\x00\x00\x00\x00\xce")
            await asyncio.sleep(0.4)
        await peer.opened()
        await peer.silent()

    async with lying(script) as url:
        line = await connect(url, name="test")
        assert not (await line.channel()).is_closed
        line.abort()


async def test_one_who_does_not_read_holds_the_publisher_back() -> None:
    """Even one who never lets the loop go round: memory stays bounded."""

    async def script(peer: Peer) -> None:
        await peer.greeted()
        await peer.opened()
        await asyncio.Event().wait()

    async with lying(script) as url:
        line = await connect(url, name="test")
        channel = await line.channel()
        written = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                for _ in range(100):
                    await channel.publish([Message("q", bytes(1_000_000))])
                    written += 1
        line.abort()

    # Ours hold 4 MB, and one message more; the sockets of both sides some more of it.
    assert 4 <= written < 30


async def test_a_line_has_as_many_channels_as_agreed() -> None:
    """One more would cost the connection: it is refused here, and the first lives on."""
    async with lying(a_broker) as url:
        line = await connect(url, name="test")
        channel = await line.channel()
        with pytest.raises(Misconfigured) as caught:
            await line.channel()
        assert ("broker.channels", {"limit": 1}) == (caught.value.code, caught.value.facts)
        assert (3, 4) == await depth(channel, "q")
        line.abort()


async def opened_but_deaf(peer: Peer) -> None:
    """Connections and channels open; no call on them is answered."""
    await peer.greeted()
    await peer.opened()
    await peer.silent()


async def test_a_call_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends in time, and with its channel: a late answer would be taken for another's."""
    monkeypatch.setattr(hub.amqp.channel, "CALL_S", 0.2)
    async with lying(opened_but_deaf) as url:
        line = await connect(url, name="test")
        channel = await line.channel()
        with within(20), pytest.raises(Transient) as caught:
            await depth(channel, "q")
        assert "broker.lost" == caught.value.code
        assert channel.is_closed
        line.abort()


async def test_a_subscription_or_channel_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Transient` for the hub's roles, which begin anew; the deaf line is not used again."""
    monkeypatch.setattr(hub.amqp.channel, "CALL_S", 0.2)
    monkeypatch.setattr(hub.broker, "CLOSE_S", 0.2)
    async with lying(opened_but_deaf) as url, Broker(url, name="test") as broker:
        with within(20), pytest.raises(Transient):
            async with broker.consumer("q", prefetch=1):
                pytest.fail("nobody consumes here")
        deaf: Connection = broker._lines["consume"]
        with within(20), pytest.raises(Transient):
            await broker.channel("consume")
        assert deaf.is_closed
        assert not (await broker.channel("consume")).is_closed


@pytest.mark.parametrize("url", ["http://h", "amqp://h:99999/v", "amqps://h:x/v", "h:5672", ""])
async def test_an_address_that_is_none(url: str) -> None:
    """A person's work."""
    with pytest.raises(Misconfigured) as caught:
        await connect(url, name="test")

    assert "broker.url" == caught.value.code


@pytest.mark.parametrize(
    ("answers", "code"),
    [([], "broker.lost"), ([commands.Basic.Nack(1)], "broker.refused")],
    ids=["silent", "refusing"],
)
async def test_a_channel_that_takes_nothing_any_more_is_replaced(
    answers: list[commands.Basic.Nack], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a channel of RabbitMQ 3.10 does that saw its queue's leader go: the publish is `Transient`,
    and the next one has a channel that is well."""
    monkeypatch.setattr(hub.broker, "CONFIRM_S", 0.3)
    opened: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.greeted()
        while True:
            channel, frame = await peer.heard_on()
            match frame:
                case commands.Channel.Open():
                    opened.append(channel)
                    await peer.said(commands.Channel.OpenOk(), channel)
                case commands.Confirm.Select():
                    await peer.said(commands.Confirm.SelectOk(), channel)
                case commands.Channel.Close():
                    await peer.said(commands.Channel.CloseOk(), channel)
                case commands.Connection.Close():
                    await peer.said(commands.Connection.CloseOk())
                case body.ContentBody():
                    well = len(opened) > 1
                    for answer in [commands.Basic.Ack(1)] if well else answers:
                        await peer.said(answer, channel)
                case _:
                    pass

    async with lying(script) as url, Broker(url, name="test") as broker:
        async with broker.publisher() as publisher:
            with pytest.raises(Transient) as caught:
                await publisher.publish(Outgoing("", "q", b"x"))
            assert code == caught.value.code
            await publisher.publish(Outgoing("", "q", b"x"))
        assert 2 == len(opened)
