"""RabbitMQ, spoken in one place: connections, confirmed publishing, batches of deliveries.

Promises   `Publisher.publish` returns when the broker has confirmed *and* routed the message;
           nothing is acknowledged here but by the caller, after what it led to is safe; what is
           published is signed, so that a stranger's message is known as one (`Broker.check`)
Careful    publishing and consuming have a connection each: the broker that holds back a publisher
           reads nothing from its connection, and acknowledgements would wait with it
Form       an address may name the nodes of a cluster (`hub.amqp.address`): one that is lost or does
           not answer makes way for the next, at once; when none answers, the caller waits
Units      time-outs in seconds
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol, Self

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from hub.amqp import Channel, Connection, connect, node_urls, packed
from hub.crypto import Mac, sm3
from schemas.errors import HubError, Misconfigured, Rejected, Transient

__all__ = [
    "AHEAD_BYTES",
    "SUSPECT_AFTER",
    "Broker",
    "Consumer",
    "Incoming",
    "Outgoing",
    "Publisher",
    "acknowledge",
    "close_channel",
    "hand_back",
    "safe_url",
    "times_delivered",
]

CONFIRM_S, LOOK_S = 30.0, 1.0
CLOSE_S = 5.0
CONNECT_S, CONNECT_NODE_S = 10.0, 4.0
SUSPECT_AFTER, AHEAD_BYTES = 3, 32 * 1_048_576
SIGNATURE, DIGEST = "x-signature", "cloudEvents:digest"
SIGNED = (
    "cloudEvents:id",
    "cloudEvents:source",
    "cloudEvents:type",
    "cloudEvents:subject",
    "cloudEvents:time",
    "cloudEvents:sequence",
    DIGEST,
    "x-key",
    "x-operation",
    "x-stage",
    "x-route",
)
Purpose = Literal["publish", "consume"]
log = structlog.get_logger("hub.broker")


class Incoming(Protocol):
    """A delivery that waits for its acknowledgement; the libraries' and ours alike."""

    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def exchange(self) -> str | None: ...
    @property
    def routing_key(self) -> str | None: ...
    @property
    def channel(self) -> Any: ...
    async def ack(self, *, multiple: bool = False) -> None: ...
    async def nack(self, *, requeue: bool = True) -> None: ...


class Outgoing(Struct, frozen=True):
    """A message to publish. The exchange "" is the default one: the key names a queue. *mandatory*:
    it fails where no queue takes it."""

    exchange: str
    key: str
    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)
    content_type: str = "application/json"
    mandatory: bool = True


def safe_url(url: str) -> str:
    """*url* without its password, for people and logs."""
    head, at, tail = url.rpartition("@")
    scheme, _, user = head.partition("://")
    return f"{scheme}://{user.partition(':')[0]}@{tail}" if at else url


