"""A connection of ours to the session's broker, and a look into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.amqp import Channel, Connection, connect
from hub.amqp.declare import declare_queue
from hub.broker import Broker, Publisher

QUORUM = {"x-queue-type": "quorum"}


@dataclass(frozen=True)
class Message:
    """What a test publishes, by default to the queue *key*."""

    key: str
    body: bytes = b""
    exchange: str = ""
    headers: dict[str, Any] = field(default_factory=dict)
    content_type: str = "application/json"
    mandatory: bool = True


@pytest.fixture
async def line(amqp_url: str) -> AsyncIterator[Connection]:
    line = await connect(amqp_url, name="test")
    yield line
    await line.close()


@pytest.fixture
async def channel(line: Connection) -> Channel:
    return await line.channel()


@pytest.fixture
async def queue(channel: Channel) -> str:
    """A durable quorum queue, as all of the hub's are."""
    await declare_queue(channel, "q", QUORUM)
    return "q"


@pytest.fixture
async def broker(amqp_url: str) -> AsyncIterator[Broker]:
    async with Broker(amqp_url, name="test") as broker:
        yield broker


@pytest.fixture
async def publisher(broker: Broker) -> AsyncIterator[Publisher]:
    async with broker.publisher() as publisher:
        yield publisher


async def publish(channel: Channel, *messages: Message) -> None:
    """Publish, and wait for the broker's word."""
    await (await channel.publish(messages))


async def bodies(channel: Channel, count: int) -> list[bytes]:
    """The next *count* bodies that arrive on a consuming channel, in order."""
    found: list[bytes] = []
    while len(found) < count:
        found += [each.body for each in await channel.arrived(count - len(found))]
    return found
