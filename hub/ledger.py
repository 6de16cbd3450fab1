"""The ledger (流水): an append-only row for everything that happened to every message.

Copies of all messages (`hub.tap`) and all receipts come to the ledger's queue. Here they become rows,
in batches, each acknowledged after its commit: while one batch is being written, the next is read,
compressed and sealed.

Promises   a row is kept once, by its key, however often its message is delivered, and whatever dies
           between any two steps
Careful    several processes may write: they take turns (`hub.store.append`)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from msgspec.structs import asdict
from sqlalchemy import Connection, bindparam, or_, select, update

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.crypto import Seal
from hub.envelope import decode_envelope, decode_receipts
from hub.failures import parked
from hub.ids import trace_id
from hub.payloads import compressed, unpacked_size
from hub.store import Store
from hub.store.append import Row, append, fitted
from hub.store.partitions import By
from hub.store.tables import failures
from hub.tap import copies
from hub.topology import LEDGER, TAP
from schemas.errors import Rejected, Transient
from schemas.receipt import Event, Receipt

__all__ = ["LedgerWriter"]

BATCH, BATCHES_READ = 500, 2
PREFETCH = BATCH * (BATCHES_READ + 2)
PORTION_BYTES = 2 * 1_048_576
AGAIN_FIRST_S, AGAIN_LAST_S = 0.5, 15.0
RESOLVES = {
    Event.DELIVERY_DONE: "route",
    Event.DELIVERY_LEFT_OUT: "route",
    Event.DELIVERY_REPLACED: "route",
    Event.SERVICE_DONE: "service",
    Event.RECORD_ACCEPTED: "intake",
    Event.RECORD_REPEATED: "intake",
}
PARAMETERS = 900
log = structlog.get_logger("hub.ledger")


@dataclass(slots=True)
class _Read:
    """What a batch says: rows, sealed bodies by digest, and what could not be read."""

    batch: Sequence[Incoming]
    rows: list[Row] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    unreadable: list[tuple[Incoming, Rejected]] = field(default_factory=list)


class LedgerWriter:
    """*changed* is called after each commit with the events it held: the live page listens. *by*:
    how long a partition is."""

    def __init__(
        self,
        broker: Broker,
        store: Store,
        seal: Seal,
        clock: Callable[[], datetime],
        changed: Callable[[frozenset[Event]], None] = lambda _: None,
        by: By = "month",
    ) -> None:
        self._broker, self._store, self._seal, self._clock = broker, store, seal, clock
        self._changed, self._by = changed, by

    async def run(self) -> None:
        read: asyncio.Queue[_Read] = asyncio.Queue(BATCHES_READ)
        async with (
            self._broker.publisher() as publisher,
            self._broker.consumer(LEDGER, prefetch=PREFETCH) as consumer,
            asyncio.TaskGroup() as stages,
        ):
            stages.create_task(self._writing(read, publisher))
            while True:
                for portion in _portions(await consumer.batch(BATCH)):
                    await read.put(
                        await asyncio.to_thread(_read, portion, self._seal, self._broker.check)
                    )

    async def _writing(self, read: asyncio.Queue[_Read], publisher: Publisher) -> None:
        while True:
            told = await read.get()
            await self._write(told, publisher)
            await acknowledge(told.batch, in_order=True)

    async def _write(self, read: _Read, publisher: Publisher) -> None:
        now = self._clock()
        unreadable = [_aside(incoming, error, now) for incoming, error in read.unreadable]
        wait_s = AGAIN_FIRST_S
        while True:
            try:
                await publisher.publish_all(unreadable)
                await self._store.write(lambda connection: self._keep(connection, read))
            except Transient as error:
                log.warning("ledger.waiting", code=error.code, seconds=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, AGAIN_LAST_S)
            else:
                self._changed(frozenset(Event(row["event"]) for row in read.rows))
                return

    def _keep(self, connection: Connection, read: _Read) -> None:
        append(connection, read.rows, read.bodies, now=self._clock(), by=self._by)
        _resolve(connection, read.rows)


def _aside(incoming: Incoming, error: Rejected, now: datetime) -> Outgoing:
    log.warning("ledger.unreadable", exchange=incoming.exchange, code=error.code)
    return parked(incoming, error, stage="ledger", at=now, attempts=1)


def _portions(batch: Sequence[Incoming]) -> Iterator[Sequence[Incoming]]:
    """As much as is read and written at once, by what it holds: one message can be the copies of
    hundreds. A transaction costs as much as some hundred rows, so it takes a few thousand."""
    some: list[Incoming] = []
    size = 0
    for incoming in batch:
        some.append(incoming)
        size += unpacked_size(incoming.body) if incoming.exchange == TAP else len(incoming.body)
        if size >= PORTION_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _read(batch: Sequence[Incoming], seal: Seal, check: Callable[[Incoming], None]) -> _Read:
    """In a thread of its own: compressing and sealing take longer than all the rest. One step for
    all of them, then the next, as in `hub.convert`."""
    read = _Read(batch)
    bodies: dict[str, bytes] = {}
    for incoming in batch:
        try:
            check(incoming)
            if incoming.exchange == TAP:
                for headers, body in copies(incoming):
                    row = _published(headers, body)
                    read.rows.append(row)
                    bodies[row["digest"]] = body
            else:
                read.rows += map(_row, decode_receipts(incoming.body))
        except Rejected as error:
            read.unreadable.append((incoming, error))
    small = {digest: compressed(body) for digest, body in bodies.items()}
    read.bodies |= {digest: seal.seal(content) for digest, content in small.items()}
    return read


def _published(headers: Mapping[str, Any], body: bytes) -> Row:
    """The row of a message on its stream. Its time is the message's own: the same however often and
    however late it is read."""
    message = decode_envelope(headers, body)
    row = _row(
        Receipt(
            key=f"{message.id}.{Event.MESSAGE_PUBLISHED}",
            event=Event.MESSAGE_PUBLISHED,
            at=message.time,
            message_id=message.id,
            record_id=str(headers.get("x-record", "")),
            source=message.source,
            resource=message.resource,
            operation=message.operation,
            subject=message.subject,
            trace=trace_id(message.traceparent),
            digest=message.digest,
        )
    )
    row["envelope"] = {
        "dataschema": message.dataschema,
        "region": message.region,
        "sequence": message.sequence,
        "subject": message.subject,
        "traceparent": message.traceparent,
    }
    return row


def _row(receipt: Receipt) -> Row:
    row: Row = asdict(receipt)
    row["event"] = receipt.event.value
    row["faults"] = [{"code": f.code, "at": f.at, "facts": f.facts} for f in receipt.faults]
    row["doubts"] = [{"code": f.code, "at": f.at, "facts": f.facts} for f in receipt.doubts]
    row["envelope"] = None
    return fitted(row)


# Not IN: a list of many cannot be filled in for many rows at once.
_WAITING = or_(failures.c.state == "waiting", failures.c.state == "retrying")
_ANY_WAITING = select(failures.c.id).where(_WAITING).limit(1)
_DONE = (
    update(failures)
    .where(
        failures.c.message_id == bindparam("of"),
        failures.c.stage == bindparam("at_stage"),
        failures.c.route == bindparam("on_route"),
        _WAITING,
    )
    .values(state="resolved")
)


def _resolve(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What was done at last is no failure any more."""
    done = {
        (row["message_id"], stage, row["route"])
        for row in rows
        if (stage := RESOLVES.get(row["event"]))
    }
    # Nearly always nothing waits: one look is cheaper than comparing every row.
    if not done or not connection.execute(_ANY_WAITING).first():
        return
    c = failures.c
    ids = sorted({message_id for message_id, _, _ in done})
    waiting: set[tuple[str, str, str]] = set()
    for start in range(0, len(ids), PARAMETERS):
        some = c.message_id.in_(ids[start : start + PARAMETERS])
        query = select(c.message_id, c.stage, c.route).where(some, _WAITING)
        waiting |= {(row[0], row[1], row[2]) for row in connection.execute(query)}
    if over := sorted(waiting & done):
        connection.execute(
            _DONE, [{"of": of, "at_stage": stage, "on_route": route} for of, stage, route in over]
        )