class Broker:
    """A line to publish on and one to consume from. One that breaks fails all that is on it, and is
    opened anew by whoever asks next."""

    def __init__(self, url: str, *, name: str, mac: Mac | None = None) -> None:
        """*mac* signs and checks; without one nothing is signed and everything is taken."""
        self._url, self._name, self._mac = url, name, mac
        # The node to try first stands first: the one that answered last, unless it was lost.
        self._nodes = deque(node_urls(url))
        self._open = False
        self._lines: dict[Purpose, Connection] = {}
        self._on: dict[Purpose, str] = {}
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Raises `Transient` where no broker answers, `Misconfigured` where it denies us."""
        self._open = True
        await self._line("publish")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._open = False
        lines, self._lines = self._lines, {}
        try:
            for line in lines.values():
                await line.close(CLOSE_S)
        finally:
            for line in lines.values():
                line.abort()

    def signed(self, outgoing: Outgoing) -> Outgoing:
        """*outgoing* as it travels: signed, its headers packed. Raises `Rejected` where they hold
        what is no text."""
        headers = outgoing.headers
        if self._mac is not None:
            signature = self._mac.sign(_signed_parts(headers, outgoing.body))
            headers = {**headers, SIGNATURE: signature}
        try:
            wire = packed(headers)
        except (ValueError, TypeError) as error:
            # What they say may quote the message.
            raise Rejected(
                "broker.unsendable",
                "A header is no text",
                exchange=outgoing.exchange[:64],
                key=outgoing.key[:64],
            ) from error
        return replace(outgoing, headers=wire)

    def check(self, incoming: Incoming) -> None:
        """Raises `Rejected` (``envelope.signature``) where none of the hub's processes sent it."""
        if self._mac is None:
            return
        headers = incoming.headers
        told = headers.get(SIGNATURE)
        parts = _signed_parts(headers, incoming.body)
        if not isinstance(told, str) or not self._mac.is_of(parts, told):
            raise Rejected("envelope.signature", "Not sent by the hub")

    @property
    def connected(self) -> bool:
        return bool(self._lines) and not any(line.is_closed for line in self._lines.values())

    @property
    def version(self) -> str:
        """RabbitMQ's, as it told when it was last connected to; "" before that."""
        return next((line.version for line in self._lines.values()), "")

    @property
    def blocked(self) -> bool:
        """The broker takes nothing now: an alarm of its disk or memory."""
        return any(line.is_blocked for line in self._lines.values())

    async def channel(self, purpose: Purpose = "publish") -> Channel:
        line = await self._line(purpose)
        try:
            return await line.channel()
        except Transient:
            # A line that opens no channel is no use to the next one either.
            line.abort()
            raise

    @asynccontextmanager
    async def publisher(self, *, lasting: bool = True) -> AsyncIterator[Publisher]:
        """*lasting*: a channel that is no use any more is replaced. One who writes batch behind
        batch before the first is confirmed has it not replaced: what comes later would arrive
        before what must be written again."""
        publisher = Publisher(self, lasting=lasting)
        try:
            yield publisher
        finally:
            await publisher.close()

    @asynccontextmanager
    async def consumer(
        self,
        queue: str,
        *,
        prefetch: int,
        arguments: Mapping[str, Any] | None = None,
        budget_bytes: int = AHEAD_BYTES,
        steady: bool = False,
    ) -> AsyncIterator[Consumer]:
        """Consume *queue* on a channel of its own. On leaving, what was not acknowledged goes back
        to the queue. *steady*: stay subscribed; where one consumer at a time is active, another
        would go on with what comes behind."""
        channel = await self.channel("consume")
        try:
            consumer = Consumer(channel, queue, prefetch, arguments, budget_bytes, steady=steady)
            await consumer.start()
            yield consumer
        finally:
            await close_channel(channel)

    async def _line(self, purpose: Purpose) -> Connection:
        async with self._opening:
            if not self._open:
                raise Misconfigured("broker.closed", "The broker connection is not open")
            line = self._lines.get(purpose)
            if line is None or line.is_closed:
                if line is not None:
                    log.warning("connection.again", purpose=purpose, url=safe_url(self._url))
                    if self._on[purpose] == self._nodes[0]:
                        self._nodes.rotate(-1)
                line = await self._connected(purpose)
                if not self._open:
                    line.abort()
                    raise Misconfigured("broker.closed", "The broker connection is closed")
                self._lines[purpose] = line
            return line

    async def _connected(self, purpose: Purpose) -> Connection:
        """A line to the first node that answers; each is asked once. Where none does, raises what
        may pass by waiting before what may not."""
        within_s = CONNECT_S if len(self._nodes) == 1 else CONNECT_NODE_S
        errors: list[HubError] = []
        for _ in range(len(self._nodes)):
            url = self._nodes[0]
            try:
                line = await connect(url, name=f"{self._name} {purpose}", within_s=within_s)
            except HubError as error:
                errors.append(error)
                self._nodes.rotate(-1)
                if len(self._nodes) > 1:
                    log.warning("connection.next_node", code=error.code, url=safe_url(url))
            else:
                self._on[purpose] = url
                return line
        raise next((each for each in errors if isinstance(each, Transient)), errors[0])


class Publisher:
    """A channel that only publishes, so that one bad publish never closes a consumer's channel.
    A channel that the broker closed for good, that refuses or confirms nothing any more, is replaced
    by the next publish; without *lasting*, every further publish fails."""

    def __init__(self, broker: Broker, *, lasting: bool = True) -> None:
        self._broker, self._lasting = broker, lasting
        self._channel: Channel | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        if self._channel:
            await close_channel(self._channel)

    @property
    def blocked(self) -> bool:
        return self._broker.blocked

    async def publish(self, outgoing: Outgoing) -> None:
        """Raises `Transient` when it is not known to have arrived: the caller repeats or waits."""
        await self.publish_all((outgoing,))

    async def publish_all(self, outgoing: Iterable[Outgoing]) -> None:
        """All in flight together; returns when every one is confirmed."""
        batch = outgoing if isinstance(outgoing, tuple | list) else tuple(outgoing)
        if not batch:
            return
        try:
            async with asyncio.timeout(CONFIRM_S):
                await (await self.sent(batch))
        except TimeoutError as error:
            raise self._unconfirmed() from error

    async def check(self, outgoing: Iterable[Outgoing]) -> None:
        """Raises `Rejected` where one of *outgoing* can never be published."""
        channel = await self._ready()
        for each in outgoing:
            channel.check(self._broker.signed(each))

    async def confirmed(self, done: asyncio.Future[None]) -> None:
        """Wait for what `sent` gave; as long as the broker takes nothing, it has time."""
        left_s = CONFIRM_S
        while not done.done():
            if left_s <= 0:
                raise self._unconfirmed()
            await asyncio.wait((done,), timeout=LOOK_S)
            left_s = CONFIRM_S if self.blocked else left_s - LOOK_S
        done.result()

    def _unconfirmed(self) -> Transient:
        if self.blocked:
            return Transient("broker.refused", "The broker does not confirm")
        if self._channel is not None:
            # A channel that wrote to a queue's leader as it was lost may never confirm again.
            self._channel.give_up("no confirm")
        return Transient("broker.lost", "The broker does not confirm")

    async def sent(self, batch: Sequence[Outgoing]) -> asyncio.Future[None]:
        """Write *batch* behind all that was written before; the future is done when every one of
        it is confirmed, or fails with `Transient`. Waits while the broker takes no more. Raises
        `Rejected`, with nothing written, where one of it can never be published."""
        signed = [self._broker.signed(each) for each in batch]
        return await (await self._ready()).publish(signed)

    async def _ready(self) -> Channel:
        if self._channel is not None and _is_well(self._channel):
            return self._channel
        if self._channel is not None and not self._lasting:
            raise Transient("broker.lost", "The channel takes nothing any more")
        async with self._opening:
            if self._channel is None or not _is_well(self._channel):
                if self._channel is not None:
                    self._channel.give_up("refused")
                self._channel = await self._broker.channel()
            return self._channel


