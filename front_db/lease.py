"""One reader of a partner's tables at a time: who reads has a lease in the hub's records.

Form       the lease stands round the records that a reader keeps its place in: every use of them takes or renews it;
           between two uses it is renewed each third of it, for *idle_s* at most
Promises   a reader whose lease another holds can neither look up nor move its place: it is told so, and nothing of
           its is kept. A process that ends without a word holds it *lease_s* longer, one that hangs *idle_s* more
Units      seconds; *now* tells aware times
Not here   tables with states of ours: there two readers do no harm, as each row is marked at its version
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, delete, or_, select, update

from front_db.book_tables import leases
from front_db.books import Keeping
from hub.store import insert_once
from schemas.errors import HubError, Transient

__all__ = ["IDLE_S", "LEASE_S", "Leased"]

T = TypeVar("T")
LEASE_S = 30.0  # so long others wait for one that was killed
IDLE_S = 120.0  # longer than any single call to a partner may last
c = leases.c


@dataclass(slots=True)
class Leased:
    """The *records* for the tables of *system*: see `front_db.books.Keeping`."""

    records: Keeping
    system: str
    now: Callable[[], datetime]
    lease_s: float = LEASE_S
    idle_s: float = IDLE_S
    holder: str = field(default_factory=lambda: uuid4().hex)
    _until: datetime | None = None
    _used: float = 0.0
    _renewing: asyncio.Task[None] | None = None

    async def read(self, work: Callable[[Connection], T], /) -> T:
        """As `write`; a lease that lasts is not looked at, as nothing is moved."""
        at, self._used = self.now(), time.monotonic()
        if self._until is not None and at < self._until - timedelta(seconds=self.lease_s / 2):
            return await self.records.read(work)
        return await self.write(work)

    async def write(self, work: Callable[[Connection], T], /) -> T:
        """Raises `Transient` (``front-db.read-elsewhere``) while another reads."""
        at = self.now()
        self._until = None
        done = await self.records.write(lambda connection: self._held(connection, work, at))
        self._until = at + timedelta(seconds=self.lease_s)
        self._used = time.monotonic()
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name=f"lease of {self.system}")
        return done

    async def give_back(self) -> None:
        """Nothing is read now."""
        self._until = None
        if self._renewing:
            self._renewing.cancel()
            self._renewing = None
        mine = (c.system == self.system, c.holder == self.holder)
        await self.records.write(lambda connection: connection.execute(delete(leases).where(*mine)))

    async def _renew(self) -> None:
        """While a page or the broker lets the reader wait. One that waits for ever loses the lease."""
        while True:
            await asyncio.sleep(self.lease_s / 3)
            if time.monotonic() - self._used > self.idle_s:
                return
            at = self.now()
            try:
                if not await self.records.write(partial(self._kept, at=at)):
                    self._until = None
                    return
            except HubError:
                continue  # the records are away, for others too
            if self._until is not None:
                self._until = max(self._until, at + timedelta(seconds=self.lease_s))

    def _kept(self, connection: Connection, at: datetime) -> bool:
        """Not taken: whoever lost it knows a place that is not the last any more."""
        mine = (c.system == self.system, c.holder == self.holder)
        until = at + timedelta(seconds=self.lease_s)
        return bool(connection.execute(update(leases).where(*mine).values(until=until)).rowcount)

    def _held(self, connection: Connection, work: Callable[[Connection], T], at: datetime) -> T:
        until = at + timedelta(seconds=self.lease_s)
        told = {"system": self.system, "holder": self.holder, "until": until}
        connection.execute(insert_once(connection, leases), told)
        free = or_(c.holder == self.holder, c.until <= at)
        kept = connection.execute(
            update(leases)
            .where(c.system == self.system, free)
            .values(holder=self.holder, until=until)
        )
        if not kept.rowcount:
            other = connection.scalar(select(c.until).where(c.system == self.system))
            raise Transient(
                "front-db.read-elsewhere",
                "Another process reads these tables",
                system=self.system,
                until=other.isoformat(timespec="seconds") if other else "",
            )
        return work(connection)
