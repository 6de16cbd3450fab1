"""Questions to the ledger that pages ask: counts, series over time, the newest rows, payloads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    RowMapping,
    String,
    cast,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from hub.store.tables import ledger, payloads
from schemas.receipt import Event

__all__ = ["counts", "payload", "recent", "retrying", "series"]

MOST_ROWS = 1000


def counts(connection: Connection, since: datetime) -> Sequence[RowMapping]:
    """Rows since then by event, source, resource, route and system, as ``many``."""
    c = ledger.c
    keys = (c.event, c.source, c.resource, c.route, c.system)
    query = select(*keys, func.count().label("many")).where(c.at >= since).group_by(*keys)
    return _rows(connection, query)


def series(
    connection: Connection, event: Event, since: datetime, until: datetime, bucket_s: int
) -> list[int]:
    """How many rows of *event* fell into each bucket from *since* to *until*, oldest first."""
    buckets = [0] * max(1, -(-int((until - since).total_seconds()) // bucket_s))
    number = func.floor((_seconds(connection) - since.timestamp()) / bucket_s).label("number")
    query = (
        select(number, func.count())
        .where(ledger.c.event == event.value, ledger.c.at >= since, ledger.c.at < until)
        .group_by(number)
    )
    for bucket, many in connection.execute(query):
        buckets[min(max(int(bucket), 0), len(buckets) - 1)] += many
    return buckets


def recent(
    connection: Connection, *, limit: int, system: str = "", resource: str = "", route: str = ""
) -> Sequence[RowMapping]:
    """The newest first; *system* as source or target; *route*: a route or service."""
    c = ledger.c
    query = select(ledger).order_by(c.at.desc(), c.id.desc()).limit(min(limit, MOST_ROWS))
    if system:
        query = query.where(or_(c.source == system, (c.system == system) & (c.system != "")))
    if resource:
        query = query.where(c.resource == resource)
    if route:
        query = query.where(c.route == route)
    return _rows(connection, query)


def retrying(connection: Connection, since: datetime) -> dict[str, int]:
    """By route: deliveries whose last word since then is that they wait on the ladder."""
    c = ledger.c
    waiting = {Event.DELIVERY_RETRYING.value, Event.SERVICE_RETRYING.value}
    ends = {
        event.value
        for event in (
            Event.DELIVERY_DONE,
            Event.DELIVERY_FAILED,
            Event.SERVICE_DONE,
            Event.SERVICE_FAILED,
        )
    }
    tried = select(c.message_id, c.route).where(c.event.in_(waiting), c.at >= since).distinct()
    tried = tried.limit(MOST_ROWS)
    begun = {(row.message_id, row.route) for row in connection.execute(tried)}
    if not begun:
        return {}
    done = select(c.message_id, c.route).where(
        c.event.in_(ends), c.message_id.in_({message_id for message_id, _ in begun})
    )
    still = begun - {(row.message_id, row.route) for row in connection.execute(done)}
    by_route: dict[str, int] = {}
    for _, route in still:
        by_route[route] = by_route.get(route, 0) + 1
    return by_route


def payload(connection: Connection, message_id: str) -> tuple[str, bytes] | None:
    """Resource and sealed body (`hub.payloads`) of a published message; None where none is kept."""
    held = (payloads.c.digest == ledger.c.digest) & (payloads.c.part == ledger.c.part)
    row = connection.execute(
        select(ledger.c.resource, payloads.c.sealed)
        .join_from(ledger, payloads, held)
        .where(
            ledger.c.message_id == message_id,
            ledger.c.event == Event.MESSAGE_PUBLISHED.value,
        )
    ).first()
    return (row.resource, row.sealed) if row else None


def _seconds(connection: Connection) -> ColumnElement[float]:
    """A row's time, in seconds since 1970."""
    if connection.dialect.name == "postgresql":
        return cast(func.extract("epoch", ledger.c.at), Float)
    # Kept as text there: the whole seconds, and what stands behind the point.
    told = type_coerce(ledger.c.at, String)
    whole = cast(func.strftime("%s", told), Float)
    return whole + cast(literal("0").concat(func.substr(told, 20)), Float)


def _rows(connection: Connection, query: Any) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()
