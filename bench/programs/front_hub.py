"""The hub's own roles between front-end databases: capture into the stream, or the stream into a table.

Form       spec ``{"url", "database", "roles", "source", "target"}``; the last two are libpq's addresses
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bench.front_site import FROM, ROWS, TO, front_plan
from bench.programs.gate import begin, read_spec, until_stopped
from bench.records import MAC
from bench.tables import tables
from connectors.front_library import FrontLibrary, Settings
from front_db.contract import ExchangeTable
from hub.broker import Broker
from hub.crypto import Sm4Seal
from hub.delivery import Link, Turns
from hub.engine import Engine, Polled
from hub.store import Store
from schemas.message import SystemCode
from shuniu.clock import now
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["main"]

POLL_S = 0.05


async def main() -> None:
    spec, both, plan = read_spec(), tables(), front_plan()
    store = Store(spec["database"])
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(spec["url"], name="bench", mac=MAC))
        source = await stack.enter_async_context(_library(FROM, spec["source"], both.out))
        target = await stack.enter_async_context(_library(TO, spec["target"], both.into))
        parallel = plan.declarations.systems[SystemCode(TO)].parallel
        engine = Engine(
            url=spec["url"],
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=plan,
            clock=now,
            links={SystemCode(TO): Link(SystemCode(TO), target, Turns(parallel), parallel)},
            polled=[Polled(SystemCode(FROM), source, POLL_S)],
        )
        tune_interpreter()
        begin()
        await until_stopped(engine.run(spec["roles"]))
    store.close()


def _library(name: str, address: str, table: ExchangeTable) -> FrontLibrary:
    """With the defaults of a profile."""
    reads = [{"table": table.name, "kind": ROWS}] if name == FROM else []
    url = address.replace("://", "+psycopg://", 1)
    settings = Settings.model_validate({"url": url, "tables": [table], "reads": reads})
    return FrontLibrary(SystemCode(name), settings)


if __name__ == "__main__":
    set_up_logs("WARNING")
    asyncio.run(main())
