"""A route's queue, worked off: many messages at a time, each one's verdict carried out.

Promises   a message is acknowledged after its outcome is confirmed; on stopping, what is under way
           is finished, or goes back after `GRACE_S`
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from hub.broker import Broker, Consumer, Incoming, Publisher
from hub.crypto import Seal
from hub.delivery.attempt import Delivered, attempt_of, deliver
from hub.delivery.held import Order
from hub.delivery.job import Held, Job, Queued
from hub.delivery.link import Link
from hub.envelope import decode_message
from hub.failures import parked
from hub.ids import trace_id
from hub.port import Recalls
from hub.receipt_writer import ReceiptWriter
from hub.recover import IN_DOUBT, Halt, Park, RetryIn, faults_of, verdict
from hub.route_states import RouteStates
from hub.store import Store
from hub.topology import route_queue
from routes.route import CompiledRoute
from schemas.errors import HubError, Transient
from schemas.message import Message
from schemas.receipt import Event, Receipt

__all__ = ["RouteWorker"]

PROBE_FIRST_S, PROBE_LAST_S, PROBE_WITHIN_S = 1.0, 60.0, 10.0
AHEAD, AHEAD_IN_ORDER = 2, 8
RELEASE_S, GRACE_S, LONGEST_SLEEP_S = 1.0, 10.0, 60.0
log = structlog.get_logger("hub.delivery")


class RouteWorker:
    def __init__(
        self,
        broker: Broker,
        store: Store,
        seal: Seal,
        route: CompiledRoute,
        link: Link,
        clock: Callable[[], datetime],
    ) -> None:
        self._broker, self._route, self._link, self._clock = broker, route, link, clock
        self._states = RouteStates(store)
        self._order = Order(route, store, seal) if route.order_by != "none" else None
        self._halt: HubError | None = None
        self._halted = asyncio.Event()
        self._moved = False
        # Where subjects take turns, more must be in hand, or one of them would stop the others.
        self._ahead = link.parallel * (AHEAD_IN_ORDER if self._order else AHEAD)

    async def run(self) -> None:
        """Deliver until cancelled; a halted route probes its system and goes on by itself."""
        probe_s = PROBE_FIRST_S
        while True:
            await self._until_open()
            self._halt = None
            self._halted.clear()
            self._moved = False
            await self._flow()
            if (error := self._halt) is None:
                continue
            log.error("route.halted", route=self._route.name, code=error.code)
            await self._states.halted(self._route.name, error, self._clock())
            # A route that moved something since the last halt starts probing anew.
            probe_s = PROBE_FIRST_S if self._moved else min(probe_s * 2, PROBE_LAST_S)
            probe_s = await self._probe(probe_s)
            self._link.breaker.mend()
            await self._states.flowing(self._route.name, self._clock())

    async def _until_open(self) -> None:
        closed_s = self._link.closed_s(self._clock())
        while closed_s:
            log.debug("route.out_of_hours", route=self._route.name, wait_s=round(closed_s))
            # A clock may jump: it is asked again every minute.
            await asyncio.sleep(min(closed_s, LONGEST_SLEEP_S))
            closed_s = self._link.closed_s(self._clock())

    async def _flow(self) -> None:
        """Deliver until the route halts, or its system's hours end."""
        async with AsyncExitStack() as stack:
            publisher = await stack.enter_async_context(self._broker.publisher())
            receipts = ReceiptWriter(publisher)
            hand = _Hand(publisher, receipts)
            # Left in the opposite order: what is under way, then its helpers, then the channels.
            consumer = await stack.enter_async_context(
                self._broker.consumer(
                    route_queue(self._route.name),
                    prefetch=self._ahead,
                    steady=self._order is not None,
                )
            )
            await stack.enter_async_context(_beside(receipts.run()))
            tasks = await stack.enter_async_context(_under_way())
            if self._order:
                await self._order.look()
                await stack.enter_async_context(_beside(self._release(self._order, hand, tasks)))
            await self._take(consumer, hand, tasks)

    async def _take(self, consumer: Consumer, hand: _Hand, tasks: _Tasks) -> None:
        halted = asyncio.ensure_future(self._halted.wait())
        try:
            while not self._halted.is_set() and not self._link.closed_s(self._clock()):
                arriving = asyncio.ensure_future(consumer.batch(self._ahead))
                try:
                    await asyncio.wait((arriving, halted), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    arriving.cancel()
                if arriving.done() and not arriving.cancelled():
                    for incoming in arriving.result():
                        tasks.start(self._queued(incoming, hand))
                tasks.check()
        finally:
            halted.cancel()
        for incoming in await consumer.stop():
            tasks.start(self._queued(incoming, hand))

    async def _queued(self, incoming: Incoming, hand: _Hand) -> None:
        job = Queued(incoming, self._route.name, hand.publisher, self._order)
        try:
            self._broker.check(incoming)
            job.message = decode_message(incoming.headers, incoming.body)
        except HubError as error:
            # It has no subject, so nobody's turn either.
            await self._recover(job, error, hand)
            return
        if self._order is None:
            await self._one(job, hand)
            return
        async with self._order.turn(self._order.key(job.message)):
            if await self._order.must_wait(job.message):
                await self._tell_replaced(await job.wait(self._clock()), job.message, hand)
            else:
                await self._one(job, hand)

    async def _release(self, order: Order, hand: _Hand, tasks: _Tasks) -> None:
        """Try what waits when it is due, the first of each subject, then those behind it."""
        while True:
            await order.look()
            for row in await order.due(self._clock()):
                tasks.start(self._released(row.key, order, hand))
            await asyncio.sleep(RELEASE_S)

    async def _released(self, key: str, order: Order, hand: _Hand) -> None:
        async with order.turn(key):
            while not self._halted.is_set():
                row = await order.claimed(key, self._clock())
                if row is None:
                    return
                await self._one(Held(dict(row.headers), order.opened(row), order), hand)

    async def _one(self, job: Job, hand: _Hand) -> None:
        if self._halted.is_set():
            await job.back(self._clock())
            return
        try:
            job.message = job.message or decode_message(job.headers, job.body)
            delivered = await deliver(job.message, job.headers, self._route, self._link)
            self._link.breaker.succeeded()
            self._moved = True
            await hand.receipts.tell(self._done(job.message, delivered, attempt_of(job.headers)))
            await job.done()
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict decides
            await self._recover(job, error, hand)

    async def _recover(self, job: Job, error: Exception, hand: _Hand) -> None:
        """Do what the verdict says. If even that fails, the message goes back."""
        try:
            if isinstance(error, Transient) and error.code.startswith(("broker.", "store.")):
                log.warning("delivery.unconfirmed", route=self._route.name, code=error.code)
                await job.back(self._clock())
                return
            if not isinstance(error, HubError):
                log.error("delivery.bug", route=self._route.name, exc_info=error)
            await self._carry_out(job, error, hand)
            if isinstance(error, Transient) and self._link.breaker.failed(error):
                self._stop(error)
        except Transient as lost:
            log.warning("delivery.unconfirmed", route=self._route.name, code=lost.code)
            await job.back(self._clock())

    async def _carry_out(self, job: Job, error: Exception, hand: _Hand) -> None:
        attempt, now = attempt_of(job.headers), self._clock()
        sink = self._link.sink
        repeatable = sink.traits.idempotent or isinstance(sink, Recalls)
        match verdict(error, attempt, self._route.retry_s, repeatable=repeatable):
            case RetryIn(seconds=seconds, code=code):
                if job.message:
                    told = self._receipt(job.message, Event.DELIVERY_RETRYING, attempt)
                    key, faults = f"{told.key}.{attempt}", faults_of(error)
                    await hand.receipts.tell(replace(told, key=key, code=code, faults=faults))
                doubt = isinstance(error, Transient) and error.in_doubt
                replaced = await job.again(seconds, now, doubt=doubt)
                if job.message:
                    await self._tell_replaced(replaced, job.message, hand)
            case Park(code=code):
                doubt = code == IN_DOUBT
                await hand.publisher.publish(
                    parked(
                        job,
                        Transient(IN_DOUBT, "It may have arrived") if doubt else error,
                        stage="route",
                        at=now,
                        attempts=attempt,
                        route=self._route.name,
                        system=self._link.system,
                    )
                )
                await job.failed(now)
            case Halt():
                self._stop(error)
                await job.back(now)

    def _stop(self, error: Exception) -> None:
        if self._halt is None and isinstance(error, HubError):
            self._halt = error
        self._halted.set()

    async def _probe(self, wait_s: float) -> float:
        """Wait until the system's own check passes; the waits double up to a minute."""
        while True:
            await asyncio.sleep(wait_s)
            try:
                async with asyncio.timeout(PROBE_WITHIN_S):
                    await self._link.sink.check()
            except (HubError, TimeoutError) as error:
                code = getattr(error, "code", "target.timeout")
                log.warning("route.still_halted", route=self._route.name, error=code)
                wait_s = min(wait_s * 2, PROBE_LAST_S)
            else:
                return wait_s

    async def _tell_replaced(self, ids: Any, message: Message, hand: _Hand) -> None:
        for replaced in ids:
            told = self._receipt(message, Event.DELIVERY_REPLACED, 0)
            key = f"{replaced}.{self._route.name}.{Event.DELIVERY_REPLACED}"
            await hand.receipts.tell(
                replace(told, key=key, message_id=replaced, number=message.id, digest="")
            )

    def _done(self, message: Message, delivered: Delivered, attempt: int) -> Receipt:
        answer = delivered.answer
        if answer is None:
            return self._receipt(message, Event.DELIVERY_LEFT_OUT, attempt)
        return replace(
            self._receipt(message, Event.DELIVERY_DONE, attempt),
            number=answer.number[:128],
            code="target.repeated" if answer.repeated else "",
            took_ms=delivered.took_ms,
        )

    def _receipt(self, message: Message, event: Event, attempt: int) -> Receipt:
        return Receipt(
            key=f"{message.id}.{self._route.name}.{event}",
            event=event,
            at=self._clock(),
            message_id=message.id,
            source=message.source,
            resource=message.resource,
            operation=message.operation,
            subject=message.subject,
            route=self._route.name,
            version=self._route.version,
            system=self._link.system,
            attempt=attempt,
            trace=trace_id(message.traceparent),
            digest=message.digest,
        )


class _Hand:
    """What a delivery's outcome is told by."""

    def __init__(self, publisher: Publisher, receipts: ReceiptWriter) -> None:
        self.publisher, self.receipts = publisher, receipts


class _Tasks:
    """Deliveries under way."""

    def __init__(self) -> None:
        self.running: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None

    def start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """Raise what one of them raised."""
        if self._failed:
            raise self._failed

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed = error


@asynccontextmanager
async def _under_way() -> AsyncIterator[_Tasks]:
    """On leaving, what is under way has `GRACE_S` to end."""
    tasks = _Tasks()
    try:
        yield tasks
    finally:
        if tasks.running:
            await asyncio.wait(tasks.running, timeout=GRACE_S)
        for task in tasks.running:
            task.cancel()
        await asyncio.gather(*tasks.running, return_exceptions=True)
    tasks.check()


@asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    """*work* runs until the block is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
