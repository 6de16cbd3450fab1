"""The hub's own answers to what the console asks (`monitoring.ports`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from catalog.model import Item
from hub import ledger_views
from hub.broker import Broker
from hub.crypto import Seal
from hub.envelope import decode_body
from hub.failure_desk import FailureDesk
from hub.payloads import unpacked
from hub.plan import Plan
from hub.route_states import RouteState, halted_routes
from hub.store import Store
from hub.store.retries import Chosen
from hub.topology import depths, service_queue
from hub.trace import trace
from monitoring.ports import (
    Count,
    Failure,
    FailureGroup,
    Hop,
    Names,
    Payload,
    Place,
    Route,
    Snapshot,
)
from schemas.errors import Fault
from schemas.receipt import Event

__all__ = ["ConsoleFailures", "ConsoleLedger", "ConsoleTopology", "ServiceFacts"]

LADDER_WINDOW = timedelta(hours=24)
HOP_FIELDS = frozenset(field.name for field in fields(Hop))
FAILURE_FIELDS = frozenset(field.name for field in fields(Failure))


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A domain service, as the map shows it."""

    name: str
    names: Names
    follows: tuple[str, ...]
    publishes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsoleLedger:
    store: Store
    seal: Seal
    plan: Plan

    async def counts(self, since: datetime) -> Sequence[Count]:
        rows = await self.store.read(partial(ledger_views.counts, since=since))
        return [
            Count(
                event=Event(row["event"]),
                count=row["many"],
                source=row["source"],
                resource=row["resource"],
                route=row["route"],
                system=row["system"],
            )
            for row in rows
        ]

    async def series(
        self, event: Event, since: datetime, until: datetime, bucket_s: int
    ) -> Sequence[int]:
        return await self.store.read(
            lambda c: ledger_views.series(c, event, since, until, bucket_s)
        )

    async def recent(self, *, limit: int, system: str = "", resource: str = "") -> Sequence[Hop]:
        ask = partial(ledger_views.recent, limit=limit, system=system, resource=resource)
        return [_hop(row) for row in await self.store.read(ask)]

    async def trace(self, asked: str) -> Sequence[Hop]:
        return [_hop(row) for row in await self.store.read(lambda c: trace(c, asked))]

    async def payload(self, message_id: str) -> Payload | None:
        found = await self.store.read(lambda c: ledger_views.payload(c, message_id))
        if found is None:
            return None
        resource, sealed = found
        mask = self.plan.masks.get(resource)
        body = decode_body(unpacked(sealed, self.seal))
        shown = mask(body) if mask else dict.fromkeys(body, "＊")
        return Payload(body=shown, names=_item_names(self.plan, resource))


@dataclass(frozen=True, slots=True)
class ConsoleFailures:
    desk: FailureDesk
    plan: Plan

    async def groups(self) -> Sequence[FailureGroup]:
        return [
            FailureGroup(
                fingerprint=group.fingerprint,
                stage=group.stage,
                route=group.route,
                system=group.system,
                source=group.source,
                resource=group.resource,
                code=group.code,
                faults=_faults(group.faults),
                count=group.count,
                first_at=group.first_at,
                last_at=group.last_at,
            )
            for group in await self.desk.groups()
        ]

    async def listed(
        self, *, state: str = "waiting", fingerprint: str = "", limit: int = 200
    ) -> Sequence[Failure]:
        chosen = Chosen(fingerprint=fingerprint)
        return [_failure(row) for row in await self.desk.listed(state, chosen, limit)]

    async def one(self, failure_id: str) -> Failure:
        return _failure(await self.desk.row(failure_id))

    async def masked(self, failure_id: str) -> Payload:
        row = await self.desk.row(failure_id)
        return Payload(body=self.desk.masked(row), names=_item_names(self.plan, row["resource"]))

    async def retry(self, ids: Sequence[str], by: str) -> Sequence[str]:
        return await self.desk.retry(ids, by)

    async def discard(self, ids: Sequence[str], reason: str, by: str) -> Sequence[str]:
        return await self.desk.discard(ids, reason, by)


