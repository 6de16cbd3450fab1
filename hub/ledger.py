"""The ledger (流水): an append-only row for everything that happened to every message.

The broker copies each message and receipt to the ledger's queue (wire tap); the hot path
pays nothing. Here they become rows, in batches, each acknowledged after its commit.

Promises   a row is kept once, by its key, however often its message is delivered
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, tuple_, update

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.crypto import Seal
from hub.envelope import decode_message, decode_receipts, encode_body
from hub.failures import parked
from hub.ids import trace_id
from hub.store import Store, insert_once
from hub.store.tables import failures, ledger, payloads
from hub.topology import LEDGER, STREAMS
from schemas.errors import Rejected, Transient
from schemas.receipt import Event, Receipt

__all__ = ["LedgerWriter"]

BATCH, PREFETCH = 400, 1000
RESOLVES = {
    Event.DELIVERY_DONE: "route",
    Event.DELIVERY_LEFT_OUT: "route",
    Event.SERVICE_DONE: "service",
    Event.RECORD_ACCEPTED: "intake",
}
log = structlog.get_logger("hub.ledger")


class LedgerWriter:
    """*changed* is called after each commit with the events it held: the live page listens."""

    def __init__(
        self,
        broker: Broker,
        store: Store,
        seal: Seal,
        clock: Callable[[], datetime],
        changed: Callable[[frozenset[Event]], None] = lambda _: None,
    ) -> None:
        self._broker, self._store, self._seal, self._clock = broker, store, seal, clock
        self._changed = changed

    async def run(self) -> None:
        async with (
            self._broker.publisher() as publisher,
            self._broker.consumer(LEDGER, prefetch=PREFETCH) as consumer,
        ):
            while True:
                batch = await consumer.batch(BATCH)
                await self._write(batch, publisher)
                await acknowledge(batch, in_order=True)

    async def _write(self, batch: Sequence[Incoming], publisher: Publisher) -> None:
        rows: list[dict[str, Any]] = []
        bodies: list[dict[str, Any]] = []
        unreadable: list[Outgoing] = []
        for incoming in batch:
            try:
                self._broker.check(incoming)
                self._read(incoming, rows, bodies)
            except Rejected as error:
                log.warning("ledger.unreadable", exchange=incoming.exchange, code=error.code)
                at = self._clock()
                unreadable.append(parked(incoming, error, stage="ledger", at=at, attempts=1))
        wait = 0.5
        while True:
            try:
                await publisher.publish_all(unreadable)
                await self._store.write(lambda connection: _keep(connection, rows, bodies))
            except Transient as error:
                log.warning("ledger.waiting", code=error.code, seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 15)
            else:
                self._changed(frozenset(Event(row["event"]) for row in rows))
                return

    def _read(
        self, incoming: Incoming, rows: list[dict[str, Any]], bodies: list[dict[str, Any]]
    ) -> None:
        if incoming.exchange == STREAMS:
            message = decode_message(incoming.headers, incoming.body)
            at = self._clock()
            rows.append(
                _row(
                    Receipt(
                        key=f"{message.id}.{Event.MESSAGE_PUBLISHED}",
                        event=Event.MESSAGE_PUBLISHED,
                        at=at,
                        message_id=message.id,
                        record_id=str(incoming.headers.get("x-record", "")),
                        source=message.source,
                        resource=message.resource,
                        operation=message.operation,
                        subject=message.subject,
                        trace=trace_id(message.traceparent),
                        digest=message.digest,
                    )
                )
            )
            sealed = self._seal.seal(encode_body(message.body))
            bodies.append({"message_id": message.id, "at": at, "sealed": sealed})
        else:
            rows += map(_row, decode_receipts(incoming.body))


_COPIED = (
    "key",
    "at",
    "message_id",
    "record_id",
    "source",
    "resource",
    "operation",
    "subject",
    "route",
    "system",
    "attempt",
    "code",
    "number",
    "took_ms",
    "trace",
    "digest",
    "by",
)


def _row(receipt: Receipt) -> dict[str, Any]:
    return {
        **{name: getattr(receipt, name) for name in _COPIED},
        "event": receipt.event.value,
        "faults": [{"code": f.code, "at": f.at, "facts": f.facts} for f in receipt.faults],
        "doubts": [{"code": f.code, "at": f.at, "facts": f.facts} for f in receipt.doubts],
    }


def _keep(
    connection: Connection, rows: Sequence[dict[str, Any]], bodies: Sequence[dict[str, Any]]
) -> None:
    if rows:
        connection.execute(insert_once(connection, ledger), rows)
    if bodies:
        connection.execute(insert_once(connection, payloads), bodies)
    done = [
        (row["message_id"], RESOLVES[Event(row["event"])], row["route"])
        for row in rows
        if Event(row["event"]) in RESOLVES
    ]
    if done:
        place = tuple_(failures.c.message_id, failures.c.stage, failures.c.route)
        connection.execute(
            update(failures)
            .where(place.in_(done), failures.c.state.in_(("waiting", "retrying")))
            .values(state="resolved")
        )
