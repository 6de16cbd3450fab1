"""A table that is not ours, and all that a reader of it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, FromClause

from front_db.books import Book
from front_db.contract import ExchangeTable
from front_db.database import Database
from front_db.pace import PageSize
from schemas.errors import Transient

__all__ = ["Origin"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """*page_rows*: most rows of a page; *pace* finds how many it is well to ask for. *now* tells aware times."""

    database: Database
    described: ExchangeTable
    table: FromClause
    book: Book
    page_rows: int
    now: Callable[[], datetime]
    pace: PageSize | None = None

    @property
    def limit(self) -> int:
        """How many rows the next page has."""
        return self.pace.rows if self.pace else self.page_rows

    async def page(self, work: Callable[[Connection], list[T]]) -> list[T]:
        """A page of rows, as `Database.read`; the next one is smaller where this one took long."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            rows = await self.database.read(work, self.described)
        except Transient:
            if self.pace:
                self.pace.failed()
            raise
        if self.pace:
            self.pace.took(loop.time() - started, len(rows))
        return rows
