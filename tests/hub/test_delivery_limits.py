"""How often a message may come back before the broker gives it up: on RabbitMQ 4, whose queues have a
limit of their own where none is declared, as on 3.10, whose have none (design §3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hub.amqp import Connection, connect
from hub.broker import Broker, Incoming, acknowledge, hand_back, times_delivered
from hub.topology import (
    DELIVERY_LIMIT,
    FAILURE_QUEUE,
    FAILURES,
    INTAKE,
    PIPELINE,
    Binding,
    declare,
    route_queue,
)
from tests.hub.amqp.conftest import Message, publish

# What RabbitMQ 4 has for a queue that declares none, and a few.
OFTEN = 25
Leaves = Callable[[Incoming], Awaitable[None]]
ROUTE = route_queue("r", in_order=False)


async def _taken(line: Connection, queue: str) -> Incoming:
    channel = await line.channel()
    await channel.consume(queue, prefetch=1)
    async with asyncio.timeout(10):
        (message,) = await channel.arrived(1)
    return message


async def _dies_with(message: Incoming) -> None:
    """As a process does that is killed with it in hand."""
    await message.channel.close()


async def _puts_back(message: Incoming) -> None:
    """As a process does that cannot work it now, and then leaves."""
    await hand_back([message])
    await message.channel.close()


@pytest.mark.parametrize("leaves", [_dies_with, _puts_back])
@pytest.mark.parametrize(
    ("queue", "exchange", "key"),
    [(FAILURE_QUEUE, FAILURES, ""), (PIPELINE[0], INTAKE, "0.a.b")],
    ids=["failures", "shard"],
)
async def test_where_nothing_may_be_given_up_it_comes_again_and_again(
    amqp_url: str, queue: str, exchange: str, key: str, leaves: Leaves
) -> None:
    """A hub that is started over and over, with its database away, loses no failure: nobody keeps what
    this queue drops. Nor does a shard give up what stood beside a poison."""
    async with Broker(amqp_url, name="test") as broker:
        await declare(broker, [])
    line = await connect(amqp_url, name="test")
    try:
        await publish(await line.channel(), Message(key, b"kept", exchange))
        for _ in range(OFTEN):
            await leaves(await _taken(line, queue))
        last = await _taken(line, queue)
        assert b"kept" == last.body
        assert times_delivered(last) >= OFTEN
        await acknowledge([last])
    finally:
        await line.close()


async def test_elsewhere_it_becomes_a_failure_in_time(amqp_url: str) -> None:
    """What broke a route's process once more than the limit says goes to the failures, with its reason."""
    async with Broker(amqp_url, name="test") as broker:
        await declare(broker, [Binding(ROUTE, ())])
    line = await connect(amqp_url, name="test")
    try:
        await publish(await line.channel(), Message(ROUTE, b"poison"))
        counts = []
        for _ in range(DELIVERY_LIMIT + 1):
            message = await _taken(line, ROUTE)
            counts.append(times_delivered(message))
            await _dies_with(message)
        failed = await _taken(line, FAILURE_QUEUE)
        assert list(range(DELIVERY_LIMIT + 1)) == counts
        assert b"poison" == failed.body
        assert ("delivery_limit", ROUTE) == tuple(
            failed.headers["x-death"][0][name] for name in ("reason", "queue")
        )
    finally:
        await line.close()
