"""Recorded messages, from the ledger and its bodies: as they stood on their stream, in order.

Promises   memory is bounded: a page at a time, from a place on
Careful    a body may have been dropped before its row, and rows of before 0.2 lack a part of their
           envelope: such a message comes without a body
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, literal, select, tuple_

from hub.crypto import Seal, sm3
from hub.envelope import CE
from hub.payloads import unpacked
from hub.search import place, placed
from hub.store.replays import Job
from hub.store.tables import Moment, ledger, payloads
from schemas.errors import Misconfigured
from schemas.receipt import Event

__all__ = ["Recorded", "count", "page", "recorded"]

c = ledger.c


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message as it was published; *body* is None where it is not kept any more. *position*: its
    place in what it was read from."""

    position: str
    headers: dict[str, Any]
    body: bytes | None


def count(connection: Connection, job: Job) -> tuple[int, int]:
    """How many messages *job* means, and how many of them have their body and envelope."""
    query = select(
        func.count(), func.count().filter(payloads.c.digest.is_not(None), _has_envelope())
    )
    row = connection.execute(query.select_from(_joined()).where(_meant(job))).one()
    return row[0], row[1]


def page(connection: Connection, job: Job, limit: int) -> Sequence[RowMapping]:
    """Rows after the job's position, with their sealed bodies."""
    query = select(ledger, payloads.c.sealed).select_from(_joined()).where(_meant(job))
    if job.position:
        at, row_id = placed(job.position)
        query = query.where(
            c.at >= at, tuple_(c.at, c.id) > tuple_(literal(at, Moment), literal(row_id))
        )
    return connection.execute(query.order_by(c.at, c.id).limit(limit)).mappings().all()


def recorded(row: RowMapping, seal: Seal) -> Recorded:
    """Raises `Misconfigured` where the body is not the one whose digest stands in the ledger."""
    envelope = row["envelope"]
    if envelope is None or row["sealed"] is None:
        return Recorded(place(row), {f"{CE}id": row["message_id"]}, None)
    body = unpacked(row["sealed"], seal)
    if sm3(body) != row["digest"]:
        raise Misconfigured("crypto.sealed", "Not the body of this message")
    headers = {
        f"{CE}specversion": "1.0",
        f"{CE}id": row["message_id"],
        f"{CE}source": row["source"],
        f"{CE}type": f"{row['resource']}.{row['operation']}",
        f"{CE}subject": envelope["subject"],
        f"{CE}time": row["at"].isoformat(),
        f"{CE}dataschema": envelope["dataschema"],
        f"{CE}traceparent": envelope["traceparent"],
        f"{CE}sequence": envelope["sequence"],
        f"{CE}digest": row["digest"],
        f"{CE}region": envelope["region"],
        "x-record": row["record_id"],
    }
    return Recorded(place(row), headers, body)


def _joined() -> Any:
    held = and_(payloads.c.part == c.part, payloads.c.digest == c.digest)
    return ledger.outerjoin(payloads, held)


def _meant(job: Job) -> Any:
    return and_(
        c.event == Event.MESSAGE_PUBLISHED.value,
        c.resource == job.resource,
        c.at >= job.since,
        c.at < job.until,
    )


def _has_envelope() -> Any:
    # Taken over from before, it is NULL; JSON's own null is never written.
    return c.envelope.is_not(None)
