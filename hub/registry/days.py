"""On which days a resource had something new: counted from the ledger as it grows, and kept.

So a yearly cycle can be judged without reading a year of the ledger, and after its rows have gone.

Promises   each message counts once, however often this runs or is killed
Units      messages a day of Beijing
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    bindparam,
    cast,
    func,
    select,
    update,
)

from hub.store import insert_once
from hub.store.catalogue import resource_days, resource_days_state
from hub.store.tables import ledger
from schemas.receipt import Event

__all__ = ["count_days", "day_column", "days_before", "first_day"]

# Of the ledger's ids at once: a second's work for the slower database.
BATCH = 50_000
_AHEAD = timedelta(hours=8)
c, d, s = ledger.c, resource_days.c, resource_days_state.c


def count_days(connection: Connection) -> bool:
    """Count what was published since the last time, in `BATCH` rows of the ledger at most; returns
    whether there is more."""
    start = _position(connection)
    newest = connection.scalar(select(func.max(c.id))) or 0
    end = min(newest, start + BATCH)
    if end <= start:
        return False
    day = day_column(connection.dialect.name)
    query = (
        select(c.resource, day, func.count())
        .where(c.id > start, c.id <= end, c.event == Event.MESSAGE_PUBLISHED.value)
        .group_by(c.resource, day)
        .order_by(c.resource, day)
    )
    rows = [
        {"resource": resource, "day": _date(on), "messages": many}
        for resource, on, many in connection.execute(query)
    ]
    _add(connection, rows)
    connection.execute(update(resource_days_state).where(s.id == 1).values(position=end))
    return end < newest


def days_before(
    connection: Connection, resources: Collection[str], since: date, until: date
) -> dict[str, list[date]]:
    """By resource, its days from *since* to before *until*."""
    query = (
        select(d.resource, d.day)
        .where(d.resource.in_(list(resources)), d.day >= since, d.day < until)
        .order_by(d.resource, d.day)
    )
    found: dict[str, list[date]] = {}
    for resource, day in connection.execute(query):
        found.setdefault(resource, []).append(day)
    return found


def first_day(connection: Connection, since: date) -> date | None:
    """The first day from *since* on of which anything is known."""
    first: date | None = connection.scalar(select(func.min(d.day)).where(d.day >= since))
    return first


def day_column(dialect: str) -> ColumnElement[Any]:
    """The day of Beijing of a row: the ledger keeps UTC; China has one time and no summer time."""
    if dialect == "sqlite":
        return func.date(c.at, "+8 hours")
    return cast(func.timezone("UTC", c.at) + _AHEAD, Date)


def _date(found: date | str) -> date:
    return found if isinstance(found, date) else date.fromisoformat(found)


def _position(connection: Connection) -> int:
    state = resource_days_state
    connection.execute(insert_once(connection, state), {"id": 1, "position": 0})
    held: int = connection.execute(
        select(s.position).where(s.id == 1).with_for_update()
    ).scalar_one()
    return held


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    none = [row | {"messages": 0} for row in rows]
    connection.execute(insert_once(connection, resource_days), none)
    add = (
        update(resource_days)
        .where(d.resource == bindparam("of"), d.day == bindparam("on"))
        .values(messages=d.messages + bindparam("many"))
    )
    told = [{"of": r["resource"], "on": r["day"], "many": r["messages"]} for r in rows]
    connection.execute(add, told)
