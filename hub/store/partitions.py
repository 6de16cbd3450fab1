"""Partitions of the ledger and of payloads: a month or a day each, in UTC; their tables and heads.

In PostgreSQL a partition is a table of its own, dropped as a whole; in SQLite it is a name in each
row. The head of each (rows so far, last link) stands in ``ledger_partitions``.

Promises   a row's partition exists before the row is written; a dropped one never comes back
Careful    what no partition takes (a clock far off, a receipt of a time long dropped) goes to
           ``rest``: the ledger never refuses, and `hub.audit` says that somebody must look.
           Attaching a table waits for a lock at most `LOCK_S`, so that nobody waits behind it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, bindparam, insert, or_, select, text, update

from hub.store.chain import first_link
from hub.store.tables import Moment, ledger, ledger_partitions

__all__ = ["REST", "Head", "Span", "create", "heads", "keep_heads", "names_table", "span_of"]

By = Literal["month", "day"]
REST = "rest"
LOCK_S = 5
BACK, AHEAD = timedelta(days=40), timedelta(days=2)
_TABLES = ("ledger", "payloads")
c = ledger_partitions.c
# Put together once: that takes longer than to run them, and they are run for every batch.
_MOVED = update(ledger_partitions).where(c.name == bindparam("of"))
_HEADS = select(c.name, c.since, c.until, c.rows, c.link, c.state, c.payloads)
_LOW, _HIGH = bindparam("low", type_=Moment), bindparam("high", type_=Moment)
_TOUCHING = _HEADS.where(or_((c.since <= _HIGH) & (c.until > _LOW), c.name == REST))
_WITHIN = _HEADS.where(or_((c.since < _HIGH) & (c.until > _LOW), c.name == REST))


@dataclass(frozen=True, slots=True)
class Span:
    """*name* is 2026-11 or 2026-11-21; *until* is not in it."""

    name: str
    since: datetime
    until: datetime


@dataclass(slots=True)
class Head:
    """Where a partition's chain has got to; *since* and *until* are None for the rest."""

    name: str
    since: datetime | None
    until: datetime | None
    rows: int
    link: bytes = field(repr=False)
    state: str = "open"
    payloads: str = "kept"

    def takes(self, at: datetime) -> bool:
        return bool(self.since and self.until and self.since <= at < self.until)


def span_of(at: datetime, by: By) -> Span:
    """The partition for *at* (aware)."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if by == "day":
        return Span(f"{day:%Y-%m-%d}", day, day + timedelta(days=1))
    first = day.replace(day=1)
    return Span(f"{first:%Y-%m}", first, (first + timedelta(days=32)).replace(day=1))


def names_table(table: str, partition: str) -> str:
    """The table in PostgreSQL that holds *partition* of *table*."""
    return f"{table}_{partition.replace('-', '_')}"


def heads(
    connection: Connection, times: Sequence[datetime], *, now: datetime, by: By
) -> dict[str, Head]:
    """The open heads that *times* need, created where they are missing, and the rest's."""
    low, high = min(times), max(times)
    found = _overlapping(connection, low, high)
    if any(head.takes(low) and head.takes(high) for head in found):
        return {head.name: head for head in found if head.state == "open"}
    # Comparing is quick, naming a span is not: only those are looked at that may get a partition.
    earliest, latest = now - BACK, now + AHEAD
    wanted = {at for at in times if earliest <= at <= latest}
    untaken = [at for at in wanted if not any(head.takes(at) for head in found)]
    for at in sorted({span_of(at, by).since: at for at in untaken}.values()):
        create(connection, [at], by=by)
        found = _overlapping(connection, low, high)
    return {head.name: head for head in found if head.state == "open"}


def create(connection: Connection, times: Iterable[datetime], *, by: By) -> list[str]:
    """Partitions for *times*, where none is and none was; returns the new ones."""
    made: list[str] = []
    for at in times:
        wider, narrower = span_of(at, by), span_of(at, "day")
        for span in dict.fromkeys((wider, narrower)):
            # Also one that was dropped: what it held is gone, its chain is closed.
            if len(_overlapping(connection, span.since, span.until, touching=False)) > 1:
                continue
            if _rest_holds(connection, span):
                continue
            _create(connection, span)
            made.append(span.name)
            break
    return made


def keep_heads(connection: Connection, changed: Iterable[Head]) -> None:
    moved = [{"of": head.name, "rows": head.rows, "link": head.link} for head in changed]
    connection.execute(_MOVED, moved)


def _overlapping(
    connection: Connection, low: datetime, high: datetime, *, touching: bool = True
) -> list[Head]:
    """Heads of [*low*, *high*], without *high* itself where not *touching*; and the rest's."""
    query = _TOUCHING if touching else _WITHIN
    return [Head(*row) for row in connection.execute(query, {"low": low, "high": high})]


def _rest_holds(connection: Connection, span: Span) -> bool:
    """PostgreSQL attaches no partition whose rows the rest holds already."""
    inside = (ledger.c.at >= span.since) & (ledger.c.at < span.until)
    query = select(ledger.c.id).where(inside, ledger.c.part == REST).limit(1)
    return connection.execute(query).first() is not None


def _create(connection: Connection, span: Span) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
        for table in _TABLES:
            _attach(connection, table, span)
        connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(
        insert(ledger_partitions),
        {
            "name": span.name,
            "since": span.since,
            "until": span.until,
            "state": "open",
            "rows": 0,
            "link": first_link(span.name),
            "payloads": "kept",
        },
    )


def _attach(connection: Connection, table: str, span: Span) -> None:
    """Created apart and attached: readers of the whole table are not held up."""
    mine = names_table(table, span.name)
    connection.execute(text(f"CREATE TABLE {mine} (LIKE {table} INCLUDING ALL)"))
    values = f"FOR VALUES FROM ('{span.since.isoformat()}') TO ('{span.until.isoformat()}')"
    if table == "payloads":
        values = f"FOR VALUES IN ('{span.name}')"
    connection.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {mine} {values}"))
