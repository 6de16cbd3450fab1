"""A message that breaks whoever takes it is set aside; those beside it are not punished (design §3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hub.broker import Broker, Outgoing, acknowledge
from hub.topology import LEDGER as QUEUE
from hub.topology import declare, depths
from tests.hub.conftest import eventually

COUNT, POISON = 120, b"60"


async def _worker(url: str, done: set[bytes]) -> None:
    """Take what there is until the poison comes, then die with all that is in hand."""
    async with (
        Broker(url, name="worker") as broker,
        broker.consumer(QUEUE, prefetch=50) as consumer,
    ):
        while True:
            for incoming in await consumer.batch(50):
                if incoming.body == POISON:
                    return
                done.add(incoming.body)
                await acknowledge([incoming])


async def test_only_the_poison_is_set_aside(amqp_url: str) -> None:
    """Half a prefetch before it, half behind it: after twenty deaths it alone is a failure."""
    async with Broker(amqp_url, name="test") as broker:
        await declare(broker, [])
        async with broker.publisher() as publisher:
            messages = [Outgoing("", QUEUE, str(n).encode()) for n in range(COUNT)]
            await publisher.publish_all(messages)
        done: set[bytes] = set()
        deaths = 0

        async def set_aside() -> int:
            return (await depths(broker, ["failures"]))["failures"][0]

        while not await set_aside():
            working = asyncio.create_task(_worker(amqp_url, done))
            # It dies of the poison, or there is none left for it.
            await eventually(_ended(working, set_aside), bool, "a death, or the poison set aside")
            deaths += working.done()
            working.cancel()
            await asyncio.wait((working,))
        async with broker.consumer("failures", prefetch=10) as failures:
            assert POISON == (await failures.one()).body
        working = asyncio.create_task(_worker(amqp_url, done))
        innocent = {str(n).encode() for n in range(COUNT)} - {POISON}
        await eventually(_seen(done), lambda seen: seen == innocent, "all the others")
        working.cancel()
        await asyncio.wait((working,))
    assert 21 == deaths


def _ended(
    working: asyncio.Task[None], set_aside: Callable[[], Awaitable[int]]
) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return working.done() or bool(await set_aside())

    return look


def _seen(done: set[bytes]) -> Callable[[], Awaitable[set[bytes]]]:
    async def look() -> set[bytes]:
        return set(done)

    return look
