"""The hub's transport and mapping alone: no key is claimed, no receipt told, one queue bound.

The same work as that of the peers, done by the hub's own parts: envelope, conversion (which also
validates), publisher and consumer. What `hub_roles` costs more is the price of its promises.

Form       spec ``{"url", "source", "exchange"}``
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bench.programs.gate import begin, read_spec, until_stopped
from bench.records import MAC
from bench.site import bench_plan
from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.convert import STEPS, Conversion
from hub.envelope import decode_taken, encode_message
from hub.plan import Plan
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["main"]

BATCH, IN_FLIGHT = 100, 6
PREFETCH = BATCH * (IN_FLIGHT + 2)


async def main() -> None:
    spec = read_spec()
    plan = bench_plan()
    async with Broker(spec["url"], name="bench", mac=MAC) as broker:
        tune_interpreter()
        begin()
        await until_stopped(_relay(broker, plan, spec["source"], spec["exchange"]))


async def _relay(broker: Broker, plan: Plan, source: str, exchange: str) -> None:
    """Batches are published side by side and acknowledged in order."""
    unsettled: asyncio.Queue[tuple[Sequence[Incoming], asyncio.Task[None]]]
    unsettled = asyncio.Queue(IN_FLIGHT)
    async with (
        broker.publisher() as publisher,
        broker.consumer(source, prefetch=PREFETCH) as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(_settle(unsettled))
        while True:
            batch = await consumer.batch(BATCH)
            sent = tasks.create_task(_publish(batch, broker, publisher, plan, exchange))
            await unsettled.put((batch, sent))


async def _publish(
    batch: Sequence[Incoming], broker: Broker, publisher: Publisher, plan: Plan, exchange: str
) -> None:
    for incoming in batch:
        broker.check(incoming)
    lot = [Conversion(decode_taken(incoming.headers, incoming.body)) for incoming in batch]
    for step in STEPS:
        for conversion in lot:
            step(conversion, plan)
    out: list[Outgoing] = []
    for each in lot:
        for message, content in zip(each.messages, each.contents, strict=True):
            headers, body = encode_message(message, each.taken.id, content)
            out.append(Outgoing(exchange, f"{message.type}.{message.region}", body, headers))
    await publisher.publish_all(out)


async def _settle(
    unsettled: asyncio.Queue[tuple[Sequence[Incoming], asyncio.Task[None]]],
) -> None:
    while True:
        batch, sent = await unsettled.get()
        await sent
        await acknowledge(batch, in_order=True)


if __name__ == "__main__":
    set_up_logs("WARNING")
    asyncio.run(main())
