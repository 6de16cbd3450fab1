"""Routes that keep order: while one message of a subject waits, its later ones wait behind it.

What waits is kept in the database, so that the queue flows on for all other subjects, and released
in order. On such a route a queue has one consumer at a time, whatever the number of processes.

Promises   of one subject one message is under way at a time, in the order of their arrival; a
           failure holds its subject until a person has dealt with it
Careful    another process may have just taken over: what it kept is looked up again now and then.
           A message kept twice or delivered twice changes nothing at its target
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hub.crypto import Seal
from hub.store import Store
from hub.store import held as rows
from routes.route import CompiledRoute
from schemas.message import Message

__all__ = ["Order"]

CLAIM_S = 180.0
MOST_DUE = 50


class Order:
    """The subjects of one route that wait."""

    def __init__(self, route: CompiledRoute, store: Store, seal: Seal) -> None:
        self._route, self._store, self._seal = route, store, seal
        self._waiting: set[str] = set()
        self._being_kept: Counter[str] = Counter()
        self._kept_since: set[str] = set()
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    def key(self, message: Message) -> str:
        return message.subject[:128] if self._route.order_by == "subject" else ""

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """One at a time for each key, first come first served."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]

    async def look(self) -> None:
        """Look up which keys wait."""
        route = self._route.name
        await self._store.write(partial(rows.free, route=route))
        # What is being kept meanwhile may be missing in what is read.
        self._kept_since = set(self._being_kept)
        found = await self._store.read(partial(rows.waiting_keys, route=route))
        self._waiting = found | self._kept_since

    async def must_wait(self, message: Message) -> bool:
        """Whether something before *message* waits. A failure that is tried again does not wait for
        itself."""
        key = self.key(message)
        if key not in self._waiting:
            return False
        first = await self._first(key)
        return first is not None and first.message_id != message.id

    async def hold(
        self,
        message: Message,
        headers: Mapping[str, Any],
        body: bytes,
        *,
        due: datetime | None,
        at: datetime,
    ) -> Sequence[str]:
        """Keep *message*, to be tried at *due* (None: after a person has dealt with it). Returns
        the ids of those it replaces."""
        key = self.key(message)
        row = {
            "route": self._route.name,
            "key": key,
            "message_id": message.id,
            "sequence": message.sequence,
            "due": due,
            "at": at,
            "headers": dict(headers),
            "sealed": self._seal.seal(body),
        }
        # Before it is kept, so that nothing slips past meanwhile.
        self._waiting.add(key)
        self._kept_since.add(key)
        self._being_kept[key] += 1
        replaces = self._route.newest_only
        try:
            return await self._store.write(partial(rows.hold, row=row, newest_only=replaces))
        finally:
            self._being_kept -= Counter((key,))

    async def delivered(self, message: Message) -> None:
        """Forget *message*, should it have waited."""
        if self.key(message) in self._waiting:
            release = partial(rows.release, route=self._route.name, message_id=message.id)
            await self._store.write(release)

    async def due(self, now: datetime) -> Sequence[rows.Waiting]:
        query = partial(rows.due, route=self._route.name, now=now, most=MOST_DUE)
        return await self._store.read(query)

    async def claimed(self, key: str, now: datetime) -> rows.Waiting | None:
        """The first of *key*, for this process alone for three minutes; None where it is not due
        or another process has it."""
        row = await self._first(key)
        if row is None or row.due is None or row.due > now:
            return None
        until = now + timedelta(seconds=CLAIM_S)
        claim = partial(rows.claim, row_id=row.id, was=row.due, until=until)
        return row if await self._store.write(claim) else None

    def opened(self, row: rows.Waiting) -> bytes:
        """The body of *row*."""
        return self._seal.open(row.sealed)

    async def _first(self, key: str) -> rows.Waiting | None:
        return await self._store.read(partial(rows.first, route=self._route.name, key=key))
