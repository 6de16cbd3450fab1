"""The hub's delivery role, with sinks that take at once or hang for ever; ``done`` when all live
sinks have all.

Form       spec ``{"url", "database", "destinations", "hanging", "ordered", "messages", "live"}``
"""

from __future__ import annotations

import asyncio
from typing import Self

from bench.programs.gate import begin, read_spec, say, until_stopped
from bench.records import MAC
from bench.site import bench_plan
from hub.broker import Broker
from hub.crypto import Sm4Seal
from hub.delivery import Link, Turns
from hub.engine import Engine
from hub.port import Traits
from hub.store import Store
from schemas.message import Answer, Delivery
from shuniu.clock import now
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["HangingSink", "QuickSink", "Tally", "main"]


class Tally:
    """Counts sinks that still lack deliveries."""

    def __init__(self, live: int, messages: int) -> None:
        self.messages = messages
        self._lacking = live

    def full(self) -> None:
        self._lacking -= 1
        if not self._lacking:
            say("done")


class QuickSink:
    """Takes everything at once, each key once."""

    traits = Traits(idempotent=True, says_why=True)

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._keys: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None: ...

    async def deliver(self, delivery: Delivery, /) -> Answer:
        repeated = delivery.key in self._keys
        self._keys.add(delivery.key)
        if not repeated and len(self._keys) == self._tally.messages:
            self._tally.full()
        return Answer("N", repeated=repeated)


class HangingSink(QuickSink):
    """Never answers."""

    async def deliver(self, delivery: Delivery, /) -> Answer:
        await asyncio.Event().wait()
        return await super().deliver(delivery)


async def main() -> None:
    spec = read_spec()
    plan = bench_plan(spec["destinations"], ordered=spec["ordered"])
    store, tally = Store(spec["database"]), Tally(spec["live"], spec["messages"])
    systems = {route.system for route in plan.routes.values()}
    parallel = {code: plan.declarations.systems[code].parallel for code in systems}
    links = {
        code: Link(
            code,
            HangingSink(tally) if code in spec["hanging"] else QuickSink(tally),
            Turns(parallel[code]),
            parallel[code],
        )
        for code in systems
    }
    async with Broker(spec["url"], name="bench", mac=MAC) as broker:
        engine = Engine(
            url=spec["url"],
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=plan,
            clock=now,
            links=links,
        )
        tune_interpreter()
        begin()
        await until_stopped(engine.run(["delivery"]))
    store.close()


if __name__ == "__main__":
    set_up_logs("WARNING")
    asyncio.run(main())
