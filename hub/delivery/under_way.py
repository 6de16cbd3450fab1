"""Deliveries under way together, and one that must have nothing beside it.

Promises   on leaving, what is under way has `GRACE_S` to end; what one of them raised is raised
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["GRACE_S", "UnderWay", "beside", "under_way"]

GRACE_S = 10.0


class UnderWay:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None
        self._broken = asyncio.Event()
        self._starting = asyncio.Lock()

    @property
    def any(self) -> bool:
        return bool(self._running)

    @property
    def held_up(self) -> bool:
        """Somebody is to be alone: what could go on for long ends at the next occasion."""
        return self._starting.locked()

    async def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Start *work*, in the order of the calls; not while somebody is `alone`."""
        async with self._starting:
            self._begin(work)

    async def alone(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work* when nothing is under way any more, and return when it has ended."""
        async with self._starting:
            while self._running:
                await asyncio.wait(self._running)
            await asyncio.wait({self._begin(work)})

    async def broken(self) -> None:
        """Return when one of them has raised."""
        await self._broken.wait()

    def check(self) -> None:
        """Raise what one of them raised."""
        if self._failed:
            raise self._failed

    def _begin(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(_done(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed = error
            self._broken.set()

    async def _end(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE_S)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self.check()


async def _done(work: Callable[[], Awaitable[None]]) -> None:
    await work()


@asynccontextmanager
async def under_way() -> AsyncIterator[UnderWay]:
    tasks = UnderWay()
    try:
        yield tasks
    finally:
        await tasks._end()  # noqa: SLF001 - of this module


@asynccontextmanager
async def beside(work: Any) -> AsyncIterator[None]:
    """*work* runs until the block is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
