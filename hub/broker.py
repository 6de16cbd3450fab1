"""RabbitMQ, spoken in one place: connections, confirmed publishing, batches of deliveries.

Promises   `Publisher.publish` returns when the broker has confirmed *and* routed the message;
           nothing is acknowledged here but by the caller, after what it led to is safe
Careful    the AMQP ``message_id`` is random per publish: the client library pairs returned messages
           by it, and two alike in flight would swap their results; a connection lost while waiting
           for a confirm shows as CancelledError, which is told apart from our own cancelling
Units      time-outs in seconds
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aio_pika
import structlog
from aio_pika.abc import (
    AbstractChannel,
    AbstractIncomingMessage,
    AbstractRobustConnection,
)
from aio_pika.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    DeliveryError,
    PublishError,
)

from schemas.errors import Misconfigured, Transient

__all__ = [
    "Broker",
    "Consumer",
    "Incoming",
    "Outgoing",
    "Publisher",
    "acknowledge",
    "hand_back",
    "safe_url",
]

CONFIRM_S = 30.0
CLOSE_S = 5.0
HEARTBEAT_S = 10
log = structlog.get_logger("hub.broker")

Incoming = AbstractIncomingMessage


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish. The exchange "" is the default one: the key names a queue."""

    exchange: str
    key: str
    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)
    content_type: str = "application/json"


def safe_url(url: str) -> str:
    """*url* without its password, for people and logs."""
    head, at, tail = url.rpartition("@")
    scheme, _, user = head.partition("://")
    return f"{scheme}://{user.partition(':')[0]}@{tail}" if at else url


class Broker:
    """One connection, which mends itself; give each purpose its own channel through it."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url, self._name = url, name
        self._connection: AbstractRobustConnection | None = None

    async def __aenter__(self) -> Self:
        try:
            self._connection = await aio_pika.connect_robust(
                self._url,
                heartbeat=HEARTBEAT_S,
                timeout=10,
                reconnect_interval=1,
                client_properties={"connection_name": self._name},
            )
        except (OSError, AMQPError, TimeoutError) as error:
            raise Transient(
                "broker.down", "RabbitMQ does not answer", url=safe_url(self._url)
            ) from error
        return self

    async def __aexit__(self, *exc: object) -> None:
        connection, self._connection = self._connection, None
        if connection:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await connection.close()
            except TimeoutError:
                log.warning("connection.closing_failed", error="TimeoutError")

    @property
    def connected(self) -> bool:
        return bool(self._connection and self._connection.connected.is_set())

    async def channel(self, *, prefetch: int = 0) -> AbstractChannel:
        if self._connection is None:
            raise Misconfigured("broker.closed", "The broker connection is not open")
        try:
            async with asyncio.timeout(CONFIRM_S):
                await self._connection.connected.wait()
                channel = await self._connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
                if prefetch:
                    await channel.set_qos(prefetch_count=prefetch)
        # The library says RuntimeError where the connection broke between the two steps.
        except (RuntimeError, TimeoutError, OSError, AMQPError) as error:
            raise Transient("broker.lost", "The broker connection broke") from error
        return channel

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[Publisher]:
        publisher = Publisher(self)
        try:
            yield publisher
        finally:
            await publisher.close()

    @asynccontextmanager
    async def consumer(self, queue: str, *, prefetch: int) -> AsyncIterator[Consumer]:
        """Consume *queue* on a channel of its own. On leaving, the consumer is cancelled first and
        what it had not acknowledged goes back to the queue."""
        channel = await self.channel(prefetch=prefetch)
        try:
            declared = await channel.get_queue(queue)
            waiting: asyncio.Queue[Incoming] = asyncio.Queue()
            tag = await declared.consume(waiting.put, timeout=CONFIRM_S)
            try:
                yield Consumer(waiting)
            finally:
                if not channel.is_closed:
                    await declared.cancel(tag, timeout=CLOSE_S)
        except ChannelInvalidStateError as error:
            raise Transient("broker.lost", "The broker connection broke") from error
        finally:
            await _close(channel)


class Publisher:
    """A channel that only publishes, so that one bad publish never closes a consumer's channel.
    A channel that the broker closed for good is replaced by the next publish."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, aio_pika.abc.AbstractExchange] = {}
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        if self._channel:
            await _close(self._channel)

    async def publish(self, outgoing: Outgoing) -> None:
        """Raises `Transient` when it is not known to have arrived: the caller repeats or waits."""
        message = aio_pika.Message(
            outgoing.body,
            headers=dict(outgoing.headers),
            content_type=outgoing.content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=os.urandom(12).hex(),
        )
        try:
            exchange = await self._exchange(outgoing.exchange)
            await exchange.publish(message, outgoing.key, mandatory=True, timeout=CONFIRM_S)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            raise Transient("broker.lost", "The broker connection broke") from error
        except PublishError as error:
            raise Transient(
                "broker.unroutable",
                "No queue takes this message",
                exchange=outgoing.exchange,
                key=outgoing.key,
            ) from error
        except DeliveryError as error:
            raise Transient("broker.refused", "The broker refused a message") from error
        except (TimeoutError, OSError, AMQPError, ChannelInvalidStateError) as error:
            raise Transient("broker.lost", "The broker connection broke") from error

    async def publish_all(self, outgoing: Iterable[Outgoing]) -> None:
        """All in flight together; returns when every one is confirmed."""
        results = await asyncio.gather(*map(self.publish, outgoing), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _exchange(self, name: str) -> aio_pika.abc.AbstractExchange:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel, self._exchanges = await self._broker.channel(), {}
            if not name:
                return self._channel.default_exchange
            if name not in self._exchanges:
                found = await self._channel.get_exchange(name, ensure=False)
                self._exchanges[name] = found
            return self._exchanges[name]


class Consumer:
    """Deliveries of one queue, singly or as whatever has arrived by now."""

    def __init__(self, waiting: asyncio.Queue[Incoming]) -> None:
        self._waiting = waiting

    async def one(self) -> Incoming:
        return await self._waiting.get()

    async def batch(self, most: int) -> list[Incoming]:
        """Wait for one, then take what is there, in order, up to *most*. No timer: under low load
        a batch is one message, under high load batches grow by themselves."""
        taken = [await self._waiting.get()]
        while len(taken) < most and not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
        return taken


async def acknowledge(messages: Sequence[Incoming], *, in_order: bool = False) -> None:
    """
    Acknowledge *messages*; *in_order*: they are, with earlier batches, all that came so far.

    A channel that broke meanwhile is no fault: the broker delivers those messages again, and every
    step may be repeated.
    """
    lasts: dict[int, Incoming] = {id(m.channel): m for m in messages} if in_order else {}
    for message in lasts.values() if in_order else messages:
        try:
            await message.ack(multiple=in_order)
        except (ChannelInvalidStateError, AMQPError, OSError) as error:
            log.warning("ack.lost", error=type(error).__name__)


async def hand_back(messages: Sequence[Incoming]) -> None:
    """Put *messages* back into their queue, for whoever is next."""
    for message in messages:
        try:
            await message.nack(requeue=True)
        except (ChannelInvalidStateError, AMQPError, OSError) as error:
            log.warning("ack.lost", error=type(error).__name__)


async def _close(channel: AbstractChannel) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await channel.close()
    except (AMQPError, OSError, TimeoutError, ChannelInvalidStateError) as error:
        log.debug("channel.closing_failed", error=type(error).__name__)
