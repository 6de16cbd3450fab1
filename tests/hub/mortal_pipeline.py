"""A pipeline in a process of its own that dies (SIGKILL) of every record which holds `POISON`.

``python -m tests.hub.mortal_pipeline '{"amqp": …, "database": …}'``
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from hub.broker import Broker, Incoming
from hub.crypto import Mac
from hub.engine import Engine
from hub.store import Store
from tests.hub.conftest import now
from tests.hub.failing import SEAL
from tests.hub.site import small_plan

__all__ = ["POISON"]

POISON = "POISON"


class Mortal(Broker):
    def check(self, incoming: Incoming) -> None:
        if POISON.encode() in incoming.body:
            os.kill(os.getpid(), signal.SIGKILL)
        super().check(incoming)


async def _live(amqp: str, database: str) -> None:
    async with Mortal(amqp, name="mortal", mac=Mac(b"test")) as broker:
        await Engine(
            url=amqp,
            broker=broker,
            store=Store(database),
            seal=SEAL,
            plan=small_plan(),
            clock=now,
        ).run(["pipeline"])


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    asyncio.run(_live(told["amqp"], told["database"]))
