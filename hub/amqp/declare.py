"""Exchanges, queues and bindings, and how full a queue is.

Careful    what exists with other properties closes the channel (`Misconfigured`,
           ``broker.topology``), as does a queue that is not there (`Transient`, ``broker.missing``)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pamqp import commands

from hub.amqp.channel import Channel

__all__ = ["bind", "declare_exchange", "declare_queue", "depth"]


async def declare_exchange(channel: Channel, name: str, kind: str) -> None:
    """Durable. *kind*: topic, fanout, …"""
    await channel.call(commands.Exchange.Declare(exchange=name, exchange_type=kind, durable=True))


async def declare_queue(channel: Channel, name: str, arguments: Mapping[str, Any]) -> None:
    """Durable."""
    await channel.call(commands.Queue.Declare(queue=name, durable=True, arguments=dict(arguments)))


async def bind(channel: Channel, queue: str, exchange: str, key: str) -> None:
    await channel.call(commands.Queue.Bind(queue=queue, exchange=exchange, routing_key=key))


async def depth(channel: Channel, queue: str) -> tuple[int, int]:
    """Messages ready, and consumers."""
    told = await channel.call(commands.Queue.Declare(queue=queue, passive=True))
    return told.message_count, told.consumer_count
