"""A plain FastStream handler doing the hop: pydantic in and out, logger off, prefetch 500.

Each message is published with a confirm that is waited for, and then acknowledged by FastStream.

Form       spec ``{"url", "source", "exchange", "key"}``
"""

from __future__ import annotations

import asyncio

from faststream import AckPolicy
from faststream.rabbit import (
    Channel,
    ExchangeType,
    RabbitBroker,
    RabbitExchange,
    RabbitMessage,
    RabbitQueue,
)
from faststream.rabbit.schemas.queue import QueueType

from bench.plain import DIGEST, CaseIn, mapped
from bench.programs.gate import begin, read_spec, until_stopped
from hub.crypto import sm3
from schemas.errors import Rejected

__all__ = ["main"]

PREFETCH = 500


async def main() -> None:
    spec = read_spec()
    broker = RabbitBroker(spec["url"], logger=None)
    target = RabbitExchange(spec["exchange"], type=ExchangeType.TOPIC, declare=False)

    @broker.subscriber(
        RabbitQueue(spec["source"], queue_type=QueueType.QUORUM, declare=False),
        channel=Channel(prefetch_count=PREFETCH),
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
    )
    async def hop(case: CaseIn, message: RabbitMessage) -> None:
        if message.headers[DIGEST] != sm3(message.body):
            raise Rejected("envelope.digest", "The body is not the one that was sent")
        body = mapped(case).model_dump_json(exclude_none=True).encode()
        await broker.publish(
            body,
            exchange=target,
            routing_key=spec["key"],
            persist=True,
            content_type="application/json",
            headers={DIGEST: sm3(body)},
        )

    await broker.connect()
    begin()
    await broker.start()
    try:
        await until_stopped(asyncio.Event().wait())
    finally:
        await broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
