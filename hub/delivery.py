"""Stream → system: filter, map, deliver through a connector; retry, park or halt what fails.

Promises   each route has its own queue and works at its own pace: a dead system delays no other. A
           delivery is acknowledged after its outcome is confirmed by the broker
Careful    a crash after the target took a delivery and before the acknowledgement repeats it, under
           the same key: sinks are idempotent by it (`hub.port.Sink`)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from hub.broker import Broker, Incoming, Publisher, acknowledge, hand_back
from hub.envelope import ATTEMPT, decode_message
from hub.failures import parked
from hub.ids import trace_id
from hub.pipeline import published
from hub.port import Sink
from hub.recover import Halt, Park, RetryIn, faults_of, verdict
from hub.route_states import RouteStates
from hub.topology import delayed, route_queue
from routes.route import CompiledRoute
from schemas.errors import HubError, Transient
from schemas.message import Answer, Delivery, Message, RouteName
from schemas.receipt import Event, Receipt

__all__ = ["Link", "RouteWorker"]

DEADLINE_S = 120.0
PROBE_FIRST_S, PROBE_LAST_S = 2.0, 60.0
log = structlog.get_logger("hub.delivery")


@dataclass(frozen=True, slots=True)
class Link:
    """A system's sink, shared by its routes; *gate* bounds the deliveries in flight to it."""

    system: str
    sink: Sink
    gate: asyncio.Semaphore
    parallel: int


class RouteWorker:
    def __init__(
        self,
        broker: Broker,
        route: CompiledRoute,
        link: Link,
        states: RouteStates,
        clock: Callable[[], datetime],
    ) -> None:
        self._broker, self._route, self._link = broker, route, link
        self._states, self._clock = states, clock
        self._halt: HubError | None = None
        self._halted = asyncio.Event()
        self._moved = False

    async def run(self) -> None:
        """Deliver until cancelled; a halted route probes its system and goes on by itself."""
        probe_s = PROBE_FIRST_S
        while True:
            self._halted.clear()
            flowed = await self._flow()
            error = self._halt
            if error is None:
                continue
            await self._states.halted(self._route.name, error, self._clock())
            # A route that moved something since the last halt starts probing anew.
            probe_s = PROBE_FIRST_S if flowed else min(probe_s * 2, PROBE_LAST_S)
            probe_s = await self._probe(probe_s)
            await self._states.flowing(self._route.name, self._clock())

    async def _flow(self) -> bool:
        """Deliver until the route halts. True when at least one delivery was done."""
        self._moved = False
        async with AsyncExitStack() as stack:
            publisher = await stack.enter_async_context(self._broker.publisher())
            queue = route_queue(self._route.name)
            consumer = await stack.enter_async_context(
                self._broker.consumer(queue, prefetch=self._link.parallel)
            )
            async with asyncio.TaskGroup() as tasks:
                halted = tasks.create_task(self._halted.wait())
                while not self._halted.is_set():
                    arriving = asyncio.ensure_future(consumer.one())
                    try:
                        await asyncio.wait((arriving, halted), return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        if not arriving.done():
                            arriving.cancel()
                    if arriving.done() and not arriving.cancelled():
                        tasks.create_task(self._one(arriving.result(), publisher))
        return self._moved

    async def _one(self, incoming: Incoming, publisher: Publisher) -> None:
        if self._halted.is_set():
            await hand_back([incoming])
            return
        attempt = _attempt(incoming)
        started = time.monotonic()
        message: Message | None = None
        try:
            message = decode_message(incoming.headers, incoming.body)
            payload = self._route.payload(message)
            if payload is None:
                receipt = self._receipt(message, Event.DELIVERY_LEFT_OUT, attempt)
            else:
                delivery = Delivery(
                    message=message,
                    route=RouteName(self._route.name),
                    call=self._route.call,
                    payload=payload,
                    attempt=attempt,
                )
                answer = await self._deliver(delivery)
                self._moved = True
                took_ms = round((time.monotonic() - started) * 1000)
                receipt = replace(
                    self._receipt(message, Event.DELIVERY_DONE, attempt),
                    number=answer.number[:128],
                    code="target.repeated" if answer.repeated else "",
                    took_ms=took_ms,
                )
            await publisher.publish(published(receipt))
            await acknowledge([incoming])
        except Exception as error:  # noqa: BLE001 - whatever it is, the verdict decides
            await self._recover(incoming, message, error, attempt, publisher)

    async def _deliver(self, delivery: Delivery) -> Answer:
        async with self._link.gate:
            try:
                async with asyncio.timeout(DEADLINE_S):
                    return await self._link.sink.deliver(delivery)
            except TimeoutError as error:
                raise Transient("target.timeout", "No answer in time") from error

    async def _recover(
        self,
        incoming: Incoming,
        message: Message | None,
        error: Exception,
        attempt: int,
        publisher: Publisher,
    ) -> None:
        """Do what the verdict says. If even that fails, the message goes back to its queue."""
        if isinstance(error, Transient) and error.code.startswith("broker."):
            log.warning("delivery.unconfirmed", route=self._route.name, code=error.code)
            await hand_back([incoming])
            return
        if not isinstance(error, HubError):
            log.error("delivery.bug", route=self._route.name, exc_info=error)
        decision = verdict(error, attempt, self._route.retry_s)
        try:
            match decision:
                case RetryIn(seconds=seconds, code=code):
                    headers = {**incoming.headers, ATTEMPT: attempt + 1}
                    queue = route_queue(self._route.name)
                    await publisher.publish(delayed(queue, seconds, incoming.body, headers))
                    if message:
                        told = self._receipt(message, Event.DELIVERY_RETRYING, attempt)
                        told = replace(
                            told,
                            key=f"{told.key}.{attempt}",
                            code=code,
                            faults=faults_of(error),
                        )
                        await publisher.publish(published(told))
                    await acknowledge([incoming])
                case Park():
                    await publisher.publish(
                        parked(
                            incoming,
                            error,
                            stage="route",
                            at=self._clock(),
                            attempts=attempt,
                            route=self._route.name,
                            system=self._link.system,
                        )
                    )
                    await acknowledge([incoming])
                case Halt(code=code):
                    log.error("route.halted", route=self._route.name, code=code)
                    self._halt = error if isinstance(error, HubError) else None
                    self._halted.set()
                    await hand_back([incoming])
        except Transient as lost:
            log.warning("delivery.unconfirmed", route=self._route.name, code=lost.code)
            await hand_back([incoming])

    async def _probe(self, wait_s: float) -> float:
        """Wait until the system's own check passes; the waits double up to a minute."""
        while True:
            await asyncio.sleep(wait_s)
            try:
                async with asyncio.timeout(10):
                    await self._link.sink.check()
            except (HubError, TimeoutError) as error:
                log.warning(
                    "route.still_halted",
                    route=self._route.name,
                    error=getattr(error, "code", "target.timeout"),
                )
                wait_s = min(wait_s * 2, PROBE_LAST_S)
            else:
                return wait_s

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
            system=self._link.system,
            attempt=attempt,
            trace=trace_id(message.traceparent),
            digest=message.digest,
        )


def _attempt(incoming: Incoming) -> int:
    told = incoming.headers.get(ATTEMPT, 1)
    return told if isinstance(told, int) and told > 0 else 1
