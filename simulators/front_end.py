"""Partners that have nothing but tables, and an office behind them that is quiet until it is told to work.

Speaks to  whoever controls it: ``POST /_sim/days {"days": n}`` plans so many days of work, one after
           another; the rest as `simulators.exchange_control`
Form       the office works by a clock, which by default is the machine's, in Beijing time
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy import Engine, MetaData, Table, func, select
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators import statistics_tables, tax_tables
from simulators.exchange_control import control_routes, turned
from simulators.exchange_store import open_database
from simulators.statistics_bureau import StatisticsOffice
from simulators.surroundings import Partner, Surroundings
from simulators.tax_bureau import TaxOffice
from simulators.writing import Habits, Writer

__all__ = ["FrontEnd", "Office", "statistics_bureau", "tax_bureau"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
LOOK_S = 0.1
MOST_DAYS = 1000


class Office(Protocol):
    """The programs of a partner."""

    habits: Habits

    @property
    def writer(self) -> Writer: ...

    @property
    def tables(self) -> tuple[Table, ...]: ...

    def day(self) -> None: ...


MakeOffice = Callable[[Engine, Callable[[], datetime], int], Office]


def tax_bureau(given: Surroundings) -> Partner:
    """The tax bureau (税务局), in a file of its own."""
    return FrontEnd("tax-bureau", tax_tables.metadata, TaxOffice, given.folder, seed=given.seed)


def statistics_bureau(given: Surroundings) -> Partner:
    """The statistics bureau (统计局), likewise."""
    metadata = statistics_tables.metadata
    return FrontEnd("statistics-bureau", metadata, StatisticsOffice, given.folder, seed=given.seed)


class FrontEnd:
    """*url*: its database, any that SQLAlchemy knows; an SQLite file under *folder* by default."""

    def __init__(
        self,
        name: str,
        metadata: MetaData,
        make: MakeOffice,
        folder: Path,
        *,
        url: str = "",
        seed: int = 1,
    ) -> None:
        self.name, self._metadata, self._make, self._seed = name, metadata, make, seed
        self.database_url = url or f"sqlite:///{folder / name}.db"
        self._days = 0
        days = Route("/_sim/days", self._plan, methods=["POST"])
        self.app = Starlette(routes=[days, *control_routes(self)])

    async def __aenter__(self) -> Self:
        self._engine = await asyncio.to_thread(open_database, self.database_url, self._metadata)
        self._office = await asyncio.to_thread(self._make, self._engine, _now, self._seed)
        self._stopped = asyncio.Event()
        self._at_work = asyncio.create_task(self._work(), name=f"{self.name} office")
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Not cancelled: a step that is under way in its thread needs its database.
        self._stopped.set()
        await self._at_work
        await asyncio.to_thread(self._office.writer.close)
        await asyncio.to_thread(self._engine.dispose)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses of this partner besides its control's."""
        return {f"{self.name}-database": self.database_url}

    async def _work(self) -> None:
        while not self._stopped.is_set():
            # Somebody else holds a lock: the step is tried again.
            with suppress(OperationalError):
                await asyncio.to_thread(self._step)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stopped.wait()

    def _step(self) -> None:
        if self._days and self._office.writer.rests:
            self._days -= 1
            self._office.day()
        self._office.writer.work()

    # Control.

    async def _plan(self, request: Request) -> Response:
        days = (await request.json()).get("days")
        if not isinstance(days, int) or not 0 < days <= MOST_DAYS:
            return JSONResponse({"error": f"days: a number from 1 to {MOST_DAYS}"}, 422)
        self._days += days
        return JSONResponse({"ok": True})

    async def misbehave(self, given: Mapping[str, object], /) -> None:
        """Raises `ValueError` for what is no switch of `Habits`."""
        self._office.habits = turned(self._office.habits, given)

    async def counts(self) -> Mapping[str, int]:
        """*cases*: rows in its tables; nobody delivers anything to it."""
        rows = await asyncio.to_thread(self._rows)
        none = dict.fromkeys(("deliveries", "repeats", "doubled", "events_sent"), 0)
        waiting = self._days + (not self._office.writer.rests)
        return {"cases": sum(rows.values()), **none, "waiting": waiting, **rows}

    async def holds(self, _call: str | None, /) -> list[dict[str, str]]:
        return []

    async def quiet(self) -> bool:
        return not self._days and self._office.writer.rests

    def _rows(self) -> dict[str, int]:
        with self._engine.connect().execution_options(reads=True) as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in self._office.tables
            }


def _now() -> datetime:
    return datetime.now(BEIJING).replace(tzinfo=None)
