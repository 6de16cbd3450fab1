"""Replay and backfill: recorded messages sent once more, to one queue, the streams, or intake.

A message keeps its id, so services, ordered routes and sinks know what they have had already: what
was delivered once takes no effect twice. It is marked as a replay in its headers, and the ledger
tells who asked for it.

Form       header ``x-replay`` is the id of the replay, ``x-replayed-by`` who asked; in the ledger the
           replay begins and ends with ``replay.begun`` and ``replay.done``, and each of its messages
           has ``message.replayed``
Promises   a replay is bulk: what people wait for goes before it. Its order is kept; how far it got is kept after each confirmed lot, so an interrupted replay
           goes on where it was, and repeats one lot at most
Careful    from step ``intake`` a message is validated again by the present catalogue and keeps its id
           only where its record led to it alone; others are passed over, and counted
Units      *pace*: messages a second, 0 for no limit
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import msgspec
import structlog
from sqlalchemy import Connection, select

from hub import history, recorded
from hub.broker import Broker, Outgoing, Publisher
from hub.crypto import Seal
from hub.envelope import CE, Taken, decode_message, encode_receipts
from hub.ids import derived_id, new_id
from hub.intake import taken_in
from hub.plan import Plan
from hub.receipts import sent_again
from hub.recorded import Recorded
from hub.store import Store, replays
from hub.store.replays import Job
from hub.store.tables import ledger
from hub.topology import RECEIPTS, STREAMS_BULK, depths, service_queue
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.message import Message, MessageId, Record
from schemas.receipt import Event, Receipt

__all__ = ["Replay", "Wanted"]

LOT = 200
LEDGER_S, LOOK_S = 60.0, 0.05
BY = "x-replayed-by"
STEPS = ("intake", "stream", "route", "service")
log = structlog.get_logger("hub.replay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """*step*: intake, stream, route or service; *place* names the last two. *source*: history,
    ledger, or auto: the history where it reaches back far enough. *until* is not in the span."""

    resource: str
    since: datetime
    until: datetime
    step: str
    place: str = ""
    source: str = "auto"
    by: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """*told* hears of each step forward."""

    broker: Broker
    store: Store
    seal: Seal
    plan: Plan
    clock: Callable[[], datetime]
    told: Callable[[Job], None] = lambda _: None

    async def count(self, wanted: Wanted) -> tuple[int, int]:
        """How many messages the ledger knows that would be sent, and of how many it has the body."""
        self._check(wanted)
        job = self._job(wanted, "ledger")
        return await self.store.read(lambda connection: recorded.count(connection, job))

    async def begin(self, wanted: Wanted) -> Job:
        """Raises `Rejected` or `Misconfigured` where it cannot be done as wanted."""
        self._check(wanted)
        await self._check_queue(wanted.step, wanted.place)
        source = wanted.source
        if source == "auto":
            source = "history" if await history.holds(self.broker, wanted.since) else "ledger"
        job = self._job(wanted, source)
        await self.store.write(lambda connection: replays.begin(connection, job))
        return job

    async def resume(self, job_id: str) -> Job:
        job = await self.store.read(lambda connection: replays.find(connection, job_id))
        if job is None:
            raise Rejected("replay.unknown", "No such replay", id=job_id[:36])
        return job

    async def run(self, job: Job, *, pace: float = 0.0) -> Job:
        """Send what *job* has not sent yet; returns it as it stands at the end."""
        if job.state == "done":
            return job
        log.info("replay.begun", replay=job.id, source=job.source, step=job.step, place=job.place)
        async with self.broker.publisher() as publisher:
            begun = _mark(job, Event.REPLAY_BEGUN, self.clock())
            await publisher.publish(begun)
            if job.source == "ledger":
                await self._until_written(job)
            rhythm = _Rhythm(pace)
            lots = self._lots(job, publisher, rhythm.lot)
            async with aclosing(lots):
                async for lot in lots:
                    await rhythm.wait(len(lot))
                    job = await self._send(job, lot, publisher)
                    self.told(job)
            job = replace(job, state="done")
            await publisher.publish(_mark(job, Event.REPLAY_DONE, self.clock()))
            await self.store.write(partial(replays.advance, job=job))
        log.info("replay.done", replay=job.id, sent=job.sent, skipped=job.skipped)
        return job

    async def _lots(
        self, job: Job, publisher: Publisher, most: int
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        if job.source == "history":
            async with aclosing(
                history.read(self.broker, publisher, job, new_id(self.clock()))
            ) as read:
                async for found in read:
                    for start in range(0, len(found), most):
                        yield found[start : start + most]
            return
        while rows := await self.store.read(partial(recorded.page, job=job, limit=most)):
            lot = [recorded.recorded(row, self.seal) for row in rows]
            yield lot
            job = replace(job, position=lot[-1].position)

    async def _send(self, job: Job, lot: Sequence[Recorded], publisher: Publisher) -> Job:
        now = self.clock()
        sent: list[Outgoing] = []
        receipts: list[Receipt] = []
        for each in lot:
            try:
                message, outgoing = self._outgoing(each, job)
            except Rejected as error:
                log.warning("replay.skipped", replay=job.id, code=error.code, **error.facts)
                continue
            if outgoing is not None:
                sent.append(outgoing)
                again = sent_again(message, act=job.id, route=job.place, by=job.by, at=now)
                receipts.append(again)
        if sent:
            sent.append(Outgoing(RECEIPTS, "receipts", encode_receipts(receipts)))
            await publisher.publish_all(sent)
        job = replace(
            job,
            position=lot[-1].position,
            sent=job.sent + len(receipts),
            skipped=job.skipped + len(lot) - len(receipts),
        )
        await self.store.write(partial(replays.advance, job=job))
        return job

    def _outgoing(self, each: Recorded, job: Job) -> tuple[Message, Outgoing | None]:
        """What to publish; None where the route does not follow messages of this type. Raises
        `Rejected` where the message cannot be sent from that step."""
        if each.body is None:
            told = str(each.headers.get(f"{CE}id", ""))
            raise Rejected("replay.no-body", "The body is not kept any more", id=told)
        message = decode_message(each.headers, each.body)
        marks = {history.REPLAY: job.id, BY: job.by}
        headers = {**each.headers, **marks}
        match job.step:
            case "route":
                follows = self.plan.routes[job.place].bindings
                if not {message.type, f"{message.resource}.*"} & set(follows):
                    return message, None
                queue = self.plan.queue_of(job.place, bulk=True)
                return message, Outgoing("", queue, each.body, headers)
            case "service":
                return message, Outgoing("", service_queue(job.place), each.body, headers)
            case "stream":
                key = f"{message.type}.{message.region}"
                return message, Outgoing(STREAMS_BULK, key, each.body, headers, mandatory=False)
            case _:
                again = _taken_again(message, str(each.headers.get("x-record", "")), self.plan)
                return message, msgspec.structs.replace(again, headers={**again.headers, **marks})

    def _check(self, wanted: Wanted) -> None:
        if wanted.step not in STEPS or wanted.source not in ("auto", "history", "ledger"):
            raise Rejected("replay.step", "No such step", step=wanted.step, source=wanted.source)
        if wanted.since >= wanted.until:
            raise Rejected("replay.span", "The span is empty")
        if wanted.resource not in self.plan.resources:
            raise Rejected("record.unknown-resource", "No such resource", resource=wanted.resource)
        if wanted.step == "route":
            route = self.plan.routes.get(wanted.place)
            if route is None:
                raise Rejected("replay.no-route", "No such route", route=wanted.place)
            if wanted.resource not in {kind.partition(".")[0] for kind in route.bindings}:
                raise Rejected(
                    "replay.not-fed",
                    "The route does not follow this resource",
                    route=wanted.place,
                    resource=wanted.resource,
                )

    async def _check_queue(self, step: str, place: str) -> None:
        if step not in ("route", "service"):
            return
        queue = self.plan.queue_of(place, bulk=True) if step == "route" else service_queue(place)
        if queue not in await depths(self.broker, [queue]):
            raise Misconfigured("replay.no-queue", "No such queue", queue=queue)

    def _job(self, wanted: Wanted, source: str) -> Job:
        at = self.clock()
        return Job(
            id=new_id(at),
            resource=wanted.resource,
            since=wanted.since,
            until=wanted.until,
            step=wanted.step,
            place=wanted.place,
            source=source,
            by=wanted.by,
            at=at,
        )

    async def _until_written(self, job: Job) -> None:
        """Until the ledger has written what came before: its beginning stands there. Later messages
        reach every queue by themselves."""
        begun = select(ledger.c.id).where(
            ledger.c.message_id == job.id, ledger.c.event == Event.REPLAY_BEGUN.value
        )

        def look(connection: Connection) -> bool:
            return connection.execute(begun.limit(1)).first() is not None

        try:
            async with asyncio.timeout(LEDGER_S):
                while not await self.store.read(look):  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise Transient("replay.ledger-behind", "The ledger is not being written") from error


class _Rhythm:
    """So many a second, from the beginning on."""

    def __init__(self, pace: float) -> None:
        self._pace, self._began, self._sent = pace, time.monotonic(), 0
        self.lot = min(LOT, max(1, round(pace))) if pace else LOT

    async def wait(self, many: int) -> None:
        """Until *many* more may be sent."""
        if not self._pace:
            return
        due = self._began + self._sent / self._pace
        self._sent += many
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def _taken_again(message: Message, record_id: str, plan: Plan) -> Outgoing:
    if not record_id or derived_id(record_id, "0") != message.id:
        raise Rejected("replay.not-alone", "Its record led to several messages", id=message.id)
    return taken_in(
        Taken(
            id=MessageId(record_id),
            system=message.source,
            received_at=message.time,
            traceparent=message.traceparent,
            record=Record(kind=message.resource, key=record_id, body=message.body),
            canonical=message.operation,
        ),
        plan,
        bulk=True,
    )


def _mark(job: Job, event: Event, at: datetime) -> Outgoing:
    receipt = Receipt(
        key=f"{job.id}.{event}",
        event=event,
        at=at,
        message_id=job.id,
        resource=job.resource,
        route=job.place,
        number=str(job.sent) if event is Event.REPLAY_DONE else job.step,
        by=job.by[:64],
    )
    return Outgoing(RECEIPTS, event.value, encode_receipts([receipt]))
