"""A watch over the shape of partners' tables (结构漂移): what only grows is a notice, what loses stops its table.

Form       the first shape that is seen is the agreed one; what only adds to it becomes the agreed one
Promises   a table that lost something is not read or written until it is as it was, or a person accepts it
           (`accept`); every other table goes on, and nothing of the partner's is changed
Units      one question to the partner's catalogue in *every_s* seconds for a table, and at each poll while
           the table is stopped
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from front_db.books import Keeping
from front_db.contract import ExchangeTable
from front_db.database import Database
from front_db.shape import ColumnShape, Difference, Shape, compared, read_shape
from front_db.shape_tables import shapes
from hub.store import insert_once
from schemas.errors import Misconfigured

__all__ = ["Drift", "Watch", "accept", "drifts"]

EVERY_S = 600.0
SHOWN = 10
log = structlog.get_logger("front_db.drift")
s = shapes.c


@dataclass(frozen=True, slots=True)
class Drift:
    """A table whose shape has changed. *lost*: why it is stopped; *grown*: what was added last."""

    table: str
    lost: Sequence[str]
    grown: Sequence[str]
    at: datetime


@dataclass(slots=True)
class Watch:
    """All tables of one *system*. *records*: the hub's own; *now* tells aware times."""

    records: Keeping
    system: str
    now: Callable[[], datetime]
    every_s: float = EVERY_S
    _looked: dict[str, datetime] = field(default_factory=dict)

    async def look(self, database: Database, described: ExchangeTable) -> None:
        """Raises `Misconfigured` (``front-db.drift``) while the table has lost something."""
        name, at = described.name, self.now()
        last = self._looked.get(name)
        if last is not None and (at - last).total_seconds() < self.every_s:
            return
        there = await database.read(lambda connection: read_shape(connection, name), described)
        if not there:
            return  # no table at all: whoever asks it says so, with what to do
        ours = (*described.control.names, *(column.name for column in described.columns))
        lost = await self.records.write(
            lambda connection: _judged(connection, self.system, name, there, ours, at)
        )
        if lost:
            self._looked.pop(name, None)
            raise Misconfigured(
                "front-db.drift",
                "A table has lost something of what was agreed",
                table=name,
                system=self.system,
                changes="; ".join(lost[:SHOWN]),
            )
        self._looked[name] = at


def drifts(connection: Connection, system: str) -> list[Drift]:
    """All tables of *system* whose shape is not the first one that was seen."""
    found = connection.execute(select(shapes).where(s.system == system).order_by(s.table_name))
    return [
        Drift(row.table_name, row.lost, row.grown, row.at) for row in found if row.lost or row.grown
    ]


def accept(connection: Connection, system: str, table: str, at: datetime) -> bool:
    """A person says that the table is right as it is; False where it is not stopped."""
    mine = (s.system == system, s.table_name == table)
    found = connection.execute(select(s.found, s.lost).where(*mine)).first()
    if found is None or not found.lost:
        return False
    values = {"agreed": found.found, "found": {}, "lost": [], "grown": found.lost, "at": at}
    connection.execute(update(shapes).where(*mine).values(**values))
    return True


def _judged(
    connection: Connection,
    system: str,
    table: str,
    there: Shape,
    ours: Sequence[str],
    at: datetime,
) -> list[str]:
    """Write down what has changed; returns what loses."""
    mine = (s.system == system, s.table_name == table)
    fresh = {"agreed": _told(there), "found": {}, "lost": [], "grown": [], "at": at}
    row = {"system": system, "table_name": table, **fresh}
    connection.execute(insert_once(connection, shapes), row)
    kept = connection.execute(select(shapes).where(*mine)).one()
    agreed = {name: ColumnShape(**each) for name, each in kept.agreed.items()}
    different = compared(agreed, there, ours)
    values = _values(table, kept.lost, different, there)
    if values:
        connection.execute(update(shapes).where(*mine).values(**values, at=at))
    return [each.said for each in different if each.loses]


def _values(
    table: str, stopped: Sequence[str], different: Sequence[Difference], there: Shape
) -> dict[str, Any]:
    """What is to be kept of it; nothing where it is as it was kept."""
    lost = [each.said for each in different if each.loses]
    if lost:
        if lost != list(stopped):
            log.error("table.lost", table=table, changes=lost[:SHOWN])
        return {"found": _told(there), "lost": lost} if lost != list(stopped) else {}
    mended: dict[str, Any] = {"found": {}, "lost": []} if stopped else {}
    if stopped:
        log.info("table.mended", table=table)
    if not different:
        return mended
    grown = [each.said for each in different]
    log.warning("table.grown", table=table, changes=grown[:SHOWN])
    return mended | {"agreed": _told(there), "grown": grown}


def _told(shape: Shape) -> dict[str, Any]:
    return {name: asdict(each) for name, each in shape.items()}
