"""Intake → stream: dedupe, map, validate, stamp, publish confirmed, and only then acknowledge.

Promises   a record leads to its messages once, by its sender's key, however often it comes; nothing
           is lost: what cannot pass stands in the failure store before its record is acknowledged
Careful    the key is claimed before publishing, under the record's own id. A crash in between is
           harmless: the same record comes again with the same id, finds its own claim, and goes on
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection, select, tuple_

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.convert import Converted, convert
from hub.crypto import sm3
from hub.envelope import Taken, decode_taken, encode_message, encode_receipt
from hub.failures import parked
from hub.ids import trace_id
from hub.plan import Plan
from hub.recover import faults_of
from hub.store import Store, insert_once
from hub.store.tables import intake_keys
from hub.topology import PIPELINE, RECEIPTS, STREAMS
from schemas.errors import HubError, Transient
from schemas.receipt import Event, Receipt

__all__ = ["Pipeline", "published", "receipt_of"]

BATCH = 100
PREFETCH = 300
KEY_LENGTH = 160
log = structlog.get_logger("hub.pipeline")


@dataclass(slots=True)
class _Work:
    """One message of the batch on its way: what it is, what became of it."""

    incoming: Incoming
    taken: Taken | None = None
    converted: Converted | None = None
    error: Exception | None = None
    first_id: str | None = None  # the record that came first under the same key


class Pipeline:
    def __init__(
        self, broker: Broker, store: Store, plan: Plan, clock: Callable[[], datetime]
    ) -> None:
        self._broker, self._store, self._plan, self._clock = broker, store, plan, clock

    async def run(self) -> None:
        """Work until cancelled. A database or broker that is away is waited for, batch in hand."""
        async with (
            self._broker.publisher() as publisher,
            self._broker.consumer(PIPELINE, prefetch=PREFETCH) as consumer,
        ):
            while True:
                batch = await consumer.batch(BATCH)
                await self._pass(batch, publisher)
                await acknowledge(batch, in_order=True)

    async def _pass(self, batch: Sequence[Incoming], publisher: Publisher) -> None:
        works = [self._convert(incoming) for incoming in batch]
        wait = 0.5
        while True:
            try:
                await self._claim(works)
                await publisher.publish_all(self._led_to(works))
                await publisher.publish_all(self._receipts(works))
            except Transient as error:
                log.warning("pipeline.waiting", code=error.code, seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 15)
            else:
                return

    def _convert(self, incoming: Incoming) -> _Work:
        work = _Work(incoming)
        try:
            work.taken = decode_taken(incoming.headers, incoming.body)
            work.converted = convert(work.taken, self._plan)
        except HubError as error:
            work.error = error
        except Exception as error:
            # Our bug, or poison: this record alone goes to the failure store, the rest goes on.
            log.exception("pipeline.bug", error=type(error).__name__)
            work.error = error
        return work

    async def _claim(self, works: Sequence[_Work]) -> None:
        """Claim each good record's key; who came first under it keeps it."""
        at = self._clock()
        rows = [
            {
                "source": work.taken.system,
                "kind": work.taken.record.kind,
                "key": _bounded(work.taken.record.key or work.taken.id),
                "record_id": work.taken.id,
                "at": at,
            }
            for work in works
            if work.taken and work.converted
        ]
        if not rows:
            return
        first = await self._store.write(lambda connection: _claim_keys(connection, rows))
        for work in works:
            if work.taken and work.converted:
                key = _bounded(work.taken.record.key or work.taken.id)
                work.first_id = first[work.taken.system, work.taken.record.kind, key]

    def _led_to(self, works: Iterable[_Work]) -> list[Outgoing]:
        out: list[Outgoing] = []
        for work in works:
            if work.error is not None:
                out.append(
                    parked(work.incoming, work.error, stage="intake", at=self._clock(), attempts=1)
                )
            elif work.taken and work.converted and work.first_id == work.taken.id:
                for message in work.converted.messages:
                    headers, body = encode_message(message, work.taken.id)
                    key = f"{message.type}.{message.region}"
                    out.append(Outgoing(STREAMS, key, body, headers))
        return out

    def _receipts(self, works: Iterable[_Work]) -> list[Outgoing]:
        at = self._clock()
        return [published(r) for work in works if (r := _receipt(work, at)) is not None]


def published(receipt: Receipt) -> Outgoing:
    """*receipt* as a message to the hub's receipts."""
    return Outgoing(RECEIPTS, receipt.event.value, encode_receipt(receipt))


def receipt_of(taken: Taken, event: Event, at: datetime) -> Receipt:
    return Receipt(
        key=f"{taken.id}.{event}",
        event=event,
        at=at,
        message_id=taken.id,
        record_id=taken.id,
        source=taken.system,
        resource=taken.record.kind,
        operation=taken.canonical or "",
        trace=trace_id(taken.traceparent),
    )


def _receipt(work: _Work, at: datetime) -> Receipt | None:
    if work.taken is None:
        return None
    if work.error is not None:
        told = receipt_of(work.taken, Event.RECORD_REJECTED, at)
        code = work.error.code if isinstance(work.error, HubError) else "hub.bug"
        return replace(told, code=code, faults=faults_of(work.error))
    if work.first_id != work.taken.id:
        told = receipt_of(work.taken, Event.RECORD_REPEATED, at)
        return replace(told, number=work.first_id or "")
    if work.converted is None:
        return None
    told = receipt_of(work.taken, Event.RECORD_ACCEPTED, at)
    subjects = {message.subject for message in work.converted.messages}
    return replace(
        told,
        subject=subjects.pop() if len(subjects) == 1 else "",
        number=str(len(work.converted.messages)),
        doubts=work.converted.doubts,
    )


def _bounded(key: str) -> str:
    return key if len(key) <= KEY_LENGTH else sm3(key.encode())


def _claim_keys(
    connection: Connection, rows: Sequence[dict[str, object]]
) -> dict[tuple[str, str, str], str]:
    connection.execute(insert_once(connection, intake_keys), rows)
    key = (intake_keys.c.source, intake_keys.c.kind, intake_keys.c.key)
    wanted = [(row["source"], row["kind"], row["key"]) for row in rows]
    found = connection.execute(
        select(*key, intake_keys.c.record_id).where(tuple_(*key).in_(wanted))
    )
    return {(source, kind, key): record_id for source, kind, key, record_id in found}
