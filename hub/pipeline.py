"""Intake → stream: dedupe, map, validate, stamp, publish confirmed, and only then acknowledge.

Promises   a record leads to its messages once, by its sender's key, however often it comes; nothing
           is lost: what cannot pass stands in the failure store before its record is acknowledged;
           messages are published in the order of their records
Careful    the key is claimed before publishing, under the record's own id. A crash in between is
           harmless: the same record comes again with the same id, finds its own claim, and goes on
Form       four stages that work side by side, batch by batch, in order: convert (processor), claim
           (database), publish (processor), wait for confirms and acknowledge (broker)
Careful    batches are claimed side by side, but for those that have a key in common: of its records the
           first one keeps it
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.convert import STEPS, Conversion, Step
from hub.crypto import sm3
from hub.envelope import decode_taken, encode_message, encode_receipts, receipts_in_lots
from hub.failures import parked
from hub.ids import trace_id
from hub.plan import Plan
from hub.recover import faults_of
from hub.shard_consumer import shards
from hub.shard_keys import waits
from hub.shard_shares import Shares
from hub.store import Store
from hub.store.claims import Claim, claim
from hub.suspects import Suspects, is_suspect
from hub.tap import tapped
from hub.topology import PIPELINE, PIPELINE_BULK, RECEIPTS, STREAMS, STREAMS_BULK
from schemas.errors import Fault, HubError, Rejected, Transient
from schemas.message import MessageId, Operation, SystemCode
from schemas.receipt import Event, Receipt

__all__ = ["Pipeline", "published"]

T = TypeVar("T")
BATCH, BATCHES_WAITING, BATCHES_CLAIMED, BATCHES_UNCONFIRMED = 200, 2, 2, 6
# Converted together: many for a step's code to stay at hand, few for their bodies to stay there too.
AT_ONCE = 25
KEY_LENGTH = 160
log = structlog.get_logger("hub.pipeline")


class _Head(Struct, frozen=True):
    """What claims and receipts tell of a record."""

    id: MessageId
    system: SystemCode
    kind: str
    key: str
    received_at: datetime
    traceparent: str
    canonical: Operation | None


@dataclass(slots=True)
class _Work:
    """One message of the batch on its way: what it is, what became of it. *conversion* and all that
    it holds goes as soon as *made*, what is to be published, is there."""

    incoming: Incoming
    head: _Head | None = None
    conversion: Conversion | None = None
    made: Sequence[Outgoing] = ()
    doubts: Sequence[Fault] = ()
    subject: str = ""  # where all that was made has the same
    error: Exception | None = None
    first_id: str | None = None  # the record that came first under the same key
    version: str = ""  # of the intake


@dataclass(frozen=True, slots=True)
class _Claiming:
    """A batch whose keys are being claimed; *done* when they are."""

    works: list[_Work]
    keys: frozenset[tuple[str, str, str]]
    done: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class _Published:
    """A batch that was written to the broker: the *last* message of each channel that it came on;
    *done* when all that the batch led to is confirmed."""

    last: Sequence[Incoming]
    done: asyncio.Future[None]


class Pipeline:
    def __init__(
        self,
        broker: Broker,
        store: Store,
        plan: Plan,
        clock: Callable[[], datetime],
        suspects: Suspects,
    ) -> None:
        self._broker, self._store, self._plan, self._clock = broker, store, plan, clock
        self._suspects = suspects
        self._shares = Shares(store, clock)

    def use(self, plan: Plan) -> None:
        """Convert by *plan* from the next batch on."""
        self._plan = plan

    async def run(self) -> None:
        """Work until cancelled. A database that is away is waited for, batch in hand; a broker that
        is away ends it, and every batch comes again."""
        converted: asyncio.Queue[list[_Work]] = asyncio.Queue(BATCHES_WAITING)
        claimed: asyncio.Queue[_Claiming] = asyncio.Queue(BATCHES_CLAIMED)
        unconfirmed: asyncio.Queue[_Published] = asyncio.Queue(BATCHES_UNCONFIRMED)
        async with (
            self._broker.publisher(lasting=False) as publisher,
            shards(self._broker, PIPELINE, later=(PIPELINE_BULK,)) as consumer,
            asyncio.TaskGroup() as stages,
        ):
            stages.create_task(consumer.tend())
            stages.create_task(self._shares.keep(consumer))
            stages.create_task(self._claiming(converted, claimed))
            stages.create_task(self._publishing(claimed, publisher, unconfirmed))
            stages.create_task(self._settling(publisher, unconfirmed))
            while True:
                batch = await consumer.batch(BATCH)
                if is_suspect(batch[0]):
                    async with self._suspects.noted(sm3(batch[0].body)) as suspect:
                        gone = await suspect.given_up(batch[0], self._broker.check)
                        works = [_Work(batch[0], error=gone)] if gone else self._converted(batch)
                        await converted.put(works)
                        await consumer.done()
                else:
                    await converted.put(self._converted(batch))

    async def _claiming(
        self, converted: asyncio.Queue[list[_Work]], claimed: asyncio.Queue[_Claiming]
    ) -> None:
        under_way: list[_Claiming] = []
        async with asyncio.TaskGroup() as claims:
            while True:
                works = await converted.get()
                good = [(work, _claimed(head)) for work, head in _good(works)]
                keys = frozenset((each.source, each.kind, each.key) for _, each in good)
                under_way = [each for each in under_way if not each.done.done()]
                await asyncio.gather(*(each.done for each in under_way if each.keys & keys))
                claiming = _Claiming(works, keys, claims.create_task(self._claim(good)))
                under_way.append(claiming)
                await claimed.put(claiming)

    async def _publishing(
        self,
        claimed: asyncio.Queue[_Claiming],
        publisher: Publisher,
        unconfirmed: asyncio.Queue[_Published],
    ) -> None:
        while True:
            claiming = await claimed.get()
            await claiming.done
            works = claiming.works
            try:
                done = await publisher.sent(self._outgoing(works))
            except Rejected:
                await self._set_aside(works, publisher)
                done = await publisher.sent(self._outgoing(works))
            last = {id(work.incoming.channel): work.incoming for work in works}
            await unconfirmed.put(_Published(list(last.values()), done))

    def _outgoing(self, works: Sequence[_Work]) -> list[Outgoing]:
        """Receipts and copies tell of messages written before them; confirmed they are together."""
        led_to = self._led_to(works)
        published = [each for each in led_to if each.exchange in (STREAMS, STREAMS_BULK)]
        return [*led_to, *tapped(published), *self._receipts(works)]

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
            await acknowledge(published.last, in_order=True)

    def _converted(self, batch: Sequence[Incoming]) -> list[_Work]:
        works, plan = [_Work(incoming) for incoming in batch], self._plan
        steps: list[Callable[[_Work], None]] = [self._check, partial(_decode, plan)]
        steps += [partial(_convert, step, plan) for step in STEPS]
        steps.append(_finish)
        for first in range(0, len(works), AT_ONCE):
            _through(steps, works[first : first + AT_ONCE])
        return works

    def _check(self, work: _Work) -> None:
        self._broker.check(work.incoming)

    async def _claim(self, good: Sequence[tuple[_Work, Claim]]) -> None:
        """Claim each good record's key; who came first under it keeps it."""
        if not good:
            return
        claims = [each for _, each in good]
        first = await self._waiting(partial(claim, claims=claims, at=self._clock()))
        for work, each in good:
            work.first_id = first[each.record_id]

    async def _waiting(self, work: Callable[[Connection], T]) -> T:
        """Done in the database, however long it is away."""
        wait = 0.5
        while True:
            try:
                return await self._store.write_each(work)
            except Transient as error:
                log.warning("pipeline.waiting", code=error.code, seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 15)

    def _led_to(self, works: Iterable[_Work]) -> list[Outgoing]:
        out: list[Outgoing] = []
        for work in works:
            if work.error is not None:
                out.append(
                    parked(
                        work.incoming,
                        work.error,
                        stage="intake",
                        at=self._clock(),
                        attempts=1,
                        version=work.version,
                    )
                )
            elif work.head and work.first_id == work.head.id:
                out += work.made
        return out

    def _receipts(self, works: Iterable[_Work]) -> list[Outgoing]:
        at = self._clock()
        told = (receipt for work in works for receipt in _told(work, at))
        return [Outgoing(RECEIPTS, "record", lot) for lot in receipts_in_lots(told)]