@dataclass(frozen=True, slots=True)
class ConsoleTopology:
    store: Store
    broker: Broker
    plan: Plan
    services: Sequence[ServiceFacts]
    clock: Callable[[], datetime]

    async def snapshot(self) -> Snapshot:
        queues = [queue for name in self.plan.routes for queue in self.plan.queues_of(name)]
        queues += [service_queue(service.name) for service in self.services]
        waiting = await depths(self.broker, queues)
        since = self.clock() - LADDER_WINDOW
        retrying = await self.store.read(partial(ledger_views.retrying, since=since))
        halted = await self.store.read(halted_routes)
        return Snapshot(
            places=(*self._systems(), *self._services()),
            streams={
                name: Names(resource.name.zh, resource.name.en)
                for name, resource in self.plan.resources.items()
            },
            routes=(
                *self._routes(waiting, retrying, halted),
                *self._subscriptions(waiting, retrying),
            ),
        )

    def _systems(self) -> list[Place]:
        publishes: dict[str, list[str]] = {}
        for declared in self.plan.declarations.intakes.values():
            system = declared.intake.partition(".")[0]
            publishes.setdefault(system, []).extend(each.resource for each in declared.publish)
        return [
            Place(
                code=code,
                names=Names(declared.name.zh, declared.name.en),
                owner=declared.owner,
                publishes=tuple(dict.fromkeys(publishes.get(code, ()))),
            )
            for code, declared in self.plan.declarations.systems.items()
        ]

    def _services(self) -> list[Place]:
        return [
            Place(
                code=service.name,
                names=service.names,
                kind="service",
                publishes=service.publishes,
            )
            for service in self.services
        ]

    def _routes(
        self,
        waiting: Mapping[str, tuple[int, int]],
        retrying: Mapping[str, int],
        halted: Mapping[str, RouteState],
    ) -> list[Route]:
        routes = []
        for name, route in self.plan.routes.items():
            halt = halted.get(name) or halted.get(f"system {route.system}")
            tries = retrying.get(name, 0)
            routes.append(
                Route(
                    name=name,
                    resources=tuple(dict.fromkeys(b.partition(".")[0] for b in route.bindings)),
                    to=route.system,
                    state="halted" if halt else "retrying" if tries else "flowing",
                    waiting=sum(
                        waiting.get(queue, (0, 0))[0] for queue in self.plan.queues_of(name)
                    ),
                    retrying=tries,
                    since=halt.since if halt else None,
                    fault=_faults(halt.faults)[0] if halt and halt.faults else None,
                )
            )
        return routes

    def _subscriptions(
        self, waiting: Mapping[str, tuple[int, int]], retrying: Mapping[str, int]
    ) -> list[Route]:
        return [
            Route(
                name=service.name,
                resources=service.follows,
                to=service.name,
                state="retrying" if retrying.get(service.name) else "flowing",
                waiting=waiting.get(service_queue(service.name), (0, 0))[0],
                retrying=retrying.get(service.name, 0),
            )
            for service in self.services
        ]


def _hop(row: Mapping[Any, Any]) -> Hop:
    told = {name: row[name] for name in row if name in HOP_FIELDS}
    told["event"] = Event(told["event"])
    told["faults"], told["doubts"] = _faults(told["faults"]), _faults(told["doubts"])
    return Hop(**told)


def _failure(row: Mapping[Any, Any]) -> Failure:
    told = {name: row[name] for name in row if name in FAILURE_FIELDS}
    return Failure(**{**told, "faults": _faults(told["faults"])})


def _faults(told: Sequence[Mapping[str, Any]]) -> tuple[Fault, ...]:
    return tuple(Fault(**each) for each in told)


def _item_names(plan: Plan, resource: str) -> dict[str, Names]:
    declared = plan.resources.get(resource)
    return _names_of(declared.items, plan) if declared else {}


def _names_of(items: Sequence[Item], plan: Plan) -> dict[str, Names]:
    elements = plan.declarations.catalogue.elements
    names: dict[str, Names] = {}
    for item in items:
        element = elements.get(item.element or "")
        found = item.name or (element.name if element else None)
        if found:
            names[item.wire_name] = Names(found.zh, found.en)
        names |= _names_of(item.items, plan)
    return names
