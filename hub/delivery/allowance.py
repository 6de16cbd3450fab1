"""What a grant still allows: until it ends, and so many messages a day.

The day's messages are leased from the store a few at a time, so that several processes together never
pass more than the grant says, and a delivery costs no write of its own.

Promises   never more a day than granted; a process that is killed forfeits at most `LEASE` of them
Units      seconds; days are those of Beijing
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial

from hub.store import Store
from hub.store.leases import lease
from routes.model import GrantClause
from schemas.calendar import BEIJING, beijing_day

__all__ = ["Allowance"]

LEASE = 20


class Allowance:
    """Of one route in one process."""

    def __init__(self, grant: GrantClause, store: Store, clock: Callable[[], datetime]) -> None:
        self._grant, self._store, self._clock = grant, store, clock
        self._day: date | None = None
        self._left = 0
        self._spent = False
        self._lock = asyncio.Lock()

    @property
    def ended(self) -> bool:
        return self._grant.ends is not None and self._clock() >= self._grant.ends

    def closed_s(self) -> float:
        """Until tomorrow where today's messages are used up; 0 where some are left, or where it has
        ended: then nothing waits any more."""
        now = self._clock()
        if not self._spent or self.ended or beijing_day(now) != self._day:
            return 0.0
        tomorrow = datetime.combine(beijing_day(now) + timedelta(days=1), time(), BEIJING)
        return (tomorrow - now).total_seconds()

    async def take(self) -> bool:
        """Take one of today's messages; False where none is left."""
        if self._grant.per_day is None:
            return True
        async with self._lock:
            today = beijing_day(self._clock())
            if today != self._day:
                # A clock may have been set: what is left of the other day stays that day's.
                await self.close()
                self._day, self._spent = today, False
            if not self._left:
                self._left = await self._leased(LEASE)
            self._spent = not self._left
            self._left -= not self._spent
            return not self._spent

    def unused(self) -> None:
        """The one that was taken did not pass."""
        if self._grant.per_day is not None and beijing_day(self._clock()) == self._day:
            self._left += 1

    async def close(self) -> None:
        """Give back what was leased and not used."""
        if self._left:
            left, self._left = self._left, 0
            await self._leased(-left)

    async def _leased(self, most: int) -> int:
        if self._day is None or self._grant.per_day is None:
            return 0
        leased = partial(
            lease,
            grant=self._grant.number,
            day=self._day.isoformat(),
            most=most,
            per_day=self._grant.per_day,
        )
        return await self._store.write(leased)
