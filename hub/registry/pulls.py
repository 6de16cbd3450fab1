"""What a grantee fetches itself: the messages that its grant covers, out of the ledger.

They are those that the grant's route carries: of its resource, since the grant began, without the
grantee's own, the granted items only. Both ways together stay within the day's number, and both are metered.

Promises   a cursor never skips a message: rows of the ledger get their ids in the order of commits
Careful    a body that is not kept any more comes as null
Units      at most `MOST` messages at once
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from catalog.lifecycle.items import compile_only
from catalog.lifecycle.kept import Grant
from hub.crypto import Seal
from hub.envelope import decode_body
from hub.payloads import unpacked
from hub.registry import grant_rows
from hub.registry.grant_secrets import secrets_of
from hub.registry.meters import CLOCKS, WHOLE, add_use, bodies_of, had
from hub.store.leases import lease
from hub.store.tables import ledger
from schemas.calendar import beijing_day
from schemas.errors import Rejected
from schemas.message import Body
from schemas.receipt import Event

__all__ = ["MOST", "Pulled", "Wanted", "pull", "with_secrets"]

MOST = 500
c = ledger.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """*after*: the cursor of the time before, 0 at first; *subject*: of this business key alone."""

    after: int = 0
    limit: int = 100
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """*after*: the cursor to ask with the next time; *whole*: nothing more was there."""

    records: Sequence[dict[str, Any]]
    after: int
    whole: bool = True


def with_secrets(
    connection: Connection, number: str, seal: Seal, at: datetime
) -> tuple[Grant | None, tuple[str, ...]]:
    """A grant and the secrets that are good at *at*; nothing of one that there is not."""
    try:
        held = grant_rows.grant(connection, number)
    except Rejected:
        return None, ()
    return held, secrets_of(connection, number, seal, at)


def pull(
    connection: Connection, grant: Grant, wanted: Wanted, *, seal: Seal, at: datetime
) -> Pulled:
    """Raises `Rejected` (``grant.used-up``) where the day's messages are."""
    # Before the rows: what is committed in between is found the next time.
    end = connection.scalar(select(func.max(c.id))) or 0
    rows = _rows(connection, grant, wanted, end)
    whole = len(rows) < wanted.limit
    taken = _allowed(connection, grant, len(rows), at)
    if rows and not taken:
        raise Rejected("grant.used-up", "No more today", number=grant.number)
    if taken < len(rows):
        rows, whole = rows[:taken], False
    bodies = bodies_of(connection, [row["message_id"] for row in rows])
    only = compile_only(grant.items)
    records, used = [], Counter[tuple[str, str, str]]()
    day = beijing_day(at).isoformat()
    for row in rows:
        sealed = bodies.get(row["message_id"])
        body = only(decode_body(unpacked(sealed, seal))) if sealed else None
        records.append(_record(row, body))
        used.update((grant.number, day, item) for item in (WHOLE, *had(grant, body or {})))
    add_use(connection, used)
    return Pulled(records, max(end, wanted.after) if whole else rows[-1]["id"], whole)


def _allowed(connection: Connection, grant: Grant, many: int, at: datetime) -> int:
    if grant.per_day is None or not many:
        return many
    day = beijing_day(at).isoformat()
    return lease(connection, grant=grant.number, day=day, most=many, per_day=grant.per_day)


def _rows(connection: Connection, grant: Grant, wanted: Wanted, end: int) -> Sequence[RowMapping]:
    since = grant.since
    if wanted.after:
        # So that the database need not look at partitions that were read long ago.
        seen = connection.scalar(select(c.at).where(c.id == wanted.after))
        since = max(since, seen - CLOCKS) if seen else since
    query = (
        select(c.id, c.at, c.message_id, c.operation, c.subject, c.source, c.version)
        .where(
            c.id > wanted.after,
            c.id <= end,
            c.event == Event.MESSAGE_PUBLISHED.value,
            c.resource == grant.resource,
            c.source != grant.system,
            c.at >= since,
        )
        .order_by(c.id)
        .limit(wanted.limit)
    )
    if wanted.subject:
        query = query.where(c.subject == wanted.subject)
    return connection.execute(query).mappings().all()


def _record(row: RowMapping, body: Body | None) -> dict[str, Any]:
    return {
        "id": row["message_id"],
        "operation": row["operation"],
        "subject": row["subject"],
        "source": row["source"],
        "version": row["version"],
        "time": row["at"].isoformat(timespec="milliseconds"),
        "body": body,
    }
