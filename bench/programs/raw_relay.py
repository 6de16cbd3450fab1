"""The broker's own limit: bodies go on as the bytes they came as, confirmed and then acknowledged.

Form       spec ``{"url", "source", "exchange", "key"}``
"""

from __future__ import annotations

import asyncio

from pamqp import commands

from bench.programs.gate import begin, read_spec, until_stopped
from bench.wire import Confirms, Taken, opened, publish_head

__all__ = ["main"]

PREFETCH = 500


async def main() -> None:
    spec = read_spec()
    head = publish_head(spec["exchange"], spec["key"])
    async with opened(spec["url"]) as wire:
        confirms = Confirms()
        acknowledged = 0

        def relay(taken: list[Taken]) -> None:
            """The n-th delivery is the n-th publish, so that their tags are the same."""
            wire.write(b"".join(head + each.headers + each.content for each in taken))

        def confirmed(tag: int, several: bool) -> None:  # noqa: FBT001 - as AMQP has it
            nonlocal acknowledged
            confirms.take(tag, several=several)
            if confirms.upto > acknowledged:
                acknowledged = confirms.upto
                wire.acknowledge(acknowledged)

        wire.delivered, wire.confirmed = relay, confirmed
        begin()
        await wire.call(commands.Basic.Qos(prefetch_count=PREFETCH))
        await wire.call(commands.Basic.Consume(queue=spec["source"]))
        await until_stopped(asyncio.Event().wait())


if __name__ == "__main__":
    asyncio.run(main())
