"""The engine's roles, and keeping them running: one process runs all of them, or some of many.

Promises   a role that fails because the broker or the database is away starts again by itself, ever
           more rarely, and never takes another role down with it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hub.broker import Broker
from hub.crew import Crew, Work
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
from hub.topology import Binding, declare, route_queue, service_queue, unbind
from routes.route import CompiledRoute
from schemas.message import SystemCode
from schemas.receipt import Event

__all__ = ["ROLES", "Engine", "Polled"]

ROLES = ("pipeline", "delivery", "ledger", "sources", "services", "jobs")


@dataclass(frozen=True, slots=True)
class Polled:
    """A system that is asked for news every *poll_s* seconds."""

    system: SystemCode
    source: Source
    poll_s: float


@dataclass(slots=True, kw_only=True)
class Engine:
    """*links* by system code. *retired*: routes that are no longer declared, whose queues are still
    to be worked off. *changed* hears of events after they are in the ledger."""

    url: str
    broker: Broker
    store: Store
    seal: Seal
    plan: Plan
    clock: Callable[[], datetime]
    links: Mapping[str, Link] = field(default_factory=dict)
    polled: Sequence[Polled] = ()
    retired: Sequence[CompiledRoute] = ()
    subscribers: Sequence[Subscriber] = ()
    changed: Callable[[frozenset[Event]], None] = lambda _: None
    retention: Retention = field(default_factory=Retention)
    _pipeline: Pipeline | None = field(default=None, init=False)
    _crew: Crew | None = field(default=None, init=False)
    _roles: Sequence[str] = field(default=(), init=False)

    async def declare(self) -> None:
        await self._declare(self.plan, self.retired)

    async def use(
        self,
        plan: Plan,
        *,
        links: Mapping[str, Link],
        polled: Sequence[Polled] = (),
        retired: Sequence[CompiledRoute] = (),
        unbound: Sequence[Binding] = (),
    ) -> None:
        """
        Go over to *plan* while running: topology first, then the pipeline between two batches, then
        the routes that differ, each between two messages. *unbound*: what queues follow no longer.

        Repeatable. Where the broker refuses or is away, everything stays as it was.
        """
        await self._declare(plan, retired)
        await unbind(self.broker, unbound)
        self.plan, self.links, self.polled, self.retired = plan, links, polled, retired
        if self._pipeline:
            self._pipeline.use(plan)
        if self._crew:
            await self._crew.keep(self._works(self._roles))

    async def run(self, roles: Sequence[str] = ROLES) -> None:
        """Run *roles* until cancelled."""
        self._crew, self._roles = Crew(), roles
        try:
            await self._crew.keep(self._works(roles))
            await self._crew.broken()
        finally:
            await self._crew.close()

    async def _declare(self, plan: Plan, retired: Sequence[CompiledRoute]) -> None:
        services = (
            Binding(service_queue(s.name), tuple(f"{r}.*" for r in s.resources))
            for s in self.subscribers
        )
        left = (Binding(route_queue(r.name), (), r.order_by != "none") for r in retired)
        await declare(self.broker, [*plan.bindings, *left, *services])

    def _works(self, roles: Sequence[str]) -> dict[str, Work]:
        broker, store, seal, clock = self.broker, self.store, self.seal, self.clock
        works: dict[str, Work] = {}
        if "pipeline" in roles:
            self._pipeline = self._pipeline or Pipeline(broker, store, self.plan, clock)
            works["pipeline"] = Work(self._pipeline.run)
        if "ledger" in roles:
            writer = LedgerWriter(broker, store, seal, clock, self.changed, self.retention.by)
            works["ledger"] = Work(writer.run)
            works["retention"] = Work(LedgerKeeper(store, self.retention, clock).run)
            works["failures"] = Work(FailureWriter(broker, store, seal, clock).run)
        if "jobs" in roles:
            works["jobs"] = Work(self._retries().run, (self.plan, self.links))
        if "delivery" in roles:
            works |= self._routes()
        if "sources" in roles:
            works |= {f"source {each.system}": self._source(each) for each in self.polled}
        if "services" in roles and self.subscribers:
            runner = ServiceRunner(self.url, broker, store, seal, self.subscribers, clock)
            works["services"] = Work(runner.run)
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

    def _routes(self) -> dict[str, Work]:
        works = {}
        shared = (self.plan.declarations.catalogue, self.plan.declarations.tables)
        for route in (*self.plan.routes.values(), *self.retired):
            if link := self.links.get(route.system):
                worker = RouteWorker(self.broker, self.store, self.seal, route, link, self.clock)
                # What a message becomes also depends on the code tables and elements. Of a retired
                # route it never changes.
                of = () if route.name not in self.plan.routes else shared
                works[f"route {route.name}"] = Work(worker.run, (route.version, link, of))
        return works

    def _source(self, each: Polled) -> Work:
        poll = SourcePoll(
            self.broker,
            self.store,
            each.system,
            each.source,
            poll_s=each.poll_s,
            states=RouteStates(self.store),
            clock=self.clock,
        )
        return Work(poll.run, each)
