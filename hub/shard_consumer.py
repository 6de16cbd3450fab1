"""The pipeline's queues, consumed together: each by one process at a time, the others wait behind it.

Promises   of each queue in order, whatever dies when: what a process leaves unfinished comes to its
           successor before all that is behind it
Careful    the broker puts what is given back behind what was given back before. So there is one
           number of messages in hand, the same in every process: a successor has all of them in
           hand again before anything else. And a queue is never left by ending its subscription,
           which would let another process go on while something is in work, but by closing its
           channel, which the broker does in one step
Careful    what was delivered several times before may be what broke its worker: it is given out
           alone, when nothing else is in work
Promises   what comes from the queues of *later* waits while others have something, but for one batch
           in ten
Units      in hand: messages of one queue, of at most `hub.gateway.MAX_BODY_BYTES` each
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import takewhile

from hub.amqp import Arrivals, Channel, Incoming
from hub.broker import Broker, close_channel
from hub.suspects import is_suspect

__all__ = ["Shards", "shards"]

IN_HAND, LATER_EVERY = 250, 10


@dataclass(slots=True)
class _Shard:
    """*given*: the tag given out last. *left*: it is to be opened anew, behind who waits there."""

    queue: str
    channel: Channel
    given: int = 0
    left: bool = False


@asynccontextmanager
async def shards(
    broker: Broker, queues: Sequence[str], *, later: Collection[str] = ()
) -> AsyncIterator[Shards]:
    """Consume *queues*; of those, *later* are bulk. On leaving, what is not acknowledged goes
    back."""
    opened: list[_Shard] = []
    arrivals = Arrivals()
    try:
        for queue in queues:
            opened.append(shard := _Shard(queue, await broker.channel("consume")))
            await shard.channel.consume(queue, prefetch=IN_HAND, into=arrivals)
        yield Shards(broker, opened, arrivals, frozenset(later))
    finally:
        await asyncio.gather(*(close_channel(shard.channel) for shard in opened))


class Shards:
    """Made by `shards`. What it gives out is acknowledged in order (`broker.acknowledge`)."""

    def __init__(
        self,
        broker: Broker,
        opened: Sequence[_Shard],
        arrivals: Arrivals,
        later: frozenset[str],
    ) -> None:
        self._broker, self._shards, self._arrivals = broker, opened, arrivals
        self._later, self._waiting, self._passed = later, Arrivals(), 0
        self._asked = asyncio.Event()

    async def batch(self, most: int) -> Sequence[Incoming]:
        """Wait for one, then take what is there, up to *most*. A suspect comes alone, after all that
        was given out is acknowledged; `done` tells when it is."""
        taken, source = await self._taken(most)
        good = list(takewhile(lambda each: not is_suspect(each), taken))
        now = good or taken[:1]
        if len(now) < len(taken):
            source.put_back(taken[len(now) :])
        before = [(shard.channel, shard.given) for shard in self._shards]
        channels = {shard.channel: shard for shard in self._shards}
        for each in now:
            channels[each.channel].given = each.tag
        if not good:
            for channel, tag in before:
                await channel.acknowledged(tag)
        return now

    async def _taken(self, most: int) -> tuple[list[Incoming], Arrivals]:
        """What is first, and where the rest of it is."""
        later = {shard.channel for shard in self._shards if shard.queue in self._later}
        while True:
            turn = self._passed >= LATER_EVERY - 1 or not len(self._arrivals)
            if len(self._waiting) and turn:
                self._passed = 0
                return await self._waiting.take(most), self._waiting
            taken = await self._arrivals.take(most)
            first = [each for each in taken if each.channel not in later]
            for each in taken:
                if each.channel in later:
                    self._waiting.add(each)
            if first:
                self._passed += bool(len(self._waiting))
                return first, self._arrivals

    async def done(self) -> None:
        """Wait until all that was given out is acknowledged."""
        for shard in self._shards:
            await shard.channel.acknowledged(shard.given)

    def leave(self, queues: Iterable[str]) -> None:
        """Let other processes that wait at *queues* go first."""
        wanted = set(queues)
        for shard in self._shards:
            if shard.queue in wanted and not shard.left:
                shard.left = True
                self._asked.set()

    async def tend(self) -> None:
        """Leave what is to be left, one queue after the other, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            for shard in self._shards:
                if shard.left:
                    await self._open_anew(shard)

    async def _open_anew(self, shard: _Shard) -> None:
        """When all that was given out is acknowledged; what is in hand besides goes back."""
        shard.channel.mute()
        self._waiting.forget(shard.channel)
        await shard.channel.acknowledged(shard.given)
        await close_channel(shard.channel)
        channel = await self._broker.channel("consume")
        shard.channel, shard.given, shard.left = channel, 0, False
        await channel.consume(shard.queue, prefetch=IN_HAND, into=self._arrivals)