class Consumer:
    """
    Deliveries of one queue, singly or as whatever has arrived by now.

    What was delivered before, more than once, may be what broke its worker. It is given out alone,
    with nothing else in hand, so that only the poisonous one nears the queue's delivery limit.

    As many are fetched ahead as fit into *budget_bytes* by the size of the last ones, so that large
    messages fill no memory.
    """

    def __init__(
        self,
        channel: Channel,
        queue: str,
        prefetch: int,
        arguments: Mapping[str, Any] | None = None,
        budget_bytes: int = AHEAD_BYTES,
        *,
        steady: bool = False,
    ) -> None:
        self._channel, self._queue = channel, queue
        self._prefetch, self._arguments = prefetch, arguments
        self._budget_bytes = budget_bytes
        self._steady = steady or "x-stream-offset" in (arguments or {})
        self._careful = not self._steady
        self._ahead = 1 if self._careful else prefetch

    async def start(self) -> None:
        ahead, arguments = self._ahead, self._arguments
        await self._channel.consume(self._queue, prefetch=ahead, arguments=arguments)

    async def one(self) -> Incoming:
        return (await self.batch(1))[0]

    async def batch(self, most: int) -> Sequence[Incoming]:
        """Wait for one, then take what is there, in order, up to *most* and a few. No timer: under
        low load a batch is one message, under high load batches grow by themselves."""
        taken = await self._channel.arrived(most)
        if self._steady:
            return taken
        if self._careful and times_delivered(taken[0]) >= SUSPECT_AFTER:
            return taken
        mean = sum(len(each.body) for each in taken) // len(taken) + 1
        fits = max(1, min(self._prefetch, self._budget_bytes // mean))
        if not self._careful and (self._ahead <= 2 * fits and fits <= 2 * self._ahead):
            return taken
        return [*taken, *await self._again(fits)]

    async def _again(self, ahead: int) -> Sequence[Incoming]:
        """Subscribe anew, *ahead* messages at a time; returns what has arrived meanwhile."""
        more = await self.stop()
        self._careful, self._ahead = False, ahead
        await self.start()
        return more

    async def stop(self) -> Sequence[Incoming]:
        """Take no more; returns what has arrived meanwhile. A steady one stays subscribed until its
        channel closes, and what comes until then goes back: nobody else may have what is behind as
        long as something is in hand."""
        if self._steady:
            return self._channel.mute()
        return await self._channel.stop()


def _is_well(channel: Channel) -> bool:
    """A channel that saw its queue's leader go may refuse all that follows, though the queue has
    another leader by now; a fresh channel finds it."""
    return not channel.is_closed and not channel.refused


def _signed_parts(headers: Mapping[str, Any], body: bytes) -> list[str]:
    """What a signature covers: the body by its digest, where it has one."""
    parts = [str(headers.get(name, "")) for name in SIGNED]
    return parts if DIGEST in headers else [*parts, sm3(body)]


def times_delivered(incoming: Incoming) -> int:
    """How often it was delivered before, as its queue counts."""
    told = incoming.headers.get("x-delivery-count", 0)
    return told if isinstance(told, int) else 0


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
        except (HubError, OSError, RuntimeError) as error:
            log.warning("ack.lost", error=type(error).__name__)


async def hand_back(messages: Sequence[Incoming]) -> None:
    """Put *messages* back into their queue, for whoever is next."""
    for message in messages:
        try:
            await message.nack(requeue=True)
        except (HubError, OSError, RuntimeError) as error:
            log.warning("ack.lost", error=type(error).__name__)


async def close_channel(channel: Channel) -> None:
    """Close it, and wait until the broker has: what is not acknowledged is back in its queue."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await channel.close()
    except (HubError, TimeoutError) as error:
        log.debug("channel.closing_failed", error=type(error).__name__)