def _good(works: Iterable[_Work]) -> Iterator[tuple[_Work, _Head]]:
    return ((work, work.head) for work in works if work.head and work.error is None)


def _claimed(head: _Head) -> Claim:
    key = head.key or head.id
    return Claim(
        head.system, head.kind, key if len(key) <= KEY_LENGTH else sm3(key.encode()), head.id
    )


def _through(steps: Iterable[Callable[[_Work], None]], works: Sequence[_Work]) -> None:
    """One step for all of them, then the next; who fails goes no further."""
    for step in steps:
        for work in works:
            if work.error is not None:
                continue
            try:
                step(work)
            except HubError as error:
                work.error = error
            except Exception as error:
                # Our bug, or poison: this record alone goes to the failure store.
                log.exception("pipeline.bug", error=type(error).__name__)
                work.error = error


def _decode(plan: Plan, work: _Work) -> None:
    taken = decode_taken(work.incoming.headers, work.incoming.body)
    record = taken.record
    work.head = _Head(
        taken.id,
        taken.system,
        record.kind,
        record.key,
        taken.received_at,
        taken.traceparent,
        taken.canonical,
    )
    work.conversion = Conversion(taken)
    intake = plan.intakes.get((taken.system, record.kind))
    if intake is not None and taken.canonical is None:
        work.version = intake.version


