"""A minimal AMQP client: what the broker can do when its client does next to nothing.

It fills queues, watches their depth, takes single messages, and is the relay that gives the
broker's own limit (`bench.programs.raw_relay`): frames are cut from what the socket holds, bodies
and headers go on as the bytes they came as, one write for all that one read brought.

Speaks to  RabbitMQ over plain AMQP 0-9-1
Careful    measuring code: no reconnect, no heartbeat, no TLS, no flow control; never for the hub
Units      waits in seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from struct import Struct
from typing import Any
from urllib.parse import unquote, urlsplit

from pamqp import body as pamqp_body
from pamqp import commands, frame, header
from pamqp.base import Frame

from schemas.errors import Misconfigured, Transient

__all__ = [
    "Confirms",
    "Taken",
    "Wire",
    "body_of",
    "content_frames",
    "opened",
    "publish_head",
    "published",
]

CALL_S, CONFIRM_S = 20.0, 60.0
WINDOW = 1000
FRAME_MAX = 131_072
_HEAD = Struct(">BHI")
_METHOD = Struct(">HH")
_DELIVER, _ACK, _CLOSE = (60, 60), (60, 80), (20, 40)
_END = b"\xce"


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery: its tag, and its header and body frames as they came."""

    tag: int
    headers: bytes
    content: bytes


