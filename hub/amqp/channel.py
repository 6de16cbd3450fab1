"""A channel: groups of confirmed publishes, deliveries of one queue, acknowledgements, calls.

Promises   a group is told done when the broker has confirmed *and* routed every message of it; it
           fails as a whole, and some of it may have arrived all the same
Careful    used from the event loop only. A call that is cancelled gives the channel up: its answer
           would be taken for that of the next
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from struct import Struct
from typing import Any, Protocol

import pamqp.frame
import structlog
from pamqp import commands
from pamqp.base import Frame

from hub.amqp import frames
from hub.amqp.reader import Content, header_table, message_id, short
from schemas.errors import HubError, Misconfigured, Transient

__all__ = ["Channel", "Incoming", "Line", "Outbound", "lost"]

_METHOD, _TAG, _ACK = Struct(">I"), Struct(">QB"), Struct(">QB")
_DELIVER, _RETURN, _CONFIRMED, _REFUSED = 0x003C003C, 0x003C0032, 0x003C0050, 0x003C0078
_CANCELLED = 0x003C001E
_ENDS = (0x00140028, 0x00140029)  # Channel.Close, Channel.CloseOk
_ARGUMENTS = 4
log = structlog.get_logger("hub.amqp")


class Line(Protocol):
    """The connection, as a channel sees it."""

    frame_max: int

    def write(self, data: bytes) -> None: ...
    async def writable(self) -> None: ...
    def gone(self, channel: int) -> None: ...


class Outbound(Protocol):
    """What can be published."""

    @property
    def exchange(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def content_type(self) -> str: ...


def lost(said: str) -> Transient:
    return Transient("broker.lost", "The broker connection broke", said=said)


class Incoming:
    """A delivery. Its headers are decoded when they are asked for."""

    def __init__(
        self, channel: Channel, tag: int, exchange: str, routing_key: str, table: bytes, body: bytes
    ) -> None:
        self.channel, self.tag = channel, tag
        self.exchange, self.routing_key = exchange, routing_key
        self._table, self.body = table, body

    @cached_property
    def headers(self) -> dict[str, Any]:
        try:
            return frames.decode_table(self._table)
        except (ValueError, IndexError, LookupError):
            log.warning("headers.unreadable", exchange=self.exchange)
            return {}

    async def ack(self, *, multiple: bool = False) -> None:
        self.channel.acknowledge(self.tag, multiple=multiple)

    async def nack(self, *, requeue: bool = True) -> None:
        self.channel.refuse(self.tag, requeue=requeue)


class _Group:
    """Messages published together, of which *left* are not confirmed yet."""

    __slots__ = ("done", "left")

    def __init__(self, left: int, done: asyncio.Future[None]) -> None:
        self.left, self.done = left, done

    def confirmed(self) -> None:
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def failed(self, error: HubError) -> None:
        self.left -= 1
        if not self.done.done():
            self.done.set_exception(error)


class Channel:
    """Opened by `Connection.channel`."""

    def __init__(self, line: Line, number: int) -> None:
        self._line, self._number = line, number
        self._loop = asyncio.get_running_loop()
        self._error: HubError | None = None
        self._calling = asyncio.Lock()
        self._reply: asyncio.Future[Any] | None = None
        self._content: Content | None = None
        self._sent, self._consumer = 0, ""
        self._nonce = os.urandom(6).hex().encode()
        self._unconfirmed: dict[int, _Group] = {}
        self._arrived: deque[Incoming] = deque()
        self._wanted: asyncio.Future[None] | None = None

    @property
    def is_closed(self) -> bool:
        return self._error is not None

    async def call(self, method: Frame) -> Any:
        """Ask the broker, and wait for its answer."""
        async with self._calling:
            self._check()
            self._reply = self._loop.create_future()
            self._line.write(pamqp.frame.marshal(method, self._number))
            try:
                return await self._reply
            except asyncio.CancelledError:
                self._give_up()
                raise
            finally:
                self._reply = None

    async def open(self) -> None:
        await self.call(commands.Channel.Open())
        await self.call(commands.Confirm.Select())

    async def close(self) -> None:
        """Repeatable. What is not acknowledged goes back to its queue."""
        if self._error is None:
            try:
                await self.call(commands.Channel.Close(200, "done", 0, 0))
            except Transient:
                return
            self.fail(lost("closed"))
            self._line.gone(self._number)

    async def publish(self, outgoing: Sequence[Outbound]) -> asyncio.Future[None]:
        """Write *outgoing*, in order; the future is done when all of them are confirmed. Waits
        only while the broker or the socket takes no more."""
        await self._line.writable()
        self._check()
        done: asyncio.Future[None] = self._loop.create_future()
        done.add_done_callback(_seen)
        group = _Group(len(outgoing), done)
        pieces: list[bytes] = []
        number, tag, frame_max = self._number, self._sent, self._line.frame_max
        for each in outgoing:
            pieces += frames.published(
                number,
                frames.publish_method(number, each.exchange, each.key),
                each.headers,
                each.body,
                content_type=each.content_type.encode(),
                message_id=b"%s-%d" % (self._nonce, tag + 1),
                frame_max=frame_max,
            )
            tag += 1
            self._unconfirmed[tag] = group
        self._sent = tag
        if outgoing:
            self._line.write(b"".join(pieces))
        else:
            done.set_result(None)
        return done

    async def consume(
        self, queue: str, *, prefetch: int, arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Have *queue* delivered here, *prefetch* messages ahead of their acknowledgement."""
        await self.call(commands.Basic.Qos(prefetch_count=prefetch))
        # For the consumer that is begun next, not for the channel.
        told = commands.Basic.Consume(queue=queue, arguments=dict(arguments or {}))
        self._consumer = (await self.call(told)).consumer_tag

    async def stop(self) -> list[Incoming]:
        """Have nothing more delivered; returns what has arrived and was not taken."""
        await self.call(commands.Basic.Cancel(consumer_tag=self._consumer))
        left, self._arrived = self._arrived, deque()
        return list(left)

    async def arrived(self, most: int) -> list[Incoming]:
        """Wait for one delivery, then take what is there, in order, up to *most*."""
        while not self._arrived:
            self._check()
            self._wanted = self._loop.create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        taken = self._arrived
        if len(taken) <= most:
            self._arrived = deque()
            return list(taken)
        return [taken.popleft() for _ in range(most)]

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        if self._error is None:
            self._line.write(frames.acknowledged(self._number, tag, multiple=multiple))

    def refuse(self, tag: int, *, requeue: bool) -> None:
        """Back into its queue, or else to where the queue's dead letters go."""
        if self._error is None:
            self._line.write(frames.refused(self._number, tag, requeue=requeue))

    def took(self, kind: int, payload: bytes) -> None:
        """Take a frame from the broker."""
        if self._error is not None:
            # Given up: only the end of it is waited for.
            if kind == frames.METHOD and _METHOD.unpack_from(payload)[0] in _ENDS:
                self._line.gone(self._number)
        elif kind == frames.METHOD:
            self._method(payload)
        elif (content := self._content) is None:
            raise lost("content without its method")
        elif content.begun(payload) if kind == frames.HEADER else content.more(payload):
            self._content = None
            self._message(content)

    def fail(self, error: HubError) -> None:
        """Everything that waits on this channel fails with *error*."""
        if self._error is not None:
            return
        self._error = error
        groups, self._unconfirmed = self._unconfirmed, {}
        for group in groups.values():
            group.failed(error)
        self._arrived.clear()
        for waiting in (self._reply, self._wanted):
            if waiting and not waiting.done():
                waiting.set_exception(error)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _give_up(self) -> None:
        if self._error is None:
            self._line.write(
                pamqp.frame.marshal(commands.Channel.Close(200, "", 0, 0), self._number)
            )
            self.fail(lost("given up"))

    def _method(self, payload: bytes) -> None:
        (method,) = _METHOD.unpack_from(payload)
        if method in (_DELIVER, _RETURN):
            self._content = Content(payload)
        elif method == _CONFIRMED:
            tag, multiple = _ACK.unpack_from(payload, _ARGUMENTS)
            for group in self._settled(tag, multiple=bool(multiple)):
                group.confirmed()
        elif method == _REFUSED:
            tag, bits = _ACK.unpack_from(payload, _ARGUMENTS)
            error = Transient("broker.refused", "The broker refused a message")
            for group in self._settled(tag, multiple=bool(bits & 1)):
                group.failed(error)
        elif method == _CANCELLED:
            self.fail(lost("the broker ended the subscription"))
        else:
            self._answer(_unmarshalled(payload, self._number))

    def _settled(self, tag: int, *, multiple: bool) -> list[_Group]:
        waiting = self._unconfirmed
        if not multiple:
            group = waiting.pop(tag, None)
            return [group] if group else []
        settled = []
        # Tags are kept in their order.
        for each in list(waiting):
            if each > tag:
                break
            settled.append(waiting.pop(each))
        return settled

    def _answer(self, method: Frame) -> None:
        if isinstance(method, commands.Channel.Close):
            self._line.write(pamqp.frame.marshal(commands.Channel.CloseOk(), self._number))
            self.fail(_closed(method.reply_code or 0, method.reply_text or ""))
            self._line.gone(self._number)
        elif self._reply and not self._reply.done():
            self._reply.set_result(method)

    def _message(self, content: Content) -> None:
        if content.method[3] == _RETURN & 0xFF:
            self._returned(content)
            return
        method = content.method
        at = _ARGUMENTS + 1 + method[_ARGUMENTS]  # behind the consumer's tag
        tag, _ = _TAG.unpack_from(method, at)
        exchange, at = short(method, at + _TAG.size)
        key, _ = short(method, at)
        table = header_table(content.header)
        self._arrived.append(Incoming(self, tag, exchange, key, table, content.body))
        if self._wanted and not self._wanted.done():
            self._wanted.set_result(None)

    def _returned(self, content: Content) -> None:
        """No queue took it. The broker confirms it all the same, afterwards."""
        _, at = short(content.method, _ARGUMENTS + 2)
        exchange, at = short(content.method, at)
        key, _ = short(content.method, at)
        tag = message_id(content.header).rpartition("-")[2]
        group = self._unconfirmed.pop(int(tag), None) if tag.isdigit() else None
        if group:
            group.failed(
                Transient(
                    "broker.unroutable", "No queue takes this message", exchange=exchange, key=key
                )
            )


def _seen(done: asyncio.Future[None]) -> None:
    """One who was cancelled waits no more: the outcome is nobody's then, and no surprise."""
    if not done.cancelled():
        done.exception()


def _unmarshalled(payload: bytes, number: int) -> Frame:
    whole = frames.PREFIX.pack(frames.METHOD, number, len(payload)) + payload + frames.END
    _, _, method = pamqp.frame.unmarshal(whole)
    if not isinstance(method, Frame):
        raise lost("not a method")
    return method


def _closed(code: int, said: str) -> HubError:
    """Why the broker closed the channel."""
    match code:
        case 403:
            return Misconfigured("broker.denied", "The broker denies this", said=said)
        case 404:
            return Transient("broker.missing", "The broker has no such thing now", said=said)
        case 406:
            return Misconfigured("broker.topology", "It exists with other properties", said=said)
        case _:
            return lost(said)
