"""Exchanges, queues and bindings, and how full a queue is.

Careful    what exists with other properties closes the channel (`Misconfigured`,
           ``broker.topology``), as does a queue that is not there (`Transient`, ``broker.missing``)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pamqp import commands

from hub.amqp.channel import Channel
from schemas.errors import HubError

__all__ = [
    "bind",
    "declare_exchange",
    "declare_queue",
    "delete_exchange",
    "delete_queue",
    "depth",
    "exchange_exists",
    "join",
    "part",
    "unbind",
]


async def declare_exchange(channel: Channel, name: str, kind: str, *, otherwise: str = "") -> None:
    """Durable. *kind*: topic, fanout, … *otherwise*: the exchange for what goes to no queue here."""
    arguments: dict[str, Any] = {"alternate-exchange": otherwise} if otherwise else {}
    await channel.call(
        commands.Exchange.Declare(
            exchange=name, exchange_type=kind, durable=True, arguments=arguments
        )
    )


async def exchange_exists(channel: Channel, name: str) -> bool:
    """Careful: where there is none, the channel is closed."""
    try:
        await channel.call(commands.Exchange.Declare(exchange=name, passive=True))
    except HubError as error:
        if error.code != "broker.missing":
            raise
        return False
    return True


async def declare_queue(channel: Channel, name: str, arguments: Mapping[str, Any]) -> None:
    """Durable."""
    await channel.call(commands.Queue.Declare(queue=name, durable=True, arguments=dict(arguments)))


async def bind(channel: Channel, queue: str, exchange: str, key: str) -> None:
    await channel.call(commands.Queue.Bind(queue=queue, exchange=exchange, routing_key=key))


async def unbind(channel: Channel, queue: str, exchange: str, key: str) -> None:
    await channel.call(commands.Queue.Unbind(queue=queue, exchange=exchange, routing_key=key))


async def delete_exchange(channel: Channel, name: str) -> None:
    """With all its bindings; one that is not there is deleted already."""
    await channel.call(commands.Exchange.Delete(exchange=name))


async def delete_queue(channel: Channel, name: str) -> None:
    """With all that is in it; one that is not there is deleted already."""
    await channel.call(commands.Queue.Delete(queue=name))


async def join(channel: Channel, exchange: str, source: str, key: str) -> None:
    """What *source* gets under *key* goes to *exchange* too."""
    await channel.call(commands.Exchange.Bind(destination=exchange, source=source, routing_key=key))


async def part(channel: Channel, exchange: str, source: str, key: str) -> None:
    await channel.call(
        commands.Exchange.Unbind(destination=exchange, source=source, routing_key=key)
    )


async def depth(channel: Channel, queue: str) -> tuple[int, int]:
    """Messages ready, and consumers."""
    told = await channel.call(commands.Queue.Declare(queue=queue, passive=True))
    return told.message_count, told.consumer_count
