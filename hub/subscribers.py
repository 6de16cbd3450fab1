"""Streams → domain services, by FastStream: one transaction holds inbox, the service's own rows and
its outbox; then what it publishes is confirmed, and only then the message is acknowledged.

Promises   a handler takes effect once for each message, and what it published goes out once, by its
           key, whatever dies when
Careful    FastStream's own defaults would lose or echo messages: acknowledging is manual, replies
           are off (a stranger's ``reply_to`` would be answered), its publisher is not used
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from faststream.rabbit.schemas.queue import QueueType
from sqlalchemy import Connection, delete, select

from hub.broker import Broker, Incoming, Publisher, acknowledge, hand_back
from hub.crypto import Seal
from hub.envelope import ATTEMPT, Taken, decode_body, decode_message, encode_body
from hub.failures import parked
from hub.ids import child_span, derived_id, trace_id
from hub.intake import taken_in
from hub.pipeline import published
from hub.recover import Halt, Park, RetryIn, faults_of, verdict
from hub.store import Store, insert_once
from hub.store.tables import inbox, outbox
from hub.streams import Subscriber
from hub.topology import delayed, service_queue
from schemas.errors import HubError, Transient
from schemas.message import Message, MessageId, Operation, Publication, Record, SystemCode
from schemas.receipt import Event, Receipt

__all__ = ["ServiceRunner"]

PREFETCH = 40
LADDER = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
log = structlog.get_logger("hub.services")


@dataclass(frozen=True, slots=True)
class ServiceRunner:
    """Runs the given subscribers on one FastStream broker of their own."""

    url: str
    broker: Broker
    store: Store
    seal: Seal
    subscribers: Sequence[Subscriber]
    clock: Callable[[], datetime]

    async def run(self) -> None:
        faststream = RabbitBroker(
            self.url,
            logger=None,
            apply_types=False,
            default_channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
            graceful_timeout=15,
        )
        async with self.broker.publisher() as publisher:
            for subscriber in self.subscribers:
                runner = _Runner(self, subscriber, publisher)
                await runner.publish_left()
                queue = RabbitQueue(
                    service_queue(subscriber.name), queue_type=QueueType.QUORUM, declare=False
                )
                faststream.subscriber(
                    queue,
                    ack_policy=AckPolicy.MANUAL,
                    no_reply=True,
                    decoder=_whole,
                    channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
                )(runner.take)
            await faststream.start()
            try:
                await asyncio.Event().wait()
            finally:
                await faststream.stop()


async def _whole(message: RabbitMessage) -> RabbitMessage:
    """Hand the message over as it came: the envelope is decoded by `hub.envelope`."""
    return message


class _Runner:
    def __init__(self, of: ServiceRunner, subscriber: Subscriber, publisher: Publisher) -> None:
        self._broker = of.broker
        self._store, self._seal, self._clock = of.store, of.seal, of.clock
        self._subscriber, self._publisher = subscriber, publisher

    async def take(self, message: RabbitMessage) -> None:
        incoming = message.raw_message
        told = incoming.headers.get(ATTEMPT, 1)
        attempt = told if isinstance(told, int) and told > 0 else 1
        decoded: Message | None = None
        try:
            self._broker.check(incoming)
            decoded = decode_message(incoming.headers, incoming.body)
            accepted = decoded
            await self._store.write(lambda connection: self._apply(connection, accepted))
            await self._publish(decoded.id)
            receipt = self._receipt(decoded, Event.SERVICE_DONE, attempt)
            await self._publisher.publish(published(receipt))
            await acknowledge([incoming])
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict decides
            await self._recover(incoming, decoded, error, attempt)

    async def publish_left(self) -> None:
        """Publish what a crash left in the outbox."""
        name = self._subscriber.name
        causes = await self._store.read(
            lambda connection: connection.scalars(
                select(outbox.c.cause_id).where(outbox.c.service == name).distinct()
            ).all()
        )
        for cause in causes:
            await self._publish(MessageId(cause))

    def _apply(self, connection: Connection, message: Message) -> None:
        now, name = self._clock(), self._subscriber.name
        key = {"service": name, "message_id": message.id, "at": now}
        if not connection.execute(insert_once(connection, inbox), key).rowcount:
            return
        publications = self._subscriber.handle(connection, message, now)
        rows = [self._row(message, publication, now) for publication in publications]
        if rows:
            connection.execute(insert_once(connection, outbox), rows)

    def _row(self, cause: Message, publication: Publication, now: datetime) -> dict[str, Any]:
        name = self._subscriber.name
        parts = (name, publication.resource, publication.key)
        return {
            "record_id": derived_id(cause.id, *parts),
            "service": name,
            "cause_id": cause.id,
            "resource": publication.resource,
            "operation": publication.operation.value,
            "key": publication.key,
            "traceparent": child_span(cause.traceparent),
            "at": now,
            "sealed": self._seal.seal(encode_body(publication.body)),
        }

    async def _publish(self, cause: MessageId) -> None:
        """Publish the outbox of one message, confirmed, then clear it."""
        name = self._subscriber.name
        here = (outbox.c.service == name) & (outbox.c.cause_id == cause)
        rows = await self._store.read(
            lambda connection: connection.execute(select(outbox).where(here)).all()
        )
        if not rows:
            return
        await self._publisher.publish_all(
            taken_in(
                Taken(
                    id=MessageId(row.record_id),
                    system=SystemCode(name),
                    received_at=row.at,
                    traceparent=row.traceparent,
                    record=Record(
                        kind=row.resource,
                        key=row.key,
                        body=decode_body(self._seal.open(row.sealed)),
                    ),
                    canonical=Operation(row.operation),
                )
            )
            for row in rows
        )
        await self._store.write(lambda connection: connection.execute(delete(outbox).where(here)))

    async def _recover(
        self, incoming: Incoming, message: Message | None, error: Exception, attempt: int
    ) -> None:
        name = self._subscriber.name
        if isinstance(error, Transient) and error.code.startswith("broker."):
            log.warning("service.unconfirmed", service=name, code=error.code)
            await hand_back([incoming])
            return
        if not isinstance(error, HubError):
            log.error("service.bug", service=name, exc_info=error)
        try:
            match verdict(error, attempt, LADDER):
                case RetryIn(seconds=seconds, code=code):
                    headers = {**incoming.headers, ATTEMPT: attempt + 1}
                    queue = service_queue(name)
                    await self._publisher.publish(delayed(queue, seconds, incoming.body, headers))
                    if message:
                        told = self._receipt(message, Event.SERVICE_RETRYING, attempt)
                        told = replace(
                            told,
                            key=f"{told.key}.{attempt}",
                            code=code,
                            faults=faults_of(error),
                        )
                        await self._publisher.publish(published(told))
                case Park() | Halt():
                    # A service has no route to stop: what it cannot take waits for a person.
                    await self._publisher.publish(
                        parked(
                            incoming,
                            error,
                            stage="service",
                            at=self._clock(),
                            attempts=attempt,
                            route=name,
                        )
                    )
            await acknowledge([incoming])
        except Transient as lost:
            log.warning("service.unconfirmed", service=name, code=lost.code)
            await hand_back([incoming])

    def _receipt(self, message: Message, event: Event, attempt: int) -> Receipt:
        return Receipt(
            key=f"{message.id}.{self._subscriber.name}.{event}",
            event=event,
            at=self._clock(),
            message_id=message.id,
            source=message.source,
            resource=message.resource,
            operation=message.operation,
            subject=message.subject,
            route=self._subscriber.name,
            attempt=attempt,
            trace=trace_id(message.traceparent),
            digest=message.digest,
        )