class Wire(asyncio.Protocol):
    """One connection with one channel. *delivered* is called once for all that one read brought;
    *confirmed* with each confirm: tag, and whether it holds for all before."""

    def __init__(self) -> None:
        self.delivered: Callable[[list[Taken]], None] = lambda _: None
        self.confirmed: Callable[[int, bool], None] = lambda _, __: None
        self.error: Exception | None = None
        self._buffer = bytearray()
        self._answers: asyncio.Queue[Frame] = asyncio.Queue()
        self._tag = 0
        self._header = b""
        self._content: list[bytes] = []
        self._wanted = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("closed"))

    def write(self, content: bytes) -> None:
        self.transport.write(content)

    def send(self, method: Frame, channel: int = 1) -> None:
        self.transport.write(frame.marshal(method, channel))

    async def call(self, method: Frame, channel: int = 1) -> Frame:
        """Send *method* and return what the broker answers."""
        self.send(method, channel)
        return await self.answer()

    async def answer(self) -> Frame:
        """The next method that is neither a delivery nor a confirm."""
        if self.error:
            raise Transient("bench.broker", f"The broker closed: {self.error}")
        answer = asyncio.ensure_future(self._answers.get())
        broken = asyncio.get_running_loop().create_future()
        self._waiting.add(broken)
        try:
            async with asyncio.timeout(CALL_S):
                await asyncio.wait((answer, broken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(broken)
            if not answer.done():
                answer.cancel()
        if not answer.done() or answer.cancelled():
            raise Transient("bench.broker", f"The broker closed: {self.error}")
        return answer.result()

    async def declare_queue(self, name: str, arguments: Mapping[str, Any]) -> None:
        await self.call(commands.Queue.Declare(queue=name, durable=True, arguments=dict(arguments)))

    async def depth(self, *queues: str) -> int:
        """Messages of *queues* that are ready."""
        ready = 0
        for queue in queues:
            told = await self.call(commands.Queue.Declare(queue=queue, passive=True))
            ready += int(getattr(told, "message_count", 0))
        return ready

    async def is_empty(self, queue: str) -> bool:
        return await self.depth(queue) == 0

    def acknowledge(self, tag: int) -> None:
        """All up to *tag*."""
        payload = (60 << 16 | 80).to_bytes(4, "big") + tag.to_bytes(8, "big") + b"\x01"
        self.transport.write(_HEAD.pack(1, 1, len(payload)) + payload + _END)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at, size = 0, len(buffer)
        taken: list[Taken] = []
        while size - at >= 8:
            kind, channel, length = _HEAD.unpack_from(buffer, at)
            end = at + 8 + length
            if end > size:
                break
            if kind == 3:
                self._content.append(bytes(buffer[at:end]))
                self._wanted -= length
            elif kind == 2:
                self._header = bytes(buffer[at:end])
                self._wanted = int.from_bytes(buffer[at + 11 : at + 19], "big")
            elif kind == 1:
                self._method(bytes(buffer[at:end]), channel)
            if self._header and self._wanted <= 0:
                taken.append(Taken(self._tag, self._header, b"".join(self._content)))
                self._header = b""
                self._content = []
            at = end
        del buffer[:at]
        if taken:
            self.delivered(taken)

    def _method(self, content: bytes, channel: int) -> None:
        kind = _METHOD.unpack_from(content, 7)
        if kind == _DELIVER:
            name_length = content[11]
            self._tag = int.from_bytes(content[12 + name_length : 20 + name_length], "big")
        elif kind == _ACK:
            self.confirmed(int.from_bytes(content[11:19], "big"), bool(content[19] & 1))
        else:
            answer = frame.unmarshal(content)[2]
            if kind == _CLOSE or isinstance(
                answer, commands.Connection.Close | commands.Basic.Nack
            ):
                self._fail(ConnectionError(str(getattr(answer, "reply_text", "nack"))))
            elif isinstance(answer, commands.Basic.GetOk):
                self._tag = int(answer.delivery_tag or 0)
            elif isinstance(answer, Frame):
                self._answers.put_nowait(answer)
            del channel

    def _fail(self, error: Exception) -> None:
        self.error = self.error or error
        for each in self._waiting:
            if not each.done():
                each.set_result(None)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Wire]:
    """A connection and its channel, in confirm mode. Raises `Transient` ``bench.broker``."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    try:
        _, wire = await loop.create_connection(
            Wire, parts.hostname or "127.0.0.1", parts.port or 5672
        )
    except OSError as error:
        raise Transient("bench.broker", "The broker does not answer") from error
    try:
        await _greeted(wire, unquote(parts.username or ""), unquote(parts.password or ""))
        vhost = unquote(parts.path[1:]) or "/"
        await wire.call(commands.Connection.Open(virtual_host=vhost), 0)
        await wire.call(commands.Channel.Open())
        await wire.call(commands.Confirm.Select())
        yield wire
    finally:
        wire.transport.close()


async def _greeted(wire: Wire, user: str, password: str) -> None:
    wire.write(b"AMQP\x00\x00\x09\x01")
    await wire.answer()
    start = commands.Connection.StartOk(
        client_properties={"product": "shuniu bench"},
        mechanism="PLAIN",
        response=f"\0{user}\0{password}",
    )
    tune = await wire.call(start, 0)
    if not isinstance(tune, commands.Connection.Tune):
        raise Misconfigured("bench.broker", "The broker denies the sign-in")
    wire.send(commands.Connection.TuneOk(tune.channel_max or 2047, FRAME_MAX, 0), 0)


def publish_head(exchange: str, key: str) -> bytes:
    """The method frame of a publish; the same for all messages that go one way."""
    return frame.marshal(commands.Basic.Publish(exchange=exchange, routing_key=key), 1)


def content_frames(headers: Mapping[str, Any], body: bytes) -> bytes:
    """Header and body frames of a persistent message."""
    properties = commands.Basic.Properties(
        headers=dict(headers), delivery_mode=2, content_type="application/json"
    )
    frames = [frame.marshal(header.ContentHeader(0, len(body), properties), 1)]
    room = FRAME_MAX - 8
    frames += [
        frame.marshal(pamqp_body.ContentBody(body[at : at + room]), 1)
        for at in range(0, len(body), room)
    ]
    return b"".join(frames)


def body_of(frames: bytes) -> bytes:
    """The body that its frames hold."""
    parts, at = [], 0
    while at < len(frames):
        length = _HEAD.unpack_from(frames, at)[2]
        parts.append(frames[at + 7 : at + 7 + length])
        at += 8 + length
    return b"".join(parts)


async def published(
    wire: Wire, exchange: str, messages: Iterable[tuple[str, Mapping[str, Any], bytes]]
) -> int:
    """Publish (key, headers, body), at most `WINDOW` unconfirmed; their number, all confirmed."""
    sent = 0
    room = asyncio.Event()
    confirms = Confirms()

    def confirmed(tag: int, several: bool) -> None:  # noqa: FBT001 - as AMQP has it
        confirms.take(tag, several=several)
        room.set()

    wire.confirmed = confirmed
    async with asyncio.timeout(CONFIRM_S):
        for key, headers, body in messages:
            wire.write(publish_head(exchange, key) + content_frames(headers, body))
            sent += 1
            while sent - confirms.upto >= WINDOW:
                await _woken(wire, room)
        while confirms.upto < sent:
            await _woken(wire, room)
    return sent


async def _woken(wire: Wire, room: asyncio.Event) -> None:
    if wire.error:
        raise Transient("bench.broker", f"The broker closed: {wire.error}")
    room.clear()
    try:
        async with asyncio.timeout(1):
            await room.wait()
    except TimeoutError:
        return


class Confirms:
    """The gapless watermark of confirms, which may come out of order."""

    def __init__(self) -> None:
        self.upto = 0
        self._early: set[int] = set()

    def take(self, tag: int, *, several: bool) -> None:
        if several:
            self.upto = max(self.upto, tag)
        elif tag > self.upto:
            self._early.add(tag)
        while self.upto + 1 in self._early:
            self.upto += 1
            self._early.discard(self.upto)
