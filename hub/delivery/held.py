"""Routes that keep order: while one message of a subject waits, its later ones wait behind it.

What waits is kept in the database, so that the queue flows on for all other subjects, and released
in order. On such a route a queue has one consumer at a time, whatever the number of processes.

Promises   of one subject one message is under way at a time, in the order of their arrival; a
           failure holds its subject until a person has dealt with it. What a killed process had in
           hand is tried by another after `CLAIM_S`; a clock that is set back makes nothing wait
           longer than its wait once more. Who takes one up leaves a note: what several processes
           died with is taken up with nothing beside it
Careful    another process may have just taken over: what it kept is looked up again now and then.
           A message kept twice or delivered twice changes nothing at its target
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hub.broker import SUSPECT_AFTER
from hub.crypto import Seal
from hub.store import Store
from hub.store import held as rows
from routes.route import CompiledRoute
from schemas.errors import Transient
from schemas.message import Message

__all__ = ["Order"]

# Renewed at every look, while the process lives; on stopping, calls have less to end.
CLAIM_S = 20.0
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
        self._claims: dict[int, datetime] = {}
        self._without_end: set[str] = set()
        self._to_let_go: set[str] = set()
        self._unkept: set[str] = set()
        self._ours = False

    def begin(self) -> None:
        """All that was in hand is back in the queue, in its order; another process may have it now."""
        self._unkept.clear()
        self._ours = False

    def key(self, message: Message) -> str:
        return message.subject[:128] if self._route.order_by == "subject" else ""

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """One at a time for each key, first come first served. Raises `Transient` (``order.unkept``)
        behind one that was neither delivered nor kept: it comes again, and nobody overtakes it."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                if key in self._unkept:
                    raise Transient("order.unkept", "One of its subject comes again before it")
                try:
                    yield
                except BaseException:
                    self._unkept.add(key)
                    raise
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]

    async def look(self, now: datetime) -> None:
        """Look up which keys wait; what this process has in hand stays its own."""
        route = self._route.name
        until = now + timedelta(seconds=CLAIM_S)
        claims = tuple(self._claims.items())
        tend = partial(rows.tend, route=route, claims=claims, now=now, until=until)
        for row_id in await self._store.write(tend):
            if row_id in self._claims:
                self._claims[row_id] = until
        await self._let_go()
        # What is being kept meanwhile may be missing in what is read.
        self._kept_since = set(self._being_kept)
        found = await self._store.read(partial(rows.waiting_keys, route=route))
        self._waiting = found | self._kept_since

    @property
    def waits(self) -> bool:
        """Whether anything waits, as it was looked up last."""
        return bool(self._waiting)

    async def must_wait(self, message: Message) -> bool:
        """Whether something before *message* waits. A failure that is tried again does not wait for
        itself."""
        key = self.key(message)
        if not self._ours:
            # The first that comes: until just now another process may have kept some of the queue.
            route = self._route.name
            self._waiting |= await self._store.read(partial(rows.waiting_keys, route=route))
            self._ours = True
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
            replaced = await self._store.write(partial(rows.hold, row=row, newest_only=replaces))
            self._without_end.discard(message.id)
            return replaced
        finally:
            self._being_kept -= Counter((key,))

    async def delivered(self, message: Message) -> None:
        """Forget *message*, should it have waited."""
        if self.key(message) in self._waiting:
            release = partial(rows.release, route=self._route.name, message_id=message.id)
            await self._store.write(release)
            self._without_end.discard(message.id)

    async def due(self, now: datetime) -> Sequence[rows.Waiting]:
        query = partial(rows.due, route=self._route.name, now=now, most=MOST_DUE)
        return await self._store.read(query)

    @asynccontextmanager
    async def claimed(
        self, key: str, now: datetime, *, alone: bool = False
    ) -> AsyncIterator[rows.Waiting | None]:
        """The first of *key*, for this process alone within the block; None where it is not due,
        another process has it, or it is suspect and nothing may be beside it (*alone*)."""
        row = await self._first(key)
        if (
            row is None
            or row.due is None
            or row.due > now
            or (row.broke >= SUSPECT_AFTER and not alone)
        ):
            yield None
            return
        if not await self._take(row, now):
            yield None
            return
        try:
            yield row
        finally:
            self._claims.pop(row.id, None)
            if row.message_id in self._without_end:
                self._without_end.discard(row.message_id)
                self._to_let_go.add(row.message_id)
                with suppress(Transient):  # where the database is away: at the next look
                    await self._let_go()

    def opened(self, row: rows.Waiting) -> bytes:
        """The body of *row*."""
        return self._seal.open(row.sealed)

    async def _take(self, row: rows.Waiting, now: datetime) -> bool:
        until = now + timedelta(seconds=CLAIM_S)
        take = partial(rows.take, row=row, route=self._route.name, now=now, until=until)
        mine = await self._store.write(take)
        if mine:
            self._claims[row.id] = until
            self._without_end.add(row.message_id)
        return mine

    async def _let_go(self) -> None:
        """What was taken and put down again, though not by dying."""
        if self._to_let_go:
            left = frozenset(self._to_let_go)
            let_go = partial(rows.let_go, route=self._route.name, message_ids=left)
            await self._store.write(let_go)
            self._to_let_go -= left

    async def _first(self, key: str) -> rows.Waiting | None:
        return await self._store.read(partial(rows.first, route=self._route.name, key=key))
