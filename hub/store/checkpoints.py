"""Checkpoints: how far a partition's chain had got at a time, kept when the partition is gone.

Whoever can rewrite a whole partition, heads and all, still has to rewrite every checkpoint after it.

Form       chained = SM3(the checkpoint before ‖ a JSON list of form, partition, rows, link, time in
           microseconds, closing); ``signature`` is the place for an SM2 signature of ``chained``
Not here   signing: the hub has no SM2 keys as yet, so ``signature`` is empty
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import Connection, insert, select

from hub.crypto import sm3_bytes
from hub.store.partitions import Head
from hub.store.tables import ledger_checkpoints

__all__ = ["FIRST", "Checkpoint", "checkpoint", "checkpoints", "next_link"]

FORM = 1
FIRST = sm3_bytes(b"shuniu checkpoints %d" % FORM)
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
c = ledger_checkpoints.c


@dataclass(frozen=True, slots=True)
class Checkpoint:
    id: int
    part: str
    rows: int
    link: bytes
    at: datetime
    closing: bool
    chained: bytes


def checkpoint(connection: Connection, head: Head, at: datetime, *, closing: bool = False) -> bool:
    """Keep where *head* stands; False where that is kept already. The ledger must be locked."""
    last = next(checkpoints(connection, head.name, newest=True), None)
    if last and (last.closing or (last.rows == head.rows and not closing)):
        return False
    if not head.rows and not closing:
        return False
    before = connection.scalar(select(c.chained).order_by(c.id.desc()).limit(1))
    row = {
        "part": head.name,
        "rows": head.rows,
        "link": head.link,
        "at": at,
        "closing": closing,
        "chained": next_link(before or FIRST, head.name, head.rows, head.link, at, closing=closing),
        "signature": None,
        "signed_by": "",
    }
    connection.execute(insert(ledger_checkpoints), row)
    return True


def checkpoints(
    connection: Connection, part: str = "", *, newest: bool = False
) -> Iterator[Checkpoint]:
    """In their order, or the *newest* first; of *part* alone where it is told."""
    order = c.id.desc() if newest else c.id
    query = select(c.id, c.part, c.rows, c.link, c.at, c.closing, c.chained).order_by(order)
    if part:
        query = query.where(c.part == part)
    for row in connection.execute(query.limit(1) if newest else query):
        yield Checkpoint(*row)


def next_link(
    before: bytes, part: str, rows: int, link: bytes, at: datetime, *, closing: bool
) -> bytes:
    told = [FORM, part, rows, link.hex(), (at - _EPOCH) // _MICROSECOND, closing]
    return sm3_bytes(before + orjson.dumps(told))
