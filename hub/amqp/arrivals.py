"""What has been delivered and is not taken yet: of one channel, or of several together, in order.

Promises   a channel that breaks takes what came on it along, and fails whoever waits
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.errors import HubError

if TYPE_CHECKING:
    from hub.amqp.channel import Channel, Incoming

__all__ = ["Arrivals"]


class Arrivals:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Incoming] = deque()
        self._wanted: asyncio.Future[None] | None = None
        self._error: HubError | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, incoming: Incoming) -> None:
        self._waiting.append(incoming)
        self._wake()

    async def take(self, most: int) -> list[Incoming]:
        """Wait for one, then take what is there, in order, up to *most*. Raises what a channel
        failed with."""
        while not self._waiting:
            if self._error is not None:
                raise self._error.with_traceback(None)
            self._wanted = self._loop.create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        taken = self._waiting
        if len(taken) <= most:
            self._waiting = deque()
            return list(taken)
        return [taken.popleft() for _ in range(most)]

    def put_back(self, taken: Sequence[Incoming]) -> None:
        """Before all others; at once after they were taken."""
        self._waiting.extendleft(reversed(taken))

    def forget(self, channel: Channel) -> list[Incoming]:
        """Give out nothing more of what came on *channel*; returns it."""
        gone = [each for each in self._waiting if each.channel is channel]
        if gone:
            self._waiting = deque(each for each in self._waiting if each.channel is not channel)
        return gone

    def fail(self, channel: Channel, error: HubError) -> None:
        """*channel* is no more."""
        self.forget(channel)
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._wanted and not self._wanted.done():
            self._wanted.set_result(None)
