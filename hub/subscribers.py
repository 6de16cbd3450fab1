"""Streams → domain services: what has arrived is taken in one transaction, which holds inbox, the
service's own rows and its outbox; then what it led to is published, and only then acknowledged.

Promises   a handler takes effect once for each message, and what it published goes out once, by its
           key, whatever dies when; a message that fails goes its own way (later again, or to the
           failure store), and holds up nobody; messages are taken in the order of their arrival
Careful    what comes again after a crash may come in another order: so does the broker give it back
Careful    a database that is away is waited for, batch in hand: it is no fault of the messages. A
           broker that is away ends the work, and every batch comes again
Form       two stages side by side: take (database), then wait for confirms, clear the outbox and
           acknowledge in order (broker)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.crypto import Seal
from hub.envelope import ATTEMPT, CE, Taken, decode_message, receipts_in_lots
from hub.failures import parked
from hub.ids import trace_id
from hub.intake import taken_in
from hub.mailbox import Mailbox
from hub.plan import Plan
from hub.recover import Halt, Park, RetryIn, faults_of, verdict
from hub.service_batch import Applied, apply
from hub.store import Store
from hub.store.suspects import key_of
from hub.streams import Subscriber
from hub.suspects import Suspects, is_suspect
from hub.topology import RECEIPTS, delayed, service_queue
from schemas.errors import HubError, Transient
from schemas.message import Message, MessageId
from schemas.receipt import Event, Receipt

__all__ = ["ServiceRunner"]

T = TypeVar("T")
BATCH, BATCHES_UNCONFIRMED = 100, 2
LEFT_AT_ONCE = 500
PREFETCH = BATCH * (BATCHES_UNCONFIRMED + 3)
AGAIN_FIRST_S, AGAIN_LAST_S = 0.5, 15.0
LADDER = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
log = structlog.get_logger("hub.services")


@dataclass(slots=True)
class _Work:
    """One message of a batch: what it is, or why it is none."""

    incoming: Incoming
    message: Message | None = None
    error: Exception | None = None

    @property
    def attempt(self) -> int:
        told = self.incoming.headers.get(ATTEMPT, 1)
        return told if isinstance(told, int) and told > 0 else 1


@dataclass(frozen=True, slots=True)
class _Published:
    """A batch whose outcome was written to the broker; *causes* have something in the outbox."""

    batch: Sequence[Incoming]
    causes: Sequence[MessageId]
    done: asyncio.Future[None]


class ServiceRunner:
    """Works off the queue of one service."""

    def __init__(
        self,
        broker: Broker,
        store: Store,
        seal: Seal,
        subscriber: Subscriber,
        clock: Callable[[], datetime],
        plan: Callable[[], Plan],
        suspects: Suspects,
    ) -> None:
        """*plan* gives the one in use."""
        self._broker, self._store, self._clock, self._plan = broker, store, clock, plan
        self._suspects = suspects
        self._subscriber, self._name = subscriber, subscriber.name
        self._mailbox = Mailbox(subscriber.name, seal)

    async def run(self) -> None:
        """Work until cancelled."""
        unconfirmed: asyncio.Queue[_Published] = asyncio.Queue(BATCHES_UNCONFIRMED)
        async with self._broker.publisher(lasting=False) as publisher:
            await self._publish_left(publisher)
            async with (
                self._broker.consumer(service_queue(self._name), prefetch=PREFETCH) as consumer,
                asyncio.TaskGroup() as stages,
            ):
                stages.create_task(self._settling(publisher, unconfirmed))
                while True:
                    for some in _apart(await consumer.batch(BATCH)):
                        await unconfirmed.put(await self._taken_up(some, publisher))

    async def _taken_up(self, some: Sequence[Incoming], publisher: Publisher) -> _Published:
        """One that may break this process alone, and noted before; others together."""
        if not is_suspect(some[0]):
            return await self._taken([self._decoded(each) for each in some], publisher)
        (incoming,) = some
        key = key_of(service_queue(self._name), str(incoming.headers.get(f"{CE}id", "")))
        async with self._suspects.noted(key) as suspect:
            gone = await suspect.given_up(incoming, self._broker.check)
            work = _Work(incoming, error=gone) if gone else self._decoded(incoming)
            return await self._taken([work], publisher)

    async def _publish_left(self, publisher: Publisher) -> None:
        """Publish what a crash left in the outbox. While one lot is being confirmed, the next is
        read."""
        causes: Sequence[MessageId] = ()
        after = ""
        done: asyncio.Future[None] | None = None
        while True:
            read = partial(self._mailbox.left_behind, after=after, most=LEFT_AT_ONCE)
            following, left = await self._store.read(read)
            if done is not None:
                await publisher.confirmed(done)
                await self._store.write(partial(self._mailbox.clear, causes=causes))
            if not following:
                return
            done = await publisher.sent(self._taken_in(left))
            causes, after = following, following[-1]

    async def _taken(self, works: Sequence[_Work], publisher: Publisher) -> _Published:
        messages = {work.message.id: work.message for work in works if work.message}
        applied = await self._applied(list(messages.values()))
        for work in works:
            if work.message:
                work.error = applied.failed.get(work.message.id)
        outgoing = [*self._taken_in(applied.to_publish), *self._told(works)]
        causes = [each for each in messages if each not in applied.failed]
        batch = [work.incoming for work in works]
        return _Published(
            batch, causes if applied.to_publish else (), await publisher.sent(outgoing)
        )

    def _taken_in(self, records: Iterable[Taken]) -> list[Outgoing]:
        plan = self._plan()
        return [taken_in(each, plan) for each in records]

    async def _settling(self, publisher: Publisher, unconfirmed: asyncio.Queue[_Published]) -> None:
        while True:
            published = await unconfirmed.get()
            await publisher.confirmed(published.done)
            if published.causes:
                await self._written(partial(self._mailbox.clear, causes=published.causes))
            await acknowledge(published.batch, in_order=True)

    def _decoded(self, incoming: Incoming) -> _Work:
        work = _Work(incoming)
        try:
            self._broker.check(incoming)
            work.message = decode_message(incoming.headers, incoming.body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict decides
            work.error = error
        return work

    async def _applied(self, messages: Sequence[Message]) -> Applied:
        if not messages:
            return Applied()
        return await self._written(
            partial(
                apply,
                messages=messages,
                subscriber=self._subscriber,
                mailbox=self._mailbox,
                clock=self._clock,
            )
        )

    async def _written(self, work: Callable[[Connection], T]) -> T:
        wait_s = AGAIN_FIRST_S
        while True:
            try:
                return await self._store.write(work)
            except Transient as error:
                log.warning("service.waiting", service=self._name, code=error.code, seconds=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, AGAIN_LAST_S)

    def _told(self, works: Sequence[_Work]) -> list[Outgoing]:
        """What became of each message: its receipt, and where it goes when it failed."""
        outgoing: list[Outgoing] = []
        receipts: list[Receipt] = []
        for work in works:
            if work.error is None and work.message:
                receipts.append(self._receipt(work.message, Event.SERVICE_DONE, work.attempt))
            elif work.error is not None:
                outgoing.append(self._elsewhere(work, work.error, receipts))
        lots = (Outgoing(RECEIPTS, "service", lot) for lot in receipts_in_lots(receipts))
        return [*outgoing, *lots]

    def _elsewhere(self, work: _Work, error: Exception, receipts: list[Receipt]) -> Outgoing:
        """Where a message goes that failed; that it will be tried again is told in *receipts*."""
        incoming, attempt = work.incoming, work.attempt
        if not isinstance(error, HubError):
            log.error("service.bug", service=self._name, exc_info=error)
        match verdict(error, attempt, LADDER):
            case RetryIn(seconds=seconds, code=code):
                if work.message:
                    told = self._receipt(work.message, Event.SERVICE_RETRYING, attempt)
                    key, faults = f"{told.key}.{attempt}", faults_of(error)
                    receipts.append(replace(told, key=key, code=code, faults=faults))
                headers: dict[str, Any] = {**incoming.headers, ATTEMPT: attempt + 1}
                return delayed(service_queue(self._name), seconds, incoming.body, headers)
            case Park() | Halt():
                # A service has no route to stop: what it cannot take waits for a person.
                return parked(
                    incoming,
                    error,
                    stage="service",
                    at=self._clock(),
                    attempts=attempt,
                    route=self._name,
                )

    def _receipt(self, message: Message, event: Event, attempt: int) -> Receipt:
        return Receipt(
            key=f"{message.id}.{self._name}.{event}",
            event=event,
            at=self._clock(),
            message_id=message.id,
            source=message.source,
            resource=message.resource,
            operation=message.operation,
            subject=message.subject,
            route=self._name,
            attempt=attempt,
            trace=trace_id(message.traceparent),
            digest=message.digest,
        )


def _apart(batch: Sequence[Incoming]) -> Iterator[Sequence[Incoming]]:
    """*batch* in its order, each suspect by itself."""
    for suspect, run in groupby(batch, is_suspect):
        some = list(run)
        yield from ([each] for each in some) if suspect else (some,)
