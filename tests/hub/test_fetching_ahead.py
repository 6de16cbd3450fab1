"""How many messages are fetched ahead: as many as fit into a budget of bytes (flow control)."""

from __future__ import annotations

from hub.broker import Broker, Outgoing, acknowledge
from hub.topology import PIPELINE, declare, depths
from tests.hub.conftest import eventually

LARGE, SMALL = 100_000, 100
BUDGET = 1_000_000


async def test_large_messages_are_fetched_few_at_a_time(amqp_url: str) -> None:
    """Ten of them fit; of small ones as many as asked for, again, once the large ones are through."""
    async with Broker(amqp_url, name="test") as broker, broker.publisher() as publisher:
        await declare(broker, [])
        large = [Outgoing("", PIPELINE, b"x" * LARGE) for _ in range(60)]
        small = [Outgoing("", PIPELINE, b"x" * SMALL) for _ in range(300)]
        await publisher.publish_all([*large, *small])
        async with broker.consumer(PIPELINE, prefetch=200, budget_bytes=BUDGET) as consumer:
            seen: list[int] = []
            most_in_hand = 0
            while len(seen) < 360:
                batch = await consumer.batch(20)
                seen += [len(each.body) for each in batch]
                ready = (await depths(broker, [PIPELINE]))[PIPELINE][0]
                if len(seen) < 50:
                    fetched = 360 - ready - (len(seen) - len(batch))
                    most_in_hand = max(most_in_hand, fetched)
                await acknowledge(batch)

            async def left() -> int:
                return (await depths(broker, [PIPELINE]))[PIPELINE][0]

            await eventually(left, lambda count: count == 0, "an empty queue")

    assert [LARGE] * 60 + [SMALL] * 300 == seen
    assert most_in_hand <= 2 * BUDGET // LARGE
