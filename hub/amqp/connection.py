"""A connection to the broker: opening it, heartbeats, flow control, closing.

Standard   AMQP 0-9-1 §2.2.4 (opening, tuning), RabbitMQ's ``connection.blocked``
Promises   while the broker blocks it, or the socket takes no more, `writable` waits: memory stays
           bounded, and the caller feels it
Units      seconds
"""

from __future__ import annotations

import asyncio
import ssl
from struct import error as StructError  # noqa: N812 - a class, named as one
from typing import Any, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import pamqp.frame
import structlog
from pamqp import commands
from pamqp.base import Frame
from pamqp.exceptions import PAMQPException

from hub.amqp import frames
from hub.amqp.address import place
from hub.amqp.channel import Channel, lost
from hub.amqp.reader import Frames
from schemas.errors import HubError, Misconfigured, Transient

__all__ = ["Connection", "connect"]

PROTOCOL = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_S = 10
FRAME_MAX, FRAME_LEAST, CHANNELS = 131_072, 4096, 65_535
WRITE_HIGH_BYTES = 4 * 1_048_576
CAPABILITIES = (
    "publisher_confirms",
    "basic.nack",
    "connection.blocked",
    "consumer_cancel_notify",
    "authentication_failure_close",
)
# What bytes that are no AMQP can raise where they are taken apart.
GARBLED = (PAMQPException, ValueError, LookupError, ArithmeticError, StructError)
log = structlog.get_logger("hub.amqp")


async def connect(url: str, *, name: str, within_s: float = 10.0) -> Connection:
    """
    Open a connection; *name* is what the broker's operators see.

    Raises `Transient` where nobody answers (``broker.down``) or not as a broker does
    (``broker.lost``), `Misconfigured` where the broker refuses user, password or virtual host
    (``broker.denied``), or where certificates do not fit (``broker.certificate``).
    """
    told = urlsplit(url)
    host, port = place(told)
    tls = await asyncio.to_thread(_tls, told) if told.scheme == "amqps" else None
    loop = asyncio.get_running_loop()
    connection: Connection | None = None
    try:
        async with asyncio.timeout(within_s):
            _, connection = await loop.create_connection(Connection, host, port, ssl=tls)
            await connection.open(told, name)
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(
            "broker.certificate", "The certificate does not fit", said=error.verify_message
        ) from error
    except (OSError, TimeoutError) as error:
        if connection:
            connection.abort()
        raise Transient("broker.down", "RabbitMQ does not answer", host=host, port=port) from error
    except BaseException:
        if connection:
            connection.abort()
        raise
    return connection


def _tls(told: SplitResult) -> ssl.SSLContext:
    query = {name: values[-1] for name, values in parse_qs(told.query).items()}
    try:
        context = ssl.create_default_context(cafile=query.get("cafile"), capath=query.get("capath"))
        if "certfile" in query:
            context.load_cert_chain(query["certfile"], query.get("keyfile"))
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise Misconfigured("broker.certificate", "No readable certificate", said=said) from error
    return context


