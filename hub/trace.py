"""Everything that happened to a message, across hops: by any id, case or application number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select

from hub.store.tables import ledger
from schemas.receipt import Event

__all__ = ["trace"]

MOST_ROWS = 2000


def trace(connection: Connection, asked: str) -> Sequence[RowMapping]:
    """
    Ledger rows, oldest first, of the message, record, trace or subject *asked*.

    A subject also finds those below it (``<application>-<n>``); an id also finds all of its trace:
    what the record led to, and what domain services made of that.
    """
    c = ledger.c
    # "." follows "-": a range, which an index serves in either database.
    below = (c.subject >= f"{asked}-") & (c.subject < f"{asked}.")
    found: Any = (
        connection.execute(
            select(c.trace, c.message_id)
            .where(
                or_(
                    c.message_id == asked,
                    c.record_id == asked,
                    c.trace == asked,
                    c.subject == asked,
                    below,
                )
            )
            .limit(MOST_ROWS)
        )
        .mappings()
        .all()
    )
    traces = {row["trace"] for row in found if row["trace"]}
    ids = {row["message_id"] for row in found}
    if not ids:
        return []
    # A message has the time of its record: what came in stands before what it became.
    later = c.event != Event.RECORD_RECEIVED.value
    rows: Any = (
        connection.execute(
            select(ledger)
            .where(or_(c.trace.in_(traces), c.message_id.in_(ids)))
            .order_by(c.at, later, c.id)
            .limit(MOST_ROWS)
        )
        .mappings()
        .all()
    )
    return list(rows)
