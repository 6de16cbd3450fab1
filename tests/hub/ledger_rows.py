"""Rows of the ledger as the writer hands them over, and what tests ask of the kept ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, select

from hub.audit import Break, verify
from hub.ids import new_id
from hub.store import Store
from hub.store.append import append
from hub.store.chain import FIELDS
from hub.store.tables import ledger
from schemas.receipt import Event

__all__ = ["a_row", "breaks", "keep", "kept", "whole"]

NUMBERS = {"attempt": 0, "took_ms": 0}
LISTS: dict[str, list[Any]] = {"faults": [], "doubts": []}


def a_row(key: str = "", *, at: datetime | None = None, **told: Any) -> dict[str, Any]:
    """Of an event at *at*; *told*: values of other columns."""
    at = at or datetime.now(UTC)
    values: dict[str, Any] = dict.fromkeys(FIELDS, "") | NUMBERS | LISTS | {"envelope": None}
    message_id = new_id(at)
    values |= {"key": key or message_id, "at": at, "message_id": message_id}
    return values | {"event": Event.DELIVERY_DONE.value} | told


def keep(
    store: Store,
    rows: Sequence[Mapping[str, Any]],
    bodies: Mapping[str, bytes] | None = None,
    *,
    now: datetime | None = None,
    by: Any = "month",
) -> int:
    """Append copies of *rows* in one transaction."""
    at = now or datetime.now(UTC)
    copies = [dict(row) for row in rows]
    return store.write_now(lambda c: append(c, copies, bodies or {}, now=at, by=by))


def kept(store: Store) -> Sequence[RowMapping]:
    """All rows, in the order in which they were written."""
    query = select(ledger).order_by(ledger.c.id)
    return store.read_now(lambda c: c.execute(query).mappings().all())


def breaks(store: Store) -> dict[str, list[Break]]:
    """What an audit finds, by partition."""
    return {verdict.partition: verdict.breaks for verdict in verify(store) if not verdict.whole}


def whole(store: Store) -> bool:
    return not breaks(store)
