"""One process follows the live release: it looks each second, goes over to it, and says so.

Promises   a release that cannot be taken up leaves the process on the one it runs, and is tried
           again; a process killed half-way takes it up from the beginning when it starts again
Careful    between the first and the last process that switches, both releases are at work; every
           receipt names the version that handled its message
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import structlog

from hub.delivery import Link
from hub.engine import Engine, Polled
from hub.gates import Gate
from hub.plan import Plan
from hub.releases import QueueRow, live_number, loaded, plan_of, queue_rows, report
from hub.retired_queues import remove_unused
from hub.store import Store
from hub.topology import Binding
from routes.model import SystemDeclaration
from routes.route import CompiledRoute
from schemas.errors import HubError

__all__ = ["Follower", "Opened", "Systems"]

LOOK_S, TIDY_S = 1.0, 60.0
log = structlog.get_logger("hub.follow")


@dataclass(frozen=True, slots=True)
class Opened:
    links: Mapping[str, Link]
    polled: Sequence[Polled] = ()


# Opens what is new among the systems. What is no longer among them stays open until `settled`.
Systems = Callable[[Mapping[str, SystemDeclaration]], Awaitable[Opened]]


@dataclass(slots=True, kw_only=True)
class Follower:
    """*process* names it. *settled* is called after each switch, when nothing uses the old."""

    process: str
    engine: Engine
    store: Store
    systems: Systems
    settled: Callable[[Plan], Awaitable[None]]
    clock: Callable[[], datetime]
    running: int = 0
    _code: str = field(default="", init=False)

    async def start(self) -> None:
        """Take up the live release; raises what hinders it."""
        live = await self.store.read(live_number)
        if live is not None:
            await self._switch(live)

    async def run(self) -> None:
        """Follow until cancelled."""
        loop = asyncio.get_running_loop()
        tidy_at = loop.time() + TIDY_S
        while True:
            try:
                await self.look()
                if loop.time() > tidy_at:
                    tidy_at = loop.time() + TIDY_S
                    await self.tidy()
            except HubError as error:
                # Most likely the database is away; what runs goes on running.
                log.warning("release.unseen", code=error.code)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Go over to the live release where it is another, and report."""
        live = await self.store.read(live_number)
        if live is not None and live != self.running:
            try:
                await self._switch(live)
                self._code = ""
            except HubError as error:
                log.error("release.not_taken_up", release=live, code=error.code)
                self._code = error.code
        told = partial(
            report, process=self.process, release=self.running, code=self._code, at=self.clock()
        )
        await self.store.write(told)

    async def tidy(self) -> None:
        """Delete queues of routes that have been out of use for a release."""
        broker, store = self.engine.broker, self.store
        await remove_unused(broker, store, running=self.running, clock=self.clock)

    async def _switch(self, number: int) -> None:
        release = await self.store.read(partial(loaded, number=number))
        plan = await asyncio.to_thread(plan_of, release.texts)
        rows = await self.store.read(queue_rows)
        retired, systems = await self._retired(rows, plan)
        declared = systems | dict(plan.declarations.systems)
        opened = await self.systems(declared)
        await self.engine.use(
            plan,
            links=opened.links,
            polled=[each for each in opened.polled if each.system in plan.declarations.systems],
            retired=retired,
            unbound=_unbound(rows, plan),
            gates=_gates(rows, plan),
        )
        self.running = number
        await self.settled(plan)
        log.info("release.running", release=number, routes=len(plan.routes), retired=len(retired))

    async def _retired(
        self, rows: Sequence[QueueRow], plan: Plan
    ) -> tuple[list[CompiledRoute], dict[str, SystemDeclaration]]:
        """Routes whose queue is declared no longer, as they were last, and their systems."""
        retired: list[CompiledRoute] = []
        systems: dict[str, SystemDeclaration] = {}
        plans: dict[int, Plan] = {}
        for row in rows:
            if row.queue in plan.queues:
                continue
            if row.release not in plans:
                last = await self.store.read(partial(loaded, number=row.release))
                plans[row.release] = await asyncio.to_thread(plan_of, last.texts)
            route = plans[row.release].routes[row.route]
            retired.append(route)
            systems[route.system] = plans[row.release].declarations.systems[route.system]
        return retired, systems


def _unbound(rows: Sequence[QueueRow], plan: Plan) -> list[Binding]:
    """What queues were once bound to, and are no longer by *plan*; of those without a gate."""
    found = []
    gated = _gated(rows)
    for row in rows:
        route = plan.routes.get(row.route)
        now = set(route.bindings) if route else set()
        gone = tuple(kind for kind in row.types if kind not in now)
        if gone and row.route not in gated:
            found.append(Binding(row.queue, gone))
    return found


def _gated(rows: Sequence[QueueRow]) -> set[str]:
    """Routes that have both queues."""
    return {row.route for row in rows if row.in_order} & {
        row.route for row in rows if not row.in_order
    }


def _gates(rows: Sequence[QueueRow], plan: Plan) -> list[Gate]:
    gates = []
    for name in sorted(_gated(rows)):
        route = plan.routes.get(name)
        ever = {kind for row in rows if row.route == name for kind in row.types}
        gates.append(
            Gate(
                route=name,
                types=route.bindings if route else (),
                in_order=route is not None and route.in_order,
                ever=tuple(sorted(ever)),
            )
        )
    return gates
