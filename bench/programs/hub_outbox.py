"""The hub's services role with one subscriber, whose outbox is full when it starts.

Form       spec ``{"url", "database"}``
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from bench.programs.gate import begin, read_spec, until_stopped
from bench.records import MAC
from bench.site import RESOURCE, bench_plan
from hub.broker import Broker
from hub.crypto import Sm4Seal
from hub.engine import Engine
from hub.store import Store
from hub.streams import Subscriber
from schemas.message import Message, Publication, ResourceName
from shuniu.clock import now
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["main"]


def _nothing(_: Connection, __: Message, ___: datetime) -> Sequence[Publication]:
    return ()


async def main() -> None:
    spec = read_spec()
    store = Store(spec["database"])
    async with Broker(spec["url"], name="bench", mac=MAC) as broker:
        engine = Engine(
            url=spec["url"],
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=bench_plan(),
            clock=now,
            subscribers=[
                Subscriber(name="bench", resources=(ResourceName(RESOURCE),), handle=_nothing)
            ],
        )
        await engine.declare()
        tune_interpreter()
        begin()
        await until_stopped(engine.run(["services"]))
    store.close()


if __name__ == "__main__":
    set_up_logs("WARNING")
    asyncio.run(main())
