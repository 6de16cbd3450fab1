"""Exchanges and queues of the hub (design §3): their names, and how they are declared.

Form       ``hub.intake`` <lane>.<system>.<kind> → pipeline.<lane>; ``hub.streams``
           <resource>.<operation>.<region> → services, routes; ``hub.streams.bulk``, of what may wait,
           by the same keys to the same, but for routes without order, which have a queue for it; ``hub.tap`` → ledger, history;
           ``hub.receipts`` <event> → ledger; ``hub.failures`` → failures; ``hub.retry.<n>s`` → (TTL) → any queue
Careful    every queue is a quorum queue: only there a confirm means that the message is on disk.
           Re-declaring with other arguments closes the channel, so arguments here never vary with
           settings. The delivery limit (20, what RabbitMQ 4 sets by itself and then drops by) is
           for messages that break their worker: they go to the failure store. Attempts are new
           publishes, counted in a header. At a shard, where many are in hand together, the
           pipeline finds out by itself which one it is, long before the limit. What the failures'
           own queue gave up would be lost, so it has a limit that is never reached: without one
           RabbitMQ 4 takes 20, and -1, which means none to it, means "at once" to 3.10. A queue
           keeps its mode for ever, so a route has another one where it keeps an order (`hub.gates`:
           from the one to the other)
Units      waits in seconds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from hub.amqp import Channel
from hub.amqp.declare import bind, declare_exchange, declare_queue, depth
from hub.amqp.declare import delete_queue as delete_one
from hub.amqp.declare import unbind as unbind_queue
from hub.broker import Broker, Outgoing
from schemas.errors import HubError, Transient

__all__ = [
    "BULK",
    "DELIVERY_LIMIT",
    "FAILURES",
    "FAILURE_QUEUE",
    "HISTORY",
    "INTAKE",
    "LEDGER",
    "PIPELINE",
    "PIPELINE_BULK",
    "RECEIPTS",
    "RUNGS",
    "SHARDS",
    "STREAMS",
    "STREAMS_BULK",
    "TAP",
    "Binding",
    "bulk_queue",
    "declare",
    "declare_worked",
    "delayed",
    "delete_queue",
    "delivery_limit",
    "depths",
    "is_bulk",
    "queues_with_bulk",
    "route_of",
    "route_queue",
    "rung",
    "rung_queue",
    "service_queue",
    "unbind",
]

INTAKE, STREAMS, TAP, RECEIPTS, FAILURES = (
    "hub.intake",
    "hub.streams",
    "hub.tap",
    "hub.receipts",
    "hub.failures",
)
SHARDS = 4
# What begins an intake's routing key, and ends the name of the queue that it leads to.
BULK = "bulk"
LANES = (*map(str, range(SHARDS)), BULK)
PIPELINE = tuple(f"pipeline.{lane}" for lane in LANES)
PIPELINE_BULK = PIPELINE[-1]
LEDGER, FAILURE_QUEUE, HISTORY = "ledger", "failures", "hub.history"
ROUTE, ORDERED, FIRST = "route.", ":ordered", ":first"
# Streams of what may wait, and what ends the name of the second queue of a route without order.
STREAMS_BULK, BESIDE = "hub.streams.bulk", ":bulk"
BULK_FROM = 100
RUNGS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400)
DELIVERY_LIMIT, SHARD_DELIVERY_LIMIT, NO_DELIVERY_LIMIT = 20, 1000, 2**31 - 1
HISTORY_BYTES = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue that follows streams. *types*: ``<resource>.<operation>`` or ``<resource>.*``.
    *in_order*: one consumer at a time works it off, whatever the number of processes."""

    queue: str
    types: tuple[str, ...]
    in_order: bool = False


def route_queue(route: str, *, in_order: bool) -> str:
    return f"{ROUTE}{route}{ORDERED if in_order else ''}"


def route_of(queue: str) -> str:
    """The route of a route's queue, "" of any other."""
    if not queue.startswith(ROUTE):
        return ""
    return queue.removeprefix(ROUTE).removesuffix(ORDERED).removesuffix(BESIDE)


def bulk_queue(queue: str) -> str:
    """Where bulk goes of what goes to *queue*: only a route without order has a queue for it, any
    other takes all in the order in which it comes."""
    plain = queue.startswith(ROUTE) and not queue.endswith((ORDERED, BESIDE))
    return f"{queue}{BESIDE}" if plain else queue


def queues_with_bulk(queue: str) -> tuple[str, ...]:
    """*queue*, and the one for bulk where there is one."""
    return tuple(dict.fromkeys((queue, bulk_queue(queue))))


def is_bulk(messages: int) -> bool:
    """Whether so many, sent together because somebody said so, are to wait for others."""
    return messages > BULK_FROM


def service_queue(service: str) -> str:
    return f"service.{service}"


def delivery_limit(queue: str) -> int:
    """How often a message of *queue* may come back; after that it is given up."""
    if queue == FAILURE_QUEUE:
        return NO_DELIVERY_LIMIT
    return SHARD_DELIVERY_LIMIT if queue in PIPELINE else DELIVERY_LIMIT


