"""A pipeline in a process of its own that dies (SIGKILL) of every record which holds `POISON`."""

from __future__ import annotations

import asyncio
import os
import signal

from hub.broker import Broker, Incoming
from hub.crypto import Mac
from hub.engine import Engine
from hub.store import Store
from tests.hub.conftest import now
from tests.hub.failing import SEAL
from tests.hub.site import small_plan

__all__ = ["POISON", "live"]

POISON = "POISON"


class Mortal(Broker):
    def check(self, incoming: Incoming) -> None:
        if POISON.encode() in incoming.body:
            os.kill(os.getpid(), signal.SIGKILL)
        super().check(incoming)


def live(amqp: str, database: str) -> None:
    """Take records up until it dies, or is ended."""
    asyncio.run(_live(amqp, database))


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
