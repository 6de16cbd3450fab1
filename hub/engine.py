"""The engine's roles, and keeping them running: one process runs all of them, or some of many.

Promises   a role that fails because the broker or the database is away starts again by itself, ever
           more rarely, and never takes another role down with it
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from hub.broker import Broker
from hub.crypto import Seal
from hub.delivery import Link, RouteWorker
from hub.failures import FailureWriter
from hub.ledger import LedgerWriter
from hub.pipeline import Pipeline
from hub.plan import Plan
from hub.port import Recalls, Source
from hub.retention import LedgerKeeper, Retention
from hub.retry_runner import RetryRunner
from hub.route_states import RouteStates
from hub.sources import SourcePoll
from hub.store import Store
from hub.streams import Subscriber
from hub.subscribers import ServiceRunner
from hub.topology import Binding, declare, service_queue
from schemas.errors import HubError
from schemas.message import SystemCode
from schemas.receipt import Event

__all__ = ["ROLES", "Engine", "Polled"]

ROLES = ("pipeline", "delivery", "ledger", "sources", "services", "jobs")
AGAIN_FIRST_S, AGAIN_LAST_S, STEADY_S = 0.5, 30.0, 60.0
STOP_FIRST_S, STOP_AGAIN_S = 12.0, 0.5
log = structlog.get_logger("hub.engine")


@dataclass(frozen=True, slots=True)
class Polled:
    """A system that is asked for news every *poll_s* seconds."""

    system: SystemCode
    source: Source
    poll_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """*links* by system code. *changed* hears of events after they are in the ledger."""

    url: str
    broker: Broker
    store: Store
    seal: Seal
    plan: Plan
    clock: Callable[[], datetime]
    links: Mapping[str, Link] = field(default_factory=dict)
    polled: Sequence[Polled] = ()
    subscribers: Sequence[Subscriber] = ()
    changed: Callable[[frozenset[Event]], None] = lambda _: None
    retention: Retention = field(default_factory=Retention)

    async def declare(self) -> None:
        services = (
            Binding(service_queue(s.name), tuple(f"{r}.*" for r in s.resources))
            for s in self.subscribers
        )
        await declare(self.broker, [*self.plan.bindings, *services])

    async def run(self, roles: Sequence[str] = ROLES) -> None:
        """Run *roles* until cancelled."""
        tasks = [
            asyncio.create_task(_keep_running(name, work), name=name)
            for name, work in self._works(roles)
        ]
        try:
            # Not gather: cancelled, it would wait for tasks that may have swallowed the cancelling.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _end(tasks)

    def _works(self, roles: Sequence[str]) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        broker, store, seal, clock = self.broker, self.store, self.seal, self.clock
        states = RouteStates(store)
        works: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        if "pipeline" in roles:
            works.append(("pipeline", Pipeline(broker, store, self.plan, clock).run))
        if "ledger" in roles:
            by = self.retention.by
            writer = LedgerWriter(broker, store, seal, clock, self.changed, by)
            works.append(("ledger", writer.run))
            works.append(("retention", LedgerKeeper(store, self.retention, clock).run))
            works.append(("failures", FailureWriter(broker, store, seal, clock).run))
        if "jobs" in roles:
            works.append(("jobs", self._retries().run))
        if "delivery" in roles:
            works += [
                (f"route {route.name}", RouteWorker(broker, store, seal, route, link, clock).run)
                for route in self.plan.routes.values()
                if (link := self.links.get(route.system))
            ]
        if "sources" in roles:
            works += [
                (
                    f"source {each.system}",
                    SourcePoll(
                        broker,
                        store,
                        each.system,
                        each.source,
                        poll_s=each.poll_s,
                        states=states,
                        clock=clock,
                    ).run,
                )
                for each in self.polled
            ]
        if "services" in roles and self.subscribers:
            runner = ServiceRunner(self.url, broker, store, seal, self.subscribers, clock)
            works.append(("services", runner.run))
        return works

    def _retries(self) -> RetryRunner:
        return RetryRunner(
            broker=self.broker,
            store=self.store,
            seal=self.seal,
            plan=self.plan,
            clock=self.clock,
            repeatable=self._repeatable,
        )

    def _repeatable(self, route: str) -> bool:
        """Whether the route's system takes a repeat for what it is, or can be asked."""
        compiled = self.plan.routes.get(route)
        link = self.links.get(compiled.system) if compiled else None
        if link is None:
            return False
        return link.sink.traits.idempotent or isinstance(link.sink, Recalls)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel *tasks*, and leave them time to finish what is under way. Then again, until they have
    ended: a library that swallows a cancelling would go on for ever."""
    pending, wait_s = set(tasks), STOP_FIRST_S
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=wait_s)
        wait_s = STOP_AGAIN_S


async def _keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    wait_s = AGAIN_FIRST_S
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await work()
        except Exception as raised:
            match _cause(raised):
                case HubError(code=code):
                    log.warning("role.failed", role=name, code=code, again_s=wait_s)
                case error:
                    kind = type(error).__name__
                    log.exception("role.broke", role=name, error=kind, again_s=wait_s)
        if loop.time() - started > STEADY_S:
            wait_s = AGAIN_FIRST_S
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, AGAIN_LAST_S)


def _cause(raised: Exception) -> Exception:
    """Of what several tasks of a role raised: a bug before a trouble, else the first."""
    if not isinstance(raised, ExceptionGroup):
        return raised
    causes = [_cause(each) for each in raised.exceptions]
    return next((each for each in causes if not isinstance(each, HubError)), causes[0])