def rung(seconds: float) -> int:
    """The wait that the ladder has for *seconds*: the next longer one, or the longest."""
    return next((each for each in RUNGS if each >= seconds), RUNGS[-1])


def rung_queue(seconds: int) -> str:
    """Where waits of *seconds* pass; its exchange has the same name."""
    return f"hub.retry.{seconds}s"


def delayed(queue: str, seconds: float, body: bytes, headers: dict[str, Any]) -> Outgoing:
    """A message that comes to *queue* after about *seconds*."""
    return Outgoing(rung_queue(rung(seconds)), queue, body, headers)


@retry(
    retry=retry_if_exception_type(Transient),
    wait=wait_exponential(0.2, max=5),
    stop=stop_after_delay(60),
    reraise=True,
)
async def declare(broker: Broker, bindings: Sequence[Binding]) -> None:
    """
    Declare all that the hub needs; repeatable.

    Raises `Misconfigured` where the broker holds a queue of the same name with other properties. A
    broker that has only just started may still be opening its queues: that is waited for.
    """
    channel = await broker.channel()
    try:
        for name in (INTAKE, STREAMS, STREAMS_BULK, RECEIPTS):
            await declare_exchange(channel, name, "topic")
        for name in (FAILURES, TAP):
            await declare_exchange(channel, name, "fanout")
        await _queue(channel, FAILURE_QUEUE, dead_letters=False)
        await _bind(channel, FAILURE_QUEUE, FAILURES, [""])
        await _ladder(channel)
        for lane, queue in zip(LANES, PIPELINE, strict=True):
            await _queue(channel, queue, in_order=True)
            await _bind(channel, queue, INTAKE, [f"{lane}.#"])
        await _queue(channel, LEDGER)
        await _bind(channel, LEDGER, RECEIPTS, ["#"])
        await _bind(channel, LEDGER, TAP, [""])
        await declare_queue(
            channel, HISTORY, {"x-queue-type": "stream", "x-max-length-bytes": HISTORY_BYTES}
        )
        await _bind(channel, HISTORY, TAP, [""])
        for binding in bindings:
            for queue in queues_with_bulk(binding.queue):
                await declare_worked(channel, queue, in_order=binding.in_order)
            if binding.in_order and binding.types:
                # The broker tells nobody what is bound to what: this one stands for it.
                await declare_exchange(channel, f"{binding.queue}{FIRST}", "fanout")
            keys = [f"{kind}.#" for kind in binding.types]
            await _bind(channel, binding.queue, STREAMS, keys)
            await _bind(channel, bulk_queue(binding.queue), STREAMS_BULK, keys)
    finally:
        await channel.close()


async def unbind(broker: Broker, bindings: Sequence[Binding]) -> None:
    """Let queues follow the types of *bindings* no longer; repeatable."""
    channel = await broker.channel()
    try:
        for binding in bindings:
            for kind in binding.types:
                await unbind_queue(channel, binding.queue, STREAMS, f"{kind}.#")
                bulk = bulk_queue(binding.queue)
                await unbind_queue(channel, bulk, STREAMS_BULK, f"{kind}.#")
    finally:
        await channel.close()


async def delete_queue(broker: Broker, queue: str) -> None:
    """Careful: with all that is in it."""
    channel = await broker.channel()
    try:
        await delete_one(channel, queue)
    finally:
        await channel.close()


async def depths(broker: Broker, queues: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Messages ready and consumers, per queue; queues that are not there are left out."""
    found: dict[str, tuple[int, int]] = {}
    channel = await broker.channel()
    try:
        for name in queues:
            try:
                found[name] = await depth(channel, name)
            except HubError as error:
                if error.code != "broker.missing":
                    raise
                channel = await broker.channel()
    finally:
        await channel.close()
    return found


async def declare_worked(channel: Channel, name: str, *, in_order: bool = False) -> None:
    """A queue that is worked off; *in_order*: by one consumer at a time."""
    await _queue(channel, name, in_order=in_order)


async def _queue(
    channel: Channel,
    name: str,
    *,
    dead_letters: bool = True,
    in_order: bool = False,
) -> None:
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": delivery_limit(name),
    }
    if in_order:
        arguments["x-single-active-consumer"] = True
    if dead_letters:
        arguments |= {
            "x-dead-letter-exchange": FAILURES,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    await declare_queue(channel, name, arguments)


async def _bind(channel: Channel, queue: str, exchange: str, keys: Sequence[str]) -> None:
    for key in keys:
        await bind(channel, queue, exchange, key)


async def _ladder(channel: Channel) -> None:
    """One queue a wait: waits of different lengths in one queue would block each other."""
    for seconds in RUNGS:
        name = rung_queue(seconds)
        await declare_exchange(channel, name, "fanout")
        await declare_queue(
            channel,
            name,
            {
                "x-queue-type": "quorum",
                "x-message-ttl": seconds * 1000,
                # Back by the default exchange: the routing key, kept all the way, names the queue.
                "x-dead-letter-exchange": "",
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        await _bind(channel, name, name, [""])