class Connection(asyncio.Protocol):
    """Made by `connect`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._frames = Frames(FRAME_MAX)
        self._channels: dict[int, Channel] = {}
        self._numbers = iter(range(1, CHANNELS + 1))
        self._free: list[int] = []
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._error: HubError | None = None
        self._reply: asyncio.Future[Frame] | None = None
        self._socket_takes, self._broker_takes = asyncio.Event(), asyncio.Event()
        self._socket_takes.set()
        self._broker_takes.set()
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._spoke = self._loop.time()
        self._heartbeat = 0
        self.frame_max = FRAME_MAX
        self.cluster = self.version = ""  # as the broker tells them when it is opened

    @property
    def is_closed(self) -> bool:
        return self._error is not None

    @property
    def is_blocked(self) -> bool:
        """The broker takes no messages: its disk or memory is used up."""
        return not self._broker_takes.is_set()

    async def open(self, told: SplitResult, name: str) -> None:
        user, password = unquote(told.username or "guest"), unquote(told.password or "guest")
        start = await self._ask(PROTOCOL, commands.Connection.Start)
        about = start.server_properties or {}
        self.cluster = str(about.get("cluster_name", ""))
        self.version = str(about.get("version", ""))
        properties: dict[str, Any] = {
            "product": "shuniu",
            "connection_name": name,
            "capabilities": dict.fromkeys(CAPABILITIES, True),
        }
        secret = f"\0{user}\0{password}"
        tune = await self._ask(
            commands.Connection.StartOk(properties, "PLAIN", secret, "en_US"),
            commands.Connection.Tune,
        )
        self.frame_max = max(tune.frame_max or FRAME_MAX, FRAME_LEAST)
        self._frames.frame_max = self.frame_max
        self._numbers = iter(range(1, (tune.channel_max or CHANNELS) + 1))
        self._heartbeat = min(tune.heartbeat or HEARTBEAT_S, HEARTBEAT_S)
        told_back = commands.Connection.TuneOk(tune.channel_max, self.frame_max, self._heartbeat)
        self.write(pamqp.frame.marshal(told_back, 0))
        vhost = unquote(told.path[1:]) or "/"
        await self._ask(commands.Connection.Open(vhost), commands.Connection.OpenOk)
        self._watch()

    async def channel(self) -> Channel:
        if self._error:
            raise self._error
        number = self._free.pop() if self._free else next(self._numbers, 0)
        if not number:
            # One more, and the broker would close the connection with all that is on it.
            raise Misconfigured(
                "broker.channels", "All channels are in use", limit=len(self._channels)
            )
        channel = self._channels[number] = Channel(self, number)
        await channel.open()
        return channel

    async def close(self, within_s: float = 5.0) -> None:
        """Say good-bye; what is not confirmed by then is not known to have arrived."""
        try:
            async with asyncio.timeout(within_s):
                await self._ask(
                    commands.Connection.Close(200, "done", 0, 0), commands.Connection.CloseOk
                )
        except (TimeoutError, HubError) as error:
            log.debug("connection.closing_failed", error=type(error).__name__)
        finally:
            self.abort()

    def abort(self) -> None:
        """End it at once."""
        self._fail(lost("closed"))
        if self._transport:
            self._transport.abort()

    def write(self, data: bytes) -> None:
        """Send *data*, together with what else is written before the loop goes round."""
        if self._error is not None:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > WRITE_HIGH_BYTES:
            # One who writes and never lets the loop go round is held back as well.
            self._flush()

    async def writable(self) -> None:
        while not (self._socket_takes.is_set() and self._broker_takes.is_set()):
            await self._socket_takes.wait()
            await self._broker_takes.wait()
        if self._error is not None:
            raise self._error.with_traceback(None)

    def gone(self, channel: int) -> None:
        """The broker knows *channel* no more; its number is free."""
        if self._channels.pop(channel, None):
            self._free.append(channel)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(lost(type(exc).__name__ if exc else "closed by the broker"))

    def pause_writing(self) -> None:
        self._socket_takes.clear()

    def resume_writing(self) -> None:
        self._socket_takes.set()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            for kind, number, payload in self._frames.feed(data):
                if number:
                    if channel := self._channels.get(number):
                        channel.took(kind, payload)
                elif kind == frames.METHOD:
                    self._method(payload)
        except HubError as error:
            self._broken(error)
        except GARBLED as error:
            self._broken(lost(type(error).__name__))

    def _broken(self, error: HubError) -> None:
        self._fail(error)
        if self._transport:
            self._transport.abort()

    def _flush(self) -> None:
        out, self._out, self._out_bytes = self._out, [], 0
        if out and self._transport and not self._transport.is_closing():
            self._spoke = self._loop.time()
            self._transport.write(b"".join(out))

    async def _ask(self, request: bytes | Frame, answer: type[Frame]) -> Any:
        if self._error is not None:
            raise self._error
        self._reply = self._loop.create_future()
        self.write(request if isinstance(request, bytes) else pamqp.frame.marshal(request, 0))
        try:
            found = await self._reply
        finally:
            self._reply = None
        if not isinstance(found, answer):
            raise lost("unexpected answer")
        return found

    def _method(self, payload: bytes) -> None:
        whole = frames.PREFIX.pack(frames.METHOD, 0, len(payload)) + payload + frames.END
        _, _, method = pamqp.frame.unmarshal(whole)
        if isinstance(method, commands.Connection.Blocked):
            log.warning("connection.blocked", reason=method.reason)
            self._broker_takes.clear()
        elif isinstance(method, commands.Connection.Unblocked):
            log.info("connection.unblocked")
            self._broker_takes.set()
        elif isinstance(method, commands.Connection.Close):
            self.write(pamqp.frame.marshal(commands.Connection.CloseOk(), 0))
            self._flush()
            self._fail(_ended(method.reply_code or 0, method.reply_text or ""))
            if self._transport:
                self._transport.close()
        elif self._reply and not self._reply.done() and isinstance(method, Frame):
            self._reply.set_result(method)

    def _fail(self, error: HubError) -> None:
        if self._error is not None:
            return
        self._error = error
        if self._timer:
            self._timer.cancel()
        if self._reply and not self._reply.done():
            self._reply.set_exception(error)
        for channel in list(self._channels.values()):
            channel.fail(error)
        self._channels.clear()
        # Those who wait find out.
        self._socket_takes.set()
        self._broker_takes.set()

    def _watch(self) -> None:
        """Twice a heartbeat: speak where nothing was said, give up where nothing is heard."""
        if self._error is not None or not self._heartbeat:
            return
        now = self._loop.time()
        if now - self._heard > 2 * self._heartbeat:
            log.warning("connection.silent", seconds=round(now - self._heard, 1))
            self._broken(lost("no heartbeat"))
            return
        if now - self._spoke >= self._heartbeat / 2:
            self.write(frames.HEARTBEAT)
        self._timer = self._loop.call_later(self._heartbeat / 2, self._watch)


def _ended(code: int, said: str) -> HubError:
    if code in (403, 530):
        return Misconfigured("broker.denied", "The broker denies this", said=said)
    return lost(said)
