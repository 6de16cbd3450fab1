"""One answer for everybody who asks at about the same time: three hundred open pages, one query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

__all__ = ["Shared"]

T = TypeVar("T")


class Shared(Generic[T]):
    """What *ask* said, for *keep_s* seconds. Errors are not kept: the next reader asks again."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        keep_s: float,
        tick: Callable[[], float] = monotonic,
    ) -> None:
        self._ask, self._keep_s, self._tick = ask, keep_s, tick
        self._lock = asyncio.Lock()
        self._held: tuple[float, T] | None = None

    async def get(self) -> T:
        """The answer; whoever comes while it is being asked for waits for that one."""
        if (held := self._fresh()) is not None:
            return held[1]
        async with self._lock:
            if (held := self._fresh()) is not None:
                return held[1]
            asked_at = self._tick()
            answer = await self._ask()
            self._held = (asked_at, answer)
            return answer

    def forget(self) -> None:
        """The next reader asks again: something was just changed by hand."""
        self._held = None

    def _fresh(self) -> tuple[float, T] | None:
        held = self._held
        return held if held is not None and self._tick() - held[0] < self._keep_s else None
