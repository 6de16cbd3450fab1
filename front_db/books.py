"""What we remember of each table that is not ours: how far it is read, why it stands still, figures.

Form       kept in the hub's own records, because nothing of ours may be written at the partner
Promises   versions only rise: a table that is captured anew, or in another mode, begins above all
           that it was ever given
Units      *now* tells aware times
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

from sqlalchemy import Connection, select, update
from sqlalchemy.sql.elements import ColumnElement

from front_db.book_tables import captures
from hub.store import insert_once
from schemas.errors import Fact, Misconfigured

__all__ = [
    "Book",
    "Capture",
    "Figures",
    "Keeper",
    "Keeping",
    "let_go_on",
    "standing",
]

T = TypeVar("T")
Figures = Mapping[str, int | float | str | None]
MICROSECONDS = 1_000_000


class Keeping(Protocol):
    """The hub's records: *work* runs in one transaction of theirs, in a thread. Raises `Transient`
    where they are away."""

    async def read(self, work: Callable[[Connection], T], /) -> T: ...
    async def write(self, work: Callable[[Connection], T], /) -> T: ...


@runtime_checkable
class Keeper(Protocol):
    """A connector with books: it is given the records before it opens, by whoever runs it. One that
    is only checked is not given any."""

    def keep_in(self, records: Keeping, /) -> None: ...


# What is gone or lost in the partner's database, and may be there again tomorrow.
MENDED_THERE = frozenset({"front-db.no-slot", "front-db.slot-lost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """
    How one table stands. *position*: the reader's own words, "" at the beginning; *version*: the
    highest that was given; *code*: why it stands still; *allowed*: a person lets it go on.
    """

    id: int
    system: str
    table: str
    mode: str
    position: str
    version: int
    code: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    allowed: bool = False
    figures: Figures = field(default_factory=dict)
    at: datetime

    def still(self) -> Misconfigured | None:
        """The error that it stands still with, until a person lets it go on, or where `mended_there` the
        partner has mended it."""
        if not self.code or self.allowed:
            return None
        return Misconfigured(self.code, "Capture of a table stands still", **self.facts)

    @property
    def mended_there(self) -> bool:
        """Whether each poll looks for itself if it may go on, and nobody here lets it."""
        return self.code in MENDED_THERE


@dataclass(slots=True)
class Book:
    """The book of one table. *records*: the hub's own; every call is a transaction of theirs."""

    records: Keeping
    system: str
    table: str
    mode: str
    now: Callable[[], datetime]

    async def open(self) -> Capture:
        """How it stands. A table never captured before, or in another mode, has no position."""
        return await self.records.write(self._open)

    async def keep(
        self,
        *,
        position: str | None = None,
        version: int | None = None,
        figures: Figures | None = None,
    ) -> None:
        """Remember those that are given, together."""
        at = self.now()
        given = {"position": position, "version": version, "figures": figures}
        values = {name: value for name, value in given.items() if value is not None}
        await self.records.write(
            lambda connection: connection.execute(
                update(captures).where(*self._mine()).values(at=at, **values)
            )
        )

    async def stop(self, error: Misconfigured) -> None:
        """Stand still with *error* until `let_go_on`."""
        values = {"code": error.code, "facts": dict(error.facts), "allowed": False}
        at = self.now()
        await self.records.write(
            lambda connection: connection.execute(
                update(captures).where(*self._mine()).values(at=at, **values)
            )
        )

    async def go_on(self) -> None:
        """It stands still no longer."""
        values: dict[str, Any] = {"code": "", "facts": {}, "allowed": False, "at": self.now()}
        await self.records.write(
            lambda connection: connection.execute(
                update(captures).where(*self._mine()).values(**values)
            )
        )

    @asynccontextmanager
    async def looking(self, capture: Capture) -> AsyncIterator[None]:
        """The block finds out whether *capture* can be read. What the partner must mend first makes it
        stand still until it is."""
        try:
            yield
        except Misconfigured as error:
            if error.code in MENDED_THERE and not capture.code:
                await self.stop(error)
            raise
        if capture.mended_there:
            await self.go_on()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """For what a reader keeps beside: *work* in one transaction."""
        return await self.records.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.records.read(work)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (captures.c.system == self.system, captures.c.table_name == self.table)

    def _open(self, connection: Connection) -> Capture:
        at = self.now()
        first = int(at.timestamp() * MICROSECONDS)
        fresh = {"position": "", "code": "", "facts": {}, "allowed": False, "figures": {}}
        row = {"system": self.system, "table_name": self.table, "mode": self.mode, "version": first}
        connection.execute(insert_once(connection, captures), {**row, **fresh, "at": at})
        other = (*self._mine(), captures.c.mode != self.mode)
        connection.execute(update(captures).where(*other).values(mode=self.mode, at=at, **fresh))
        return _captures(connection, self.system, self.table)[0]


def standing(connection: Connection, system: str) -> list[Capture]:
    """All tables of *system* that are captured, as they stood last."""
    return _captures(connection, system)


def let_go_on(connection: Connection, system: str, table: str) -> bool:
    """A person says that what was found is right; False where the table does not stand still, or for
    what the partner must mend."""
    still = captures.c.code.not_in(["", *MENDED_THERE])
    mine = (captures.c.system == system, captures.c.table_name == table, still)
    return bool(connection.execute(update(captures).where(*mine).values(allowed=True)).rowcount)


def _captures(connection: Connection, system: str, table: str = "") -> list[Capture]:
    c = captures.c
    asked = select(captures).where(c.system == system).order_by(c.table_name)
    if table:
        asked = asked.where(c.table_name == table)
    return [
        Capture(
            id=row.id,
            system=row.system,
            table=row.table_name,
            mode=row.mode,
            position=row.position,
            version=row.version,
            code=row.code,
            facts=row.facts,
            allowed=row.allowed,
            figures=row.figures,
            at=row.at,
        )
        for row in connection.execute(asked)
    ]
