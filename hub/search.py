"""Search in the ledger: by id, key, subject, time, partner, event; newest first, page by page.

Form       a page's end is a place (time and id of its last row), so the next page begins there
           however many rows came meanwhile, and costs as much as the first
Careful    a time span lets PostgreSQL leave out whole partitions; give one where one is known
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from hub.store.tables import Moment, intake_keys, ledger
from schemas.errors import Rejected

__all__ = ["Page", "Search", "place", "placed", "query", "search"]

MOST_ROWS = 1000
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
c = ledger.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """All that is told must hold. *asked*: an id of message, record or trace. *key*: a sender's own
    key of a record; its *partner* must be told with it. *partner*: source or target. *until* is not
    in the span."""

    asked: str = ""
    key: str = ""
    subject: str = ""
    partner: str = ""
    event: str = ""
    resource: str = ""
    route: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """*after* is "" where nothing follows."""

    rows: Sequence[RowMapping]
    after: str


def search(connection: Connection, wanted: Search, *, limit: int = 100, after: str = "") -> Page:
    """Raises `Rejected` where *after* is no page's end, or *key* stands without a partner."""
    limit = min(max(limit, 1), MOST_ROWS)
    ids = _of_key(connection, wanted) if wanted.key else None
    rows: dict[int, RowMapping] = {}
    # One query a role: each is served by its own index, in order.
    roles = (c.source, c.system) if wanted.partner and ids is None else (None,)
    for role in roles:
        asked = query(wanted, ids, role).limit(limit + 1)
        if after:
            at, row_id = placed(after)
            behind = tuple_(c.at, c.id) < tuple_(literal(at, Moment), literal(row_id))
            asked = asked.where(c.at <= at, behind)
        rows |= {row["id"]: row for row in connection.execute(asked).mappings()}
    ordered = sorted(rows.values(), key=lambda row: (row["at"], row["id"]), reverse=True)
    shown = ordered[:limit]
    return Page(shown, place(shown[-1]) if len(ordered) > limit else "")


def query(
    wanted: Search, ids: Sequence[str] | None = None, role: ColumnElement[str] | None = None
) -> Select[Any]:
    """The question as SQL. *role*: the column in which the partner stands."""
    holds: list[ColumnElement[bool]] = []
    if wanted.asked:
        asked = wanted.asked
        holds.append(or_(c.message_id == asked, c.record_id == asked, c.trace == asked))
    if ids is not None:
        holds.append(or_(c.message_id.in_(ids), c.record_id.in_(ids)))
    if role is not None:
        holds += [role == wanted.partner, role != ""]
    for column in (c.subject, c.event, c.resource, c.route):
        if told := getattr(wanted, column.name):
            holds.append(column == told)
    if wanted.since:
        holds.append(c.at >= wanted.since)
    if wanted.until:
        holds.append(c.at < wanted.until)
    return select(ledger).where(*holds).order_by(c.at.desc(), c.id.desc())


def place(row: RowMapping) -> str:
    return f"{(row['at'] - _EPOCH) // _MICROSECOND}.{row['id']}"


def placed(told: str) -> tuple[datetime, int]:
    """Time and id of a place."""
    at, _, row_id = told.partition(".")
    if not (at.isdecimal() and row_id.isdecimal() and len(told) < 40):
        raise Rejected("search.place", "Not the end of a page", found=told[:40])
    return _EPOCH + int(at) * _MICROSECOND, int(row_id)


def _of_key(connection: Connection, wanted: Search) -> list[str]:
    """Records that came under a sender's key. Its kinds are few: each is looked up."""
    if not wanted.partner:
        raise Rejected("search.partner", "Whose key? Name the partner too")
    k = intake_keys.c
    found: list[str] = []
    last = ""
    while kind := connection.scalar(
        select(func.min(k.kind)).where(k.source == wanted.partner, k.kind > last)
    ):
        mine = (k.source == wanted.partner) & (k.kind == kind) & (k.key == wanted.key)
        found += connection.scalars(select(k.record_id).where(mine))
        last = kind
    return found