def _convert(step: Step, plan: Plan, work: _Work) -> None:
    if work.conversion is not None:
        step(work.conversion, plan)


def _finish(work: _Work) -> None:
    if (done := work.conversion) is None:
        return
    exchange = STREAMS_BULK if waits(work.incoming.routing_key) else STREAMS
    made = []
    for message, content in zip(done.messages, done.contents, strict=True):
        headers, body = encode_message(message, done.taken.id, content)
        key = f"{message.type}.{message.region}"
        # Nobody may follow it: then it is in ledger and history alone.
        made.append(Outgoing(exchange, key, body, headers, mandatory=False))
    subjects = {message.subject for message in done.messages}
    work.subject = subjects.pop() if len(subjects) == 1 else ""
    work.made, work.doubts, work.conversion = made, done.doubts, None


def published(receipt: Receipt) -> Outgoing:
    """*receipt* as a message to the hub's receipts."""
    return Outgoing(RECEIPTS, receipt.event.value, encode_receipts((receipt,)))


def _receipt(  # noqa: PLR0913 - a receipt has as many facts
    head: _Head,
    event: Event,
    at: datetime,
    *,
    code: str = "",
    faults: tuple[Fault, ...] = (),
    doubts: tuple[Fault, ...] = (),
    subject: str = "",
    number: str = "",
    version: str = "",
) -> Receipt:
    return Receipt(
        key=f"{head.id}.{event}",
        event=event,
        at=at,
        message_id=head.id,
        record_id=head.id,
        source=head.system,
        resource=head.kind,
        operation=head.canonical or "",
        trace=trace_id(head.traceparent),
        code=code,
        faults=faults,
        doubts=doubts,
        subject=subject,
        number=number,
        version=version,
    )


def _told(work: _Work, at: datetime) -> Iterator[Receipt]:
    """That the record came, and what became of it."""
    head = work.head
    if head is None:
        return
    yield _receipt(head, Event.RECORD_RECEIVED, head.received_at)
    if work.error is not None:
        code = work.error.code if isinstance(work.error, HubError) else "hub.bug"
        faults = faults_of(work.error)
        yield _receipt(
            head, Event.RECORD_REJECTED, at, code=code, faults=faults, version=work.version
        )
    elif work.first_id != head.id:
        yield _receipt(head, Event.RECORD_REPEATED, at, number=work.first_id or "")
    else:
        yield _receipt(
            head,
            Event.RECORD_ACCEPTED,
            at,
            doubts=tuple(work.doubts),
            subject=work.subject,
            number=str(len(work.made)),
            version=work.version,
        )
