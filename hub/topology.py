"""Exchanges and queues of the hub (design §3): their names, and how they are declared.

Form       ``hub.intake`` <system>.<kind> → pipeline; ``hub.streams``
           <resource>.<operation>.<region> → ledger, history, services, routes; ``hub.receipts``
           <event> → ledger; ``hub.failures`` → failures; ``hub.retry.<n>s`` → (TTL) → any queue
Careful    every queue is a quorum queue: only there a confirm means that the message is on disk.
           Re-declaring with other arguments closes the channel, so arguments here never vary with
           settings. The delivery limit (20, what RabbitMQ 4 sets by itself and then drops by) is
           for messages that break their worker: they go to the failure store. Attempts are new
           publishes, counted in a header
Units      waits in seconds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pamqp import commands
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from hub.amqp import Channel
from hub.amqp.declare import bind, declare_exchange, declare_queue, depth
from hub.broker import Broker, Outgoing
from schemas.errors import HubError, Transient

__all__ = [
    "FAILURES",
    "HISTORY",
    "INTAKE",
    "LEDGER",
    "PIPELINE",
    "RECEIPTS",
    "RUNGS",
    "STREAMS",
    "Binding",
    "declare",
    "delayed",
    "depths",
    "route_queue",
    "rung",
    "service_queue",
    "unbind",
]

INTAKE, STREAMS, RECEIPTS, FAILURES = (
    "hub.intake",
    "hub.streams",
    "hub.receipts",
    "hub.failures",
)
PIPELINE, LEDGER, FAILURE_QUEUE, HISTORY = (
    "pipeline",
    "ledger",
    "failures",
    "hub.history",
)
RUNGS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400)
DELIVERY_LIMIT = 20
HISTORY_BYTES = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue that follows streams. *types*: ``<resource>.<operation>`` or ``<resource>.*``.
    *in_order*: one consumer at a time works it off, whatever the number of processes."""

    queue: str
    types: tuple[str, ...]
    in_order: bool = False


def route_queue(route: str) -> str:
    return f"route.{route}"


def service_queue(service: str) -> str:
    return f"service.{service}"


def rung(seconds: float) -> int:
    """The wait that the ladder has for *seconds*: the next longer one, or the longest."""
    return next((each for each in RUNGS if each >= seconds), RUNGS[-1])


def delayed(queue: str, seconds: float, body: bytes, headers: dict[str, Any]) -> Outgoing:
    """A message that comes to *queue* after about *seconds*."""
    return Outgoing(f"hub.retry.{rung(seconds)}s", queue, body, headers)


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
        for name in (INTAKE, STREAMS, RECEIPTS):
            await declare_exchange(channel, name, "topic")
        await declare_exchange(channel, FAILURES, "fanout")
        await _queue(channel, FAILURE_QUEUE, dead_letters=False)
        await _bind(channel, FAILURE_QUEUE, FAILURES, [""])
        await _ladder(channel)
        await _queue(channel, PIPELINE)
        await _bind(channel, PIPELINE, INTAKE, ["#"])
        await _queue(channel, LEDGER)
        for exchange in (STREAMS, RECEIPTS):
            await _bind(channel, LEDGER, exchange, ["#"])
        await declare_queue(
            channel, HISTORY, {"x-queue-type": "stream", "x-max-length-bytes": HISTORY_BYTES}
        )
        await _bind(channel, HISTORY, STREAMS, ["#"])
        for binding in bindings:
            await _queue(channel, binding.queue, in_order=binding.in_order)
            await _bind(channel, binding.queue, STREAMS, [f"{kind}.#" for kind in binding.types])
    finally:
        await channel.close()


async def unbind(broker: Broker, bindings: Sequence[Binding]) -> None:
    """Let queues follow the types of *bindings* no longer; repeatable."""
    channel = await broker.channel()
    try:
        for binding in bindings:
            for kind in binding.types:
                await channel.call(
                    commands.Queue.Unbind(
                        queue=binding.queue, exchange=STREAMS, routing_key=f"{kind}.#"
                    )
                )
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


async def _queue(
    channel: Channel, name: str, *, dead_letters: bool = True, in_order: bool = False
) -> None:
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    if in_order:
        arguments["x-single-active-consumer"] = True
    if dead_letters:
        arguments |= {
            "x-delivery-limit": DELIVERY_LIMIT,
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
        name = f"hub.retry.{seconds}s"
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
