"""One standard table polled: its pages one after another, each no larger than the hub can hand on.

Units      seconds, of the event loop's clock
Promises   what was yielded and not acknowledged comes again at the next poll; a page that takes long
           makes the next ones smaller
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection

from front_db.batches import settle_batches
from front_db.beside import HUB, beat, paused
from front_db.capture import (
    Captured,
    Outgoing,
    Page,
    Progress,
    acknowledge,
    begin,
    next_page,
)
from front_db.database import Database
from front_db.moves import Seen
from front_db.pace import PageSize
from front_db.read import Place
from schemas.errors import Transient

__all__ = ["StandardPoll"]

log = structlog.get_logger("front_db.poll")


@dataclass(slots=True)
class StandardPoll:
    """*now*: Beijing time without zone. Not for two callers at once."""

    database: Database
    outgoing: Outgoing
    now: Callable[[], datetime]
    size: PageSize
    _pending: dict[Seen, Captured] = field(default_factory=dict)

    async def rows(self) -> AsyncIterator[Captured]:
        """All rows that are new, in order. Raises as `Database.write` does, and where the table is
        too dirty."""
        self._pending.clear()
        # Kept whatever comes after it: a table that is too dirty still shows that the hub lives.
        await self.database.write(self._settle, self.outgoing.described)
        progress = await self.database.write(self._begin, self.outgoing.described)
        place: Place | None = None
        loop = asyncio.get_running_loop()
        while progress is not None:
            started = loop.time()
            page = await self._page(progress, place)
            for row in page.rows:
                self._pending[row.seen] = row
                yield row
            self.size.took(loop.time() - started, len(page.rows))
            if (place := page.place) is None:
                break

    async def acknowledge(self, seen: Sequence[Seen]) -> None:
        """*seen* are safe: mark them, with their receipts."""
        rows = [row for each in seen if (row := self._pending.pop(each, None))]
        if rows:
            at = self.now()
            await self.database.write(
                lambda connection: acknowledge(connection, self.outgoing, rows, at),
                self.outgoing.described,
            )

    def _settle(self, connection: Connection) -> None:
        at = self.now()
        beat(connection, self.outgoing.beside, HUB, at)
        if not paused(connection, self.outgoing.beside, self.outgoing.described.name):
            settle_batches(connection, self.outgoing, at)

    def _begin(self, connection: Connection) -> Progress | None:
        return begin(connection, self.outgoing, self.now())

    async def _page(self, progress: Progress, place: Place | None) -> Page:
        limit, at = self.size.rows, self.now()
        try:
            page = await self.database.write(
                lambda connection: next_page(
                    connection, self.outgoing, progress, after=place, limit=limit, at=at
                ),
                self.outgoing.described,
            )
        except Transient:
            self.size.failed()
            raise
        if page.refused:
            log.warning(
                "rows.refused",
                table=self.outgoing.described.name,
                refused=page.refused,
                held=page.held,
            )
        return page
