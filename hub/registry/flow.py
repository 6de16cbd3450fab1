"""What really flowed, from the ledger: who sent what, who got it, and on which days.

Units      counts of messages and records since a moment; days of Beijing
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from catalog.lifecycle.flow import RECORDS, Flow, Flowed
from hub.registry.days import day_column, days_before, first_day
from hub.store.tables import ledger
from schemas.calendar import beijing_day
from schemas.receipt import Event

__all__ = ["flowed"]

_EVENTS = (
    Event.MESSAGE_PUBLISHED,
    Event.DELIVERY_DONE,
    Event.DELIVERY_FAILED,
    Event.SERVICE_DONE,
    *sorted(RECORDS),
)
c = ledger.c


def flowed(
    connection: Connection,
    since: datetime,
    *,
    long: Collection[str] = (),
    reach: date | None = None,
) -> Flowed:
    """*long*: resources whose days are told from *reach* on, out of what `count_days` has kept."""
    day, days = beijing_day(since), _days(connection, since)
    if reach is None:
        return Flowed(day, _flows(connection, since), days)
    known = min(first_day(connection, reach) or day, day)
    for resource, earlier in days_before(connection, long, reach, day).items():
        days[resource] = [*earlier, *days.get(resource, ())]
    return Flowed(day, _flows(connection, since), days, known)


def _flows(connection: Connection, since: datetime) -> Sequence[Flow]:
    """Grouped by event, resource, source, route and system."""
    keys = (c.event, c.resource, c.source, c.route, c.system)
    query = (
        select(*keys, func.count(), func.max(c.at))
        .where(c.event.in_([event.value for event in _EVENTS]), c.at >= since)
        .group_by(*keys)
        .order_by(*keys)
    )
    return [
        Flow(Event(event), resource, source, route, system, many, last)
        for event, resource, source, route, system, many, last in connection.execute(query)
    ]


def _days(connection: Connection, since: datetime) -> dict[str, list[date]]:
    day = day_column(connection.dialect.name)
    query = (
        select(c.resource, day)
        .where(c.event == Event.MESSAGE_PUBLISHED.value, c.at >= since)
        .group_by(c.resource, day)
        .order_by(c.resource, day)
    )
    found: dict[str, list[date]] = defaultdict(list)
    for resource, on in connection.execute(query):
        found[resource].append(on if isinstance(on, date) else date.fromisoformat(on))
    return found
