"""Deliveries that arrive while a write is under way go together in the next one.

Promises   a batch is never waited for: the first row is written at once, alone; what comes meanwhile
           makes the next batch. A waiter that is cancelled stops waiting at once
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from sqlalchemy import Table

from front_db.contract import ExchangeTable
from front_db.database import Database
from front_db.rows import Row
from front_db.write import Outcome, Written, write_rows
from schemas.errors import HubError, Transient

__all__ = ["GroupedWrites"]

_Waiting = tuple[Row, "asyncio.Future[Written]"]


@dataclass(slots=True)
class GroupedWrites:
    """All writes to one table. *batch_rows*: at most so many in one transaction."""

    database: Database
    described: ExchangeTable
    table: Table
    batch_rows: int
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _flush: asyncio.Task[None] | None = None

    async def write(self, row: Row) -> Written:
        """Return once *row* is committed; raises one of the three kinds."""
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._write_all(), name=f"write {self.table.name}")
        return await done

    async def rest(self) -> None:
        """Return once what waits now has been tried."""
        if self._flush is not None:
            await asyncio.wait([self._flush])

    async def close(self) -> None:
        """Stop; whoever still waits hears that the database is away."""
        if self._flush is not None:
            self._flush.cancel()
            await asyncio.wait([self._flush])
        for _, done in self._waiting:
            _tell(done, Transient("target.down", "Closed before it was written"))
        self._waiting.clear()

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [
                self._waiting.popleft() for _ in range(min(self.batch_rows, len(self._waiting)))
            ]
            # Whoever has gone meanwhile has not been written, and will come again.
            batch = [each for each in batch if not each[1].done()]
            try:
                outcomes = await self._write([row for row, _ in batch])
            except HubError as error:
                outcomes = [error] * len(batch)
            except BaseException:
                for _, done in batch:
                    _tell(done, Transient("target.down", "The write was broken off"))
                raise
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                _tell(done, outcome)

    async def _write(self, rows: list[Row]) -> list[Outcome]:
        if not rows:
            return []
        return await self.database.write(
            lambda connection: write_rows(connection, self.described, self.table, rows),
            self.described,
        )


def _tell(done: asyncio.Future[Written], outcome: Outcome) -> None:
    if done.done():
        return
    if isinstance(outcome, HubError):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
