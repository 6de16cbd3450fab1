"""Who calls a system next: so many at a time, so many a second, and bulk behind all others.

Promises   a call that is not bulk waits for one turn at most that bulk had taken before, whatever
           waits of bulk; while others keep coming, one turn in ten is bulk's, so that it ends too
Form       two lines, each first come first served; a turn has a place and, where there is a rate, its
           moment: both are given together, so that nobody holds a place by waiting for the moment
Units      seconds; rates in calls a second
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["BULK_EVERY", "Turns"]

BULK_EVERY = 10


class Turns:
    """Of one system: *at_once* calls at a time, evenly *per_s* a second; 0: as many as there are."""

    def __init__(self, at_once: int, per_s: float = 0.0) -> None:
        self._free, self._gap = at_once, 1 / per_s if per_s else 0.0
        self._line: deque[asyncio.Future[None]] = deque()
        self._bulk: deque[asyncio.Future[None]] = deque()
        self._passed = 0
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def taken(self, *, bulk: bool = False) -> AsyncIterator[None]:
        """A turn, until the block is left."""
        await self._come(bulk=bulk)
        try:
            yield
        finally:
            self._leave()

    async def _come(self, *, bulk: bool) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._bulk if bulk else self._line).append(mine)
        self._admit()
        try:
            await mine
        except asyncio.CancelledError:
            # Let in and cancelled at once: nobody else would give the place back.
            if mine.done() and not mine.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._free and (waiting := self._chosen()):
            wait_s = self._next - loop.time() if self._gap else 0.0
            if wait_s > 0:
                self._timer = self._timer or loop.call_later(wait_s, self._due)
                return
            self._passed = 0 if waiting is self._bulk else self._passed + bool(self._bulk)
            waiting.popleft().set_result(None)
            self._free -= 1
            if self._gap:
                self._next = max(self._next, loop.time()) + self._gap

    def _due(self) -> None:
        self._timer = None
        self._admit()

    def _chosen(self) -> deque[asyncio.Future[None]] | None:
        """The line whose first is next."""
        for line in (self._line, self._bulk):
            while line and line[0].done():  # whoever waited there was cancelled
                line.popleft()
        bulk = self._bulk and (not self._line or self._passed >= BULK_EVERY - 1)
        return self._bulk if bulk else self._line or None
