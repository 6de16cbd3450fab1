"""Roles of the hub's own engine: the pipeline, the ledger's writer, or both beside a gateway.

Form       spec ``{"url", "database", "roles", "destinations"}``
"""

from __future__ import annotations

import asyncio

from bench.programs.gate import begin, read_spec, until_stopped
from bench.records import MAC
from bench.site import bench_plan
from hub.broker import Broker
from hub.crypto import Sm4Seal
from hub.engine import Engine
from hub.store import Store
from shuniu.clock import now
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["main"]


async def main() -> None:
    spec = read_spec()
    store = Store(spec["database"])
    async with Broker(spec["url"], name="bench", mac=MAC) as broker:
        engine = Engine(
            url=spec["url"],
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=bench_plan(spec["destinations"]),
            clock=now,
        )
        tune_interpreter()
        begin()
        await until_stopped(engine.run(spec["roles"]))
    store.close()


if __name__ == "__main__":
    set_up_logs("WARNING")
    asyncio.run(main())
