"""A channel: groups of confirmed publishes, deliveries of one queue, acknowledgements, calls.

Promises   a group is told done when the broker has confirmed *and* routed every message of it; it
           fails as a whole, and some of it may have arrived all the same
Careful    used from the event loop only; one task waits for deliveries. A call that is cancelled or
           not answered gives the channel up: its answer would be taken for that of the next
Careful    a channel's number is free again when the broker has said the last word on it: after its
           CloseOk to our Close, even where its own Close has crossed ours
Units      seconds
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from itertools import takewhile
from struct import Struct
from typing import Any, Protocol

import pamqp.frame
import structlog
from pamqp import commands
from pamqp.base import Frame

from hub.amqp import frames
from hub.amqp.arrivals import Arrivals
from hub.amqp.packed import unpacked
from hub.amqp.reader import Content, header_table, message_id, short
from schemas.errors import HubError, Misconfigured, Rejected, Transient

__all__ = ["Channel", "Incoming", "Line", "Outbound", "lost"]

_METHOD, _TAG, _ACK = Struct(">I"), Struct(">QB"), Struct(">QB")
_DELIVER, _RETURN, _CONFIRMED, _REFUSED = 0x003C003C, 0x003C0032, 0x003C0050, 0x003C0078
_CANCELLED = 0x003C001E
_CLOSE, _CLOSE_OK = 0x00140028, 0x00140029
_ARGUMENTS = 4
_EXCHANGE, _QUEUE = 40, 50  # classes of methods
CALL_S = 30.0
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
    @property
    def mandatory(self) -> bool: ...


def lost(said: str) -> Transient:
    return Transient("broker.lost", "The broker connection broke", said=said)


class Incoming:
    """A delivery. Its headers are decoded and unpacked when they are asked for."""

    __slots__ = ("_headers", "_table", "body", "channel", "exchange", "routing_key", "tag")

    def __init__(
        self, channel: Channel, tag: int, exchange: str, routing_key: str, table: bytes, body: bytes
    ) -> None:
        self.channel, self.tag = channel, tag
        self.exchange, self.routing_key = exchange, routing_key
        self._table, self.body = table, body
        self._headers: dict[str, Any] | None = None

    @property
    def headers(self) -> dict[str, Any]:
        if self._headers is None:
            self._headers = self._read()
        return self._headers

    def _read(self) -> dict[str, Any]:
        try:
            return unpacked(frames.decode_table(self._table))
        except ValueError:
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
        self._ended = asyncio.Event()
        self._calling = asyncio.Lock()
        self._reply: asyncio.Future[Any] | None = None
        self._content: Content | None = None
        self._sent, self._consumer, self._subscribed = 0, "", 0
        self._nonce = os.urandom(6).hex().encode()
        self._unconfirmed: dict[int, _Group] = {}
        self._arrivals = Arrivals()
        self._acknowledged = 0  # this tag and all before it
        self._settling = asyncio.Event()
        self.refused = False  # the broker did not take something published here

    @property
    def is_closed(self) -> bool:
        return self._error is not None

    async def call(self, method: Frame) -> Any:
        """Ask the broker, and wait for its answer, at most `CALL_S`."""
        async with self._calling:
            self._check()
            asked = pamqp.frame.marshal(method, self._number)
            self._reply = self._loop.create_future()
            self._line.write(asked)
            try:
                async with asyncio.timeout(CALL_S):
                    return await self._reply
            except TimeoutError as error:
                self._give_up("no answer")
                raise lost("no answer") from error
            except asyncio.CancelledError:
                self._give_up("given up")
                raise
            finally:
                self._reply = None

    async def open(self) -> None:
        await self.call(commands.Channel.Open())
        await self.call(commands.Confirm.Select())

    async def close(self) -> None:
        """Wait until the broker has closed it; repeatable. What is not acknowledged is back in its
        queue then; what is not confirmed fails."""
        self._give_up("closed")
        await self._ended.wait()

    def give_up(self, why: str) -> None:
        """End it at once: what is not confirmed fails. Whoever goes on opens another."""
        self._give_up(why)

    async def publish(self, outgoing: Sequence[Outbound]) -> asyncio.Future[None]:
        """Write *outgoing*, in order; the future is done when all of them are confirmed. Waits
        only while the broker or the socket takes no more. Raises `Rejected`
        (``broker.unsendable``), and writes none, where one cannot be put into frames."""
        await self._line.writable()
        self._check()
        done: asyncio.Future[None] = self._loop.create_future()
        done.add_done_callback(_seen)
        if not outgoing:
            done.set_result(None)
            return done
        tags = range(self._sent + 1, self._sent + 1 + len(outgoing))
        pieces: list[bytes] = []
        for tag, each in zip(tags, outgoing, strict=True):
            pieces += self._framed(tag, each)
        self._unconfirmed.update(dict.fromkeys(tags, _Group(len(outgoing), done)))
        self._sent = tags[-1]
        self._line.write(b"".join(pieces))
        return done

    def check(self, each: Outbound) -> None:
        """Raises `Rejected` where *each* could not be published, ever."""
        self._framed(self._sent + 1, each)

    def _framed(self, tag: int, each: Outbound) -> list[bytes]:
        try:
            return frames.published(
                self._number,
                frames.publish_method(
                    self._number, each.exchange, each.key, mandatory=each.mandatory
                ),
                each.headers,
                each.body,
                content_type=each.content_type.encode(),
                message_id=b"%s-%d" % (self._nonce, tag),
                frame_max=self._line.frame_max,
            )
        except ValueError as error:
            # What ValueError says may quote the message.
            raise Rejected(
                "broker.unsendable",
                "A name, the headers or the body are too long, or of no type that AMQP has",
                exchange=each.exchange[:64],
                key=each.key[:64],
            ) from error

    async def consume(
        self,
        queue: str,
        *,
        prefetch: int,
        arguments: Mapping[str, Any] | None = None,
        into: Arrivals | None = None,
    ) -> None:
        """Have *queue* delivered here, *prefetch* messages ahead of their acknowledgement. *into*:
        with what comes on other channels."""
        if into is not None:
            self._arrivals = into
        await self.call(commands.Basic.Qos(prefetch_count=prefetch))
        # For the consumer that is begun next, not for the channel. Named in ascending order: what
        # several held when their process died, the broker gives back in the order of their names.
        self._subscribed += 1
        told = commands.Basic.Consume(
            queue=queue, consumer_tag=f"{self._subscribed:08d}", arguments=dict(arguments or {})
        )
        self._consumer = (await self.call(told)).consumer_tag

    async def stop(self) -> list[Incoming]:
        """Have nothing more delivered; returns what has arrived and was not taken."""
        await self.call(commands.Basic.Cancel(consumer_tag=self._consumer))
        return self._arrivals.forget(self)

    def mute(self) -> list[Incoming]:
        """Give out nothing more that comes here; what was given out may still be acknowledged. Returns
        what has arrived and was not taken."""
        arrived = self._arrivals.forget(self)
        self._arrivals = Arrivals()
        return arrived

    async def arrived(self, most: int) -> list[Incoming]:
        """Wait for one delivery, then take what is there, in order, up to *most*."""
        return await self._arrivals.take(most)

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        if self._error is not None:
            return
        self._line.write(frames.acknowledged(self._number, tag, multiple=multiple))
        if multiple:
            self._acknowledged = tag
            self._settling.set()

    async def acknowledged(self, tag: int) -> None:
        """Wait until *tag* and all before it are acknowledged, in order. Raises what the channel
        failed with."""
        while self._acknowledged < tag:
            self._check()
            self._settling.clear()
            await self._settling.wait()

    def refuse(self, tag: int, *, requeue: bool) -> None:
        """Back into its queue, or else to where the queue's dead letters go."""
        if self._error is None:
            self._line.write(frames.refused(self._number, tag, requeue=requeue))

    def took(self, kind: int, payload: bytes) -> None:
        """Take a frame from the broker."""
        if self._error is not None:
            self._took_last(kind, payload)
        elif kind == frames.METHOD:
            self._method(payload)
        elif (content := self._content) is None:
            raise lost("content without its method")
        elif content.begun(payload) if kind == frames.HEADER else content.more(payload):
            self._content = None
            self._message(content)

    def fail(self, error: HubError) -> None:
        """The channel is no more: everything that waits on it fails with *error*."""
        self._fail(error)
        self._ended.set()

    def _fail(self, error: HubError) -> None:
        if self._error is not None:
            return
        self._error = error
        groups, self._unconfirmed = self._unconfirmed, {}
        for group in groups.values():
            group.failed(error)
        self._arrivals.fail(self, error)
        self._settling.set()
        if (reply := self._reply) and not reply.done():
            reply.set_exception(error)
            _seen(reply)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)

    def _give_up(self, why: str) -> None:
        """Ask the broker, once, to close it; nothing else is heard of it any more."""
        if self._error is None:
            close = commands.Channel.Close(200, why, 0, 0)
            self._line.write(pamqp.frame.marshal(close, self._number))
            self._fail(lost(why))

    def _took_last(self, kind: int, payload: bytes) -> None:
        """Take a frame after our Close."""
        if kind != frames.METHOD:
            return
        (method,) = _METHOD.unpack_from(payload)
        if method == _CLOSE:
            # It crossed ours. The broker answers ours all the same.
            self._line.write(pamqp.frame.marshal(commands.Channel.CloseOk(), self._number))
        elif method == _CLOSE_OK:
            self._ended.set()
            self._line.gone(self._number)

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
            self.refused = True
            for group in self._settled(tag, multiple=bool(bits & 1)):
                group.failed(error)
        elif method == _CANCELLED:
            self._give_up("the broker ended the subscription")
        else:
            self._answer(_unmarshalled(payload, self._number))

    def _settled(self, tag: int, *, multiple: bool) -> list[_Group]:
        waiting = self._unconfirmed
        if not multiple:
            group = waiting.pop(tag, None)
            return [group] if group else []
        # Tags are kept in their order.
        return [waiting.pop(each) for each in list(takewhile(tag.__ge__, waiting))]

    def _answer(self, method: Frame) -> None:
        if isinstance(method, commands.Channel.Close):
            self._line.write(pamqp.frame.marshal(commands.Channel.CloseOk(), self._number))
            self.fail(_closed(method))
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
        self._arrivals.add(Incoming(self, tag, exchange, key, table, content.body))

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


def _seen(done: asyncio.Future[Any]) -> None:
    """One who was cancelled waits no more: the outcome is nobody's then, and no surprise."""
    if not done.cancelled():
        done.exception()


def _unmarshalled(payload: bytes, number: int) -> Frame:
    whole = frames.PREFIX.pack(frames.METHOD, number, len(payload)) + payload + frames.END
    _, _, method = pamqp.frame.unmarshal(whole)
    if not isinstance(method, Frame):
        raise lost("not a method")
    return method


def _closed(method: commands.Channel.Close) -> HubError:
    """Why the broker closed the channel."""
    said = method.reply_text or ""
    match method.reply_code:
        case 403:
            return Misconfigured("broker.denied", "The broker denies this", said=said)
        case 404:
            return Transient("broker.missing", "The broker has no such thing now", said=said)
        # Of others it also means: a consumer that took too long to acknowledge, an unknown tag.
        case 406 if method.class_id in (_EXCHANGE, _QUEUE):
            return Misconfigured("broker.topology", "It exists with other properties", said=said)
        case _:
            return lost(said)
