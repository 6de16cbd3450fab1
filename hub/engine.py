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
from hub.gates import Gate, set_gates
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
from hub.suspects import Suspects
from hub.topology import Binding, declare, route_of, route_queue, service_queue, unbind
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
    """*links* by system code. *retired*: routes as they are no longer declared, whose queues are
    still to be worked off. *gates*: of routes that have two queues. *changed* hears of events after they are in the ledger."""

    url: str
    broker: Broker
    store: Store
    seal: Seal
    plan: Plan
    clock: Callable[[], datetime]
    links: Mapping[str, Link] = field(default_factory=dict)
    polled: Sequence[Polled] = ()
    retired: Sequence[CompiledRoute] = ()
    gates: Sequence[Gate] = ()
    subscribers: Sequence[Subscriber] = ()
    changed: Callable[[frozenset[Event]], None] = lambda _: None
    retention: Retention = field(default_factory=Retention)
    _suspects: Suspects = field(init=False)
    _pipeline: Pipeline | None = field(default=None, init=False)
    _crew: Crew | None = field(default=None, init=False)
    _roles: Sequence[str] = field(default=(), init=False)

    def __post_init__(self) -> None:
        self._suspects = Suspects(self.store, self.clock)

    async def declare(self) -> None:
        await self._declare(self.plan, self.retired, self.gates)

    async def use(
        self,
        plan: Plan,
        *,
        links: Mapping[str, Link],
        polled: Sequence[Polled] = (),
        retired: Sequence[CompiledRoute] = (),
        unbound: Sequence[Binding] = (),
        gates: Sequence[Gate] = (),
    ) -> None:
        """
        Go over to *plan* while running: topology first, then the pipeline between two batches, then
        the routes that differ, each between two messages. *unbound*: what queues follow no longer.

        Repeatable. Where the broker refuses or is away, everything stays as it was.
        """
        await self._declare(plan, retired, gates)
        await unbind(self.broker, unbound)
        self.plan, self.links, self.polled, self.retired = plan, links, polled, retired
        self.gates = gates
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

    async def _declare(
        self, plan: Plan, retired: Sequence[CompiledRoute], gates: Sequence[Gate]
    ) -> None:
        gated = {gate.route for gate in gates}
        services = (
            Binding(service_queue(s.name), tuple(f"{r}.*" for r in s.resources))
            for s in self.subscribers
        )
        left = (Binding(route_queue(r.name, in_order=r.in_order), (), r.in_order) for r in retired)
        direct = (each for each in plan.bindings if route_of(each.queue) not in gated)
        await declare(self.broker, [*direct, *left, *services])
        await set_gates(self.broker, gates)

    def _works(self, roles: Sequence[str]) -> dict[str, Work]:
        broker, store, seal, clock = self.broker, self.store, self.seal, self.clock
        works: dict[str, Work] = {}
        if "pipeline" in roles:
            self._pipeline = self._pipeline or Pipeline(
                broker, store, self.plan, clock, self._suspects
            )
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
        if "services" in roles:
            for each in self.subscribers:
                runner = ServiceRunner(broker, store, seal, each, clock, self._plan, self._suspects)
                works[f"service {each.name}"] = Work(runner.run)
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
        parts = (self.broker, self.store, self.seal, self._suspects)
        left = {(route.name, route.in_order) for route in self.retired}
        for route in self.plan.routes.values():
            if link := self.links.get(route.system):
                # What was there before it kept an order goes first.
                behind = route.in_order and (route.name, False) in left
                worker = RouteWorker(*parts, route, link, self.clock, behind=behind)
                # What a message becomes also depends on the code tables and elements.
                of = (route.version, link, shared, behind)
                works[f"route {self.plan.queue_of(route.name)}"] = Work(worker.run, of)
        for route in self.retired:
            if link := self.links.get(route.system):
                worker = RouteWorker(*parts, route, link, self.clock, left=True)
                queue = route_queue(route.name, in_order=route.in_order)
                works[f"left {queue}"] = Work(worker.run, (route.version, link))
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
            plan=self._plan,
        )
        return Work(poll.run, each)

    def _plan(self) -> Plan:
        return self.plan
