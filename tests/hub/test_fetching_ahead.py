"""How many messages are fetched ahead: as many as fit into a budget of bytes (flow control)."""

from __future__ import annotations

from hub.broker import Broker, Outgoing, acknowledge
from hub.topology import LEDGER as QUEUE
from hub.topology import declare, depths
from tests.hub.conftest import eventually

LARGE, SMALL = 100_000, 100
BUDGET = 1_000_000


async def test_large_messages_are_fetched_few_at_a_time(amqp_url: str) -> None:
    """Ten of them fit; of small ones as many as asked for, again, once the large ones are through."""
    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        large = [Outgoing("", QUEUE, b"x" * LARGE) for _ in range(60)]
        small = [Outgoing("", QUEUE, b"x" * SMALL) for _ in range(300)]
        await publisher.publish_all([*large, *small])
        async with broker.consumer(QUEUE, prefetch=200, budget_bytes=BUDGET) as consumer:
            seen: list[int] = []
            most_in_hand = 0
            while len(seen) < 360:
                batch = await consumer.batch(20)
                seen += [len(each.body) for each in batch]
                ready = (await depths(broker, [QUEUE]))[QUEUE][0]
                if len(seen) < 50:
                    fetched = 360 - ready - (len(seen) - len(batch))
                    most_in_hand = max(most_in_hand, fetched)
                await acknowledge(batch)

            async def left() -> int:
                return (await depths(broker, [QUEUE]))[QUEUE][0]

            await eventually(left, lambda count: count == 0, "an empty queue")

    assert [LARGE] * 60 + [SMALL] * 300 == seen
    assert most_in_hand <= 2 * BUDGET // LARGE


async def test_after_a_death_all_comes_again_in_order(amqp_url: str) -> None:
    """A consumer that died with what it had fetched under several subscriptions: its successor gets
    all of it in the order in which it was published, time and again."""
    every = [str(n).encode() for n in range(30)]
    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        await publisher.publish_all([Outgoing("", QUEUE, body) for body in every])
        # Delivered three times a message is suspect, and the rest of them does not come with it.
        for _ in range(3):
            found: list[bytes] = []
            async with (
                Broker(amqp_url, name="mortal") as mortal,
                mortal.consumer(QUEUE, prefetch=10) as consumer,
            ):
                while len(found) < 10:
                    found += [each.body for each in await consumer.batch(10)]
            assert every[: len(found)] == found
