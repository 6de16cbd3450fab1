"""A retry runner in a process of its own, which a test can kill."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import Any

from hub.broker import Broker
from hub.crypto import Mac
from hub.retry_runner import RetryRunner
from hub.store import Store
from tests.hub.conftest import now
from tests.hub.failing import SEAL
from tests.hub.site import small_plan

__all__ = ["live"]


def live(told: dict[str, Any]) -> None:
    """Run by what is *told*: ``amqp``, ``database``; with ``point`` and ``times`` it kills itself (SIGKILL)
    when it comes to that point for that time."""
    asyncio.run(_run(told))


async def _run(told: dict[str, Any]) -> None:
    seen: Counter[str] = Counter()

    def fault(point: str) -> None:
        seen[point] += 1
        if point == told.get("point") and seen[point] == told.get("times", 1):
            os.kill(os.getpid(), signal.SIGKILL)

    store = Store(told["database"])
    async with Broker(told["amqp"], name="retries", mac=Mac(b"test")) as broker:
        await RetryRunner(
            broker=broker,
            store=store,
            seal=SEAL,
            plan=small_plan(),
            clock=now,
            repeatable=lambda _: bool(told.get("repeatable", True)),
            lease_s=1.0,
            fault=fault,
        ).run()
