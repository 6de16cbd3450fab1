"""A route's queue, worked off: many messages at a time, each one's verdict carried out.

Promises   a message is acknowledged after its outcome is confirmed; on stopping, what is under way
           is finished, or goes back after `GRACE_S`
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from hub.broker import SUSPECT_AFTER, Broker, Consumer, Incoming
from hub.crypto import Seal
from hub.delivery.allowance import Allowance
from hub.delivery.attempt import Try, Untried, attempt_of, deliver
from hub.delivery.held import Order
from hub.delivery.job import Hand, Held, Job
from hub.delivery.link import Link
from hub.delivery.under_way import UnderWay, beside, under_way
from hub.envelope import CE, decode_heading, decode_message
from hub.failures import parked
from hub.ids import trace_id
from hub.port import Recalls
from hub.receipt_writer import ReceiptWriter
from hub.recover import IN_DOUBT, Halt, Park, RetryIn, faults_of, verdict
from hub.route_states import RouteStates
from hub.store import Store
from hub.store.held import Waiting
from hub.store.retries import STRANGERS
from hub.store.suspects import key_of
from hub.suspects import DEATHS, Suspects, broke_all, is_suspect
from hub.topology import depths, queues_with_bulk, route_queue
from routes.route import CompiledRoute
from schemas.errors import HubError, Transient
from schemas.message import Message
from schemas.receipt import Event, Receipt

__all__ = ["RouteWorker"]

PROBE_FIRST_S, PROBE_LAST_S, PROBE_WITHIN_S = 1.0, 60.0, 10.0
AHEAD, AHEAD_IN_ORDER = 2, 8
RELEASE_S, LONGEST_SLEEP_S = 1.0, 60.0
IDLE_S, LOOK_S = 1.0, 1.0
log = structlog.get_logger("hub.delivery")


class RouteWorker:
    def __init__(  # noqa: PLR0913 - a worker needs as much
        self,
        broker: Broker,
        store: Store,
        seal: Seal,
        suspects: Suspects,
        route: CompiledRoute,
        link: Link,
        clock: Callable[[], datetime],
        *,
        left: bool = False,
        behind: bool = False,
    ) -> None:
        """*left*: its queue is declared no longer; while it is empty, it has no consumer. *behind*:
        the queue that it had before it kept an order goes first."""
        self._broker, self._route, self._link, self._clock = broker, route, link, clock
        self._queue = route_queue(route.name, in_order=route.in_order)
        self._queues = queues_with_bulk(self._queue)
        self._left, self._behind = left, behind
        self._suspects = suspects
        self._states = RouteStates(store)
        self._order = Order(route, store, seal) if route.in_order else None
        self._allowance = Allowance(route.grant, store, clock) if route.grant else None
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
            await self._until_wanted()
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
        while closed_s := self._closed_s():
            log.debug("route.closed", route=self._route.name, wait_s=round(closed_s))
            # A clock may jump: it is asked again every minute.
            await asyncio.sleep(min(closed_s, LONGEST_SLEEP_S))

    def _closed_s(self) -> float:
        """Out of its system's hours, or with the day's granted messages used up."""
        granted_s = self._allowance.closed_s() if self._allowance else 0.0
        return max(self._link.closed_s(self._clock()), granted_s)

    def _may_call(self) -> bool:
        """Since it came into line, the route may have halted, or its system's hours have ended."""
        return self._halt is None and not self._link.closed_s(self._clock())

    async def _until_wanted(self) -> None:
        """Until what it had before it kept an order is worked off. A queue that is left is consumed
        only while something is in it: empty and without consumers, in any process, it is done."""
        while True:
            if self._behind:
                before = route_queue(self._route.name, in_order=False)
                wanted = not any(await self._depth(queues_with_bulk(before)))
            else:
                wanted = not self._left or await self._anything_left()
            if wanted:
                return
            await asyncio.sleep(LOOK_S)

    async def _anything_left(self) -> bool:
        if self._order:
            await self._order.look(self._clock())
            if self._order.waits:
                return True
        return (await self._depth(self._queues))[0] > 0

    async def _depth(self, queues: Sequence[str]) -> tuple[int, int]:
        """Messages and consumers."""
        found = (await depths(self._broker, queues)).values()
        return sum(ready for ready, _ in found), sum(consumers for _, consumers in found)

    async def _flow(self) -> None:
        """Deliver until the route halts, or its system's hours end, or what is left is done."""
        async with AsyncExitStack() as stack:
            if self._allowance:
                stack.push_async_callback(self._allowance.close)
            publisher = await stack.enter_async_context(self._broker.publisher())
            receipts = ReceiptWriter(publisher)
            hands = [
                Hand(publisher, receipts, queue, bulk=queue != self._queue)
                for queue in self._queues
            ]
            if self._order:
                self._order.begin()
                # Where the database is away, nothing is taken that could only be put back.
                await self._order.look(self._clock())
            # Left in the opposite order: what is under way, then its helpers, then the channels.
            consumers = [
                await stack.enter_async_context(
                    self._broker.consumer(
                        queue, prefetch=self._ahead, steady=self._order is not None
                    )
                )
                for queue in self._queues
            ]
            await stack.enter_async_context(beside(receipts.run()))
            tasks = await stack.enter_async_context(under_way())
            if self._order:
                await self._order.look(self._clock())
                await stack.enter_async_context(beside(self._tend(self._order)))
                await stack.enter_async_context(beside(self._release(self._order, hands[0], tasks)))
            await self._take(consumers, hands, tasks)

    async def _take(
        self, consumers: Sequence[Consumer], hands: Sequence[Hand], tasks: UnderWay
    ) -> None:
        ends = [asyncio.ensure_future(each) for each in (self._halted.wait(), tasks.broken())]
        coming: dict[int, asyncio.Future[Sequence[Incoming]]] = {}
        try:
            while not self._halted.is_set() and not self._closed_s():
                for n, consumer in enumerate(consumers):
                    if n not in coming:
                        coming[n] = asyncio.ensure_future(consumer.batch(self._ahead))
                await self._until_something([*coming.values(), *ends], tasks)
                tasks.check()
                came = [n for n, each in coming.items() if each.done()]
                for n in came:
                    for incoming in coming.pop(n).result():
                        await self._start(incoming, hands[n], tasks)
                if not came and not self._halted.is_set():
                    break
        finally:
            awaited: list[asyncio.Future[Any]] = [*coming.values(), *ends]
            for waits in awaited:
                waits.cancel()
            await asyncio.gather(*awaited, return_exceptions=True)
        for n, consumer in enumerate(consumers):
            came_last = coming.get(n)
            arrived = [] if came_last is None or came_last.cancelled() else came_last.result()
            for incoming in [*arrived, *await consumer.stop()]:
                await self._start(incoming, hands[n], tasks)

    async def _until_something(
        self, awaited: Sequence[asyncio.Future[Any]], tasks: UnderWay
    ) -> None:
        """Until something comes, or the route halts, or nothing more is to be expected."""
        idle_s = IDLE_S if self._left else None
        while True:
            done, _ = await asyncio.wait(
                awaited, timeout=idle_s, return_when=asyncio.FIRST_COMPLETED
            )
            if done or not (tasks.any or (self._order and self._order.waits)):
                return

    async def _start(self, incoming: Incoming, hand: Hand, tasks: UnderWay) -> None:
        if is_suspect(incoming):
            await tasks.alone(partial(self._suspect, incoming, hand))
        else:
            await tasks.start(partial(self._queued, incoming, hand))

    async def _suspect(self, incoming: Incoming, hand: Hand) -> None:
        """One that may break this process, with nothing beside it."""
        key = key_of(self._route.name, str(incoming.headers.get(f"{CE}id", "")))
        async with self._suspects.noted(key) as suspect:
            if error := await suspect.given_up(incoming, self._broker.check):
                await self._give_up(hand.job(incoming, self._order), hand, error)
            else:
                await self._queued(incoming, hand)

    async def _give_up(self, job: Job, hand: Hand, error: HubError) -> None:
        """To the failure store; its body is not looked at any more. A stranger's holds no subject."""
        try:
            job.message = None if error.code in STRANGERS else decode_heading(job.headers)
        except HubError as unreadable:
            error = unreadable
        log.error("delivery.given_up", route=self._route.name, code=error.code)
        await self._recover(job, error, hand)

    async def _queued(self, incoming: Incoming, hand: Hand) -> None:
        job = hand.job(incoming, self._order)
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

    async def _tend(self, order: Order) -> None:
        """Keep what is in hand, and see what waits."""
        while True:
            try:
                await order.look(self._clock())
            except Transient as error:
                log.warning("order.unseen", route=self._route.name, code=error.code)
            await asyncio.sleep(RELEASE_S)

    async def _release(self, order: Order, hand: Hand, tasks: UnderWay) -> None:
        """Try what waits when it is due, the first of each subject, then those behind it."""
        while True:
            with suppress(Transient):  # `_tend` says so
                for row in await order.due(self._clock()):
                    await self._start_held(row, order, hand, tasks)
            await asyncio.sleep(RELEASE_S)

    async def _start_held(self, row: Waiting, order: Order, hand: Hand, tasks: UnderWay) -> None:
        if row.broke >= SUSPECT_AFTER:
            await tasks.alone(partial(self._suspect_held, row.key, order, hand))
        else:
            await tasks.start(partial(self._released, row.key, order, hand, tasks))

    async def _released(self, key: str, order: Order, hand: Hand, tasks: UnderWay) -> None:
        async with order.turn(key):
            while not self._halted.is_set() and not tasks.held_up:
                async with order.claimed(key, self._clock()) as row:
                    if row is None:
                        return
                    await self._one(Held(dict(row.headers), order.opened(row), order), hand)

    async def _suspect_held(self, key: str, order: Order, hand: Hand) -> None:
        """The first of *key*, with nothing beside it."""
        async with (
            self._suspects.turn(),
            order.turn(key),
            order.claimed(key, self._clock(), alone=True) as row,
        ):
            if row is None or self._halted.is_set():
                return
            job = Held(dict(row.headers), order.opened(row), order)
            if row.broke >= SUSPECT_AFTER + DEATHS:
                await self._give_up(job, hand, broke_all())
            else:
                await self._one(job, hand)

    async def _one(self, job: Job, hand: Hand) -> None:
        if self._closed_s():
            # Since it was fetched, the hours have ended or the clock was set.
            self._halted.set()
        if self._halted.is_set():
            await job.back(self._clock())
            return
        try:
            job.message = job.message or decode_message(job.headers, job.body)
            ended = self._allowance is not None and self._allowance.ended
            job.mapped = None if ended else self._route.payload(job.message)
            if job.mapped is not None and self._allowance and not await self._allowance.take():
                # The day's messages are used up: it waits for tomorrow, with all behind it.
                self._halted.set()
                await job.back(self._clock())
                return
            told = await self._delivered(job, job.message)
            await hand.receipts.tell(replace(told, code="grant.ended") if ended else told)
            await job.done()
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict decides
            await self._recover(job, error, hand)

    async def _delivered(self, job: Job, message: Message) -> Receipt:
        attempt = attempt_of(job.headers)
        if job.mapped is None:
            return self._receipt(message, Event.DELIVERY_LEFT_OUT, attempt)
        try:
            by = Try(self._link, self._may_call, job.bulk)
            done = await deliver(message, job.mapped, job.headers, self._route, by)
        except BaseException:
            if self._allowance:
                self._allowance.unused()
            raise
        self._link.breaker.succeeded()
        self._moved = True
        return replace(
            self._receipt(message, Event.DELIVERY_DONE, attempt),
            number=done.answer.number[:128],
            code="target.repeated" if done.answer.repeated else "",
            took_ms=done.took_ms,
        )

    async def _recover(self, job: Job, error: Exception, hand: Hand) -> None:
        """Do what the verdict says. If even that fails, the message goes back."""
        try:
            if isinstance(error, Untried):
                await job.back(self._clock())
                return
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

    async def _carry_out(self, job: Job, error: Exception, hand: Hand) -> None:
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
                        version=self._route.version,
                        mapped=job.mapped,
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

    async def _tell_replaced(self, ids: Any, message: Message, hand: Hand) -> None:
        for replaced in ids:
            told = self._receipt(message, Event.DELIVERY_REPLACED, 0)
            key = f"{replaced}.{self._route.name}.{Event.DELIVERY_REPLACED}"
            await hand.receipts.tell(
                replace(told, key=key, message_id=replaced, number=message.id, digest="")
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
