"""Intake → stream: dedupe, map, validate, stamp, publish confirmed, and only then acknowledge.

Promises   a record leads to its messages once, by its sender's key, however often it comes; nothing
           is lost: what cannot pass stands in the failure store before its record is acknowledged;
           messages are published in the order of their records
Careful    the key is claimed before publishing, under the record's own id. A crash in between is
           harmless: the same record comes again with the same id, finds its own claim, and goes on
Form       three stages that work side by side, batch by batch, in order: convert (processor), claim
           and publish (database), wait for confirms and acknowledge (broker)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.convert import Converted, convert
from hub.crypto import sm3
from hub.envelope import Taken, decode_taken, encode_message, encode_receipts
from hub.failures import parked
from hub.ids import trace_id
from hub.plan import Plan
from hub.recover import faults_of
from hub.store import Store
from hub.store.claims import Claim, claim
from hub.topology import PIPELINE, RECEIPTS, STREAMS
from schemas.errors import Fault, HubError, Rejected, Transient
from schemas.receipt import Event, Receipt

__all__ = ["Pipeline", "published"]

BATCH, BATCHES_WAITING, BATCHES_UNCONFIRMED = 200, 2, 6
PREFETCH = BATCH * (BATCHES_WAITING + BATCHES_UNCONFIRMED + 2)
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


@dataclass(frozen=True, slots=True)
class _Published:
    """A batch that was written to the broker; *done* when all it led to is confirmed."""

    batch: Sequence[Incoming]
    done: asyncio.Future[None]


class Pipeline:
    def __init__(
        self, broker: Broker, store: Store, plan: Plan, clock: Callable[[], datetime]
    ) -> None:
        self._broker, self._store, self._plan, self._clock = broker, store, plan, clock

    def use(self, plan: Plan) -> None:
        """Convert by *plan* from the next batch on."""
        self._plan = plan

    async def run(self) -> None:
        """Work until cancelled. A database that is away is waited for, batch in hand; a broker that
        is away ends it, and every batch comes again."""
        converted: asyncio.Queue[list[_Work]] = asyncio.Queue(BATCHES_WAITING)
        unconfirmed: asyncio.Queue[_Published] = asyncio.Queue(BATCHES_UNCONFIRMED)
        async with (
            self._broker.publisher() as publisher,
            self._broker.consumer(PIPELINE, prefetch=PREFETCH) as consumer,
            asyncio.TaskGroup() as stages,
        ):
            stages.create_task(self._publishing(converted, publisher, unconfirmed))
            stages.create_task(self._settling(publisher, unconfirmed))
            while True:
                batch = await consumer.batch(BATCH)
                await converted.put([self._convert(incoming) for incoming in batch])

    async def _publishing(
        self,
        converted: asyncio.Queue[list[_Work]],
        publisher: Publisher,
        unconfirmed: asyncio.Queue[_Published],
    ) -> None:
        while True:
            works = await converted.get()
            await self._claim(works)
            try:
                done = await publisher.sent(self._outgoing(works))
            except Rejected:
                await self._set_aside(works, publisher)
                done = await publisher.sent(self._outgoing(works))
            await unconfirmed.put(_Published([work.incoming for work in works], done))

    def _outgoing(self, works: Sequence[_Work]) -> list[Outgoing]:
        """A receipt tells of messages written before it; confirmed they are together."""
        return [*self._led_to(works), *self._receipts(works)]

    async def _set_aside(self, works: Sequence[_Work], publisher: Publisher) -> None:
        """Poison: a record whose message fits no frame, by a region or subject too long for a key
        or header. It goes to the failure store alone."""
        for work in works:
            try:
                await publisher.check(self._led_to([work]))
            except Rejected as error:
                log.warning("record.unsendable", code=error.code)
                work.error = error

    async def _settling(self, publisher: Publisher, unconfirmed: asyncio.Queue[_Published]) -> None:
        while True:
            published = await unconfirmed.get()
            await publisher.confirmed(published.done)
            await acknowledge(published.batch, in_order=True)

    def _convert(self, incoming: Incoming) -> _Work:
        work = _Work(incoming)
        try:
            self._broker.check(incoming)
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
        claims = [
            Claim(
                work.taken.system,
                work.taken.record.kind,
                _bounded(work.taken.record.key or work.taken.id),
                work.taken.id,
            )
            for work in works
            if work.taken and work.converted
        ]
        if not claims:
            return
        first = await self._claimed(claims)
        for work in works:
            if work.taken and work.converted:
                work.first_id = first[work.taken.id]

    async def _claimed(self, claims: Sequence[Claim]) -> Mapping[str, str]:
        wait = 0.5
        while True:
            try:
                return await self._store.write(partial(claim, claims=claims, at=self._clock()))
            except Transient as error:
                log.warning("pipeline.waiting", code=error.code, seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 15)

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
        told = [receipt for work in works for receipt in _told(work, at)]
        return [Outgoing(RECEIPTS, "record", encode_receipts(told))] if told else []


def published(receipt: Receipt) -> Outgoing:
    """*receipt* as a message to the hub's receipts."""
    return Outgoing(RECEIPTS, receipt.event.value, encode_receipts((receipt,)))


def _receipt(  # noqa: PLR0913 - a receipt has as many facts
    taken: Taken,
    event: Event,
    at: datetime,
    *,
    code: str = "",
    faults: tuple[Fault, ...] = (),
    doubts: tuple[Fault, ...] = (),
    subject: str = "",
    number: str = "",
) -> Receipt:
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
        code=code,
        faults=faults,
        doubts=doubts,
        subject=subject,
        number=number,
    )


def _told(work: _Work, at: datetime) -> Iterator[Receipt]:
    """That the record came, and what became of it."""
    taken = work.taken
    if taken is None:
        return
    yield _receipt(taken, Event.RECORD_RECEIVED, taken.received_at)
    if work.error is not None:
        code = work.error.code if isinstance(work.error, HubError) else "hub.bug"
        faults = faults_of(work.error)
        yield _receipt(taken, Event.RECORD_REJECTED, at, code=code, faults=faults)
    elif work.first_id != taken.id:
        yield _receipt(taken, Event.RECORD_REPEATED, at, number=work.first_id or "")
    elif work.converted is not None:
        messages = work.converted.messages
        subjects = {message.subject for message in messages}
        yield _receipt(
            taken,
            Event.RECORD_ACCEPTED,
            at,
            doubts=work.converted.doubts,
            subject=subjects.pop() if len(subjects) == 1 else "",
            number=str(len(messages)),
        )


def _bounded(key: str) -> str:
    return key if len(key) <= KEY_LENGTH else sm3(key.encode())
