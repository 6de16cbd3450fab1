"""Is every message accounted for? Reckoned from the ledger, and from the partners' own stores.

The two are counted apart: what the ledger says was delivered must be what each partner holds, key by
key. What is nowhere is lost; what a partner took twice is doubled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from hub.plan import Plan
from hub.store.tables import failures, ledger
from schemas.receipt import Event
from shuniu.demo.partners import Held

__all__ = ["LedgerCounts", "Summary", "count_ledger", "last_row", "reckon"]

ENDS = (Event.DELIVERY_DONE, Event.DELIVERY_LEFT_OUT, Event.DELIVERY_FAILED)
SERVICE_ENDS = (Event.SERVICE_DONE, Event.SERVICE_FAILED)
RECORD_ENDS = (Event.RECORD_ACCEPTED, Event.RECORD_REPEATED, Event.RECORD_REJECTED)


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """*open*: steps that have begun and not ended, as ``(id, place)``, some of them."""

    published: Mapping[str, int]
    events: Mapping[str, int]
    delivered: Mapping[str, frozenset[str]]  # route: delivery keys
    open: Sequence[tuple[str, str]]
    open_count: int
    failures: int
    last_id: int


@dataclass(frozen=True, slots=True)
class Summary:
    applications: int
    items: int
    deliveries: int
    results: int
    licences: int
    receipts: int
    failures: int
    lost: int
    duplicated: int
    seconds: float
    per_second: float
    retries: int = 0
    agrees: bool = False
    differences: Sequence[str] = field(default_factory=tuple)

    @property
    def accounted(self) -> bool:
        return self.agrees and not (self.lost or self.duplicated or self.failures)

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.accounted}


def last_row(connection: Connection) -> int:
    return connection.scalar(select(func.max(ledger.c.id))) or 0


def count_ledger(
    connection: Connection, plan: Plan, services: Mapping[str, Sequence[str]], after: int
) -> LedgerCounts:
    """*services*: name to the resources it follows. *after*: rows up to this id are another run's."""
    c = ledger.c
    counted = select(c.event, func.count()).where(c.id > after).group_by(c.event)
    events: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    rows = connection.execute(
        select(c.event, c.message_id, c.resource, c.operation, c.route).where(
            c.id > after, c.event.not_in([Event.DELIVERY_RETRYING, Event.SERVICE_RETRYING])
        )
    ).all()
    published: dict[str, int] = {}
    begun: set[tuple[str, str]] = set()
    ended: set[tuple[str, str]] = set()
    delivered: dict[str, set[str]] = {}
    for event, message_id, resource, operation, route in rows:
        what = Event(event)
        if what is Event.MESSAGE_PUBLISHED:
            published[resource] = published.get(resource, 0) + 1
            places = _places(plan, services, resource, operation)
            begun |= {(message_id, place) for place in places}
        elif what is Event.RECORD_RECEIVED:
            begun.add((message_id, "pipeline"))
        elif what in RECORD_ENDS:
            ended.add((message_id, "pipeline"))
        elif what in ENDS:
            ended.add((message_id, f"route {route}"))
            if what is Event.DELIVERY_DONE:
                delivered.setdefault(route, set()).add(f"{message_id}.{route}")
        elif what in SERVICE_ENDS:
            ended.add((message_id, f"service {route}"))
    still = begun - ended
    return LedgerCounts(
        published=published,
        events=events,
        delivered={route: frozenset(keys) for route, keys in delivered.items()},
        open=sorted(still)[:20],
        open_count=len(still),
        failures=connection.scalar(
            select(func.count()).where(failures.c.state.in_(("waiting", "retrying")))
        )
        or 0,
        last_id=last_row(connection),
    )


def reckon(
    counts: LedgerCounts, held: Sequence[Held], plan: Plan, *, cases: int, seconds: float
) -> Summary:
    """Hold the ledger against the partners' stores."""
    differences: list[str] = []
    lost = counts.open_count
    duplicated = 0
    if counts.open_count:
        differences += [
            f"{message_id} has not ended at {place}" for message_id, place in counts.open
        ]
    by_system = {each.system: each for each in held}
    for system, each in by_system.items():
        said = {
            key
            for name, route in plan.routes.items()
            if route.system == system
            for key in counts.delivered.get(name, ())
        }
        found = {key for keys in each.keys.values() for key in keys}
        missing, extra = said - found, found - said
        lost += len(missing)
        duplicated += each.counts.get("doubled", 0)
        if missing:
            differences.append(f"{system}: {len(missing)} delivered by the ledger, not held")
        if extra:
            differences.append(f"{system}: {len(extra)} held, not delivered by the ledger")
        if each.counts.get("doubled"):
            differences.append(f"{system}: {each.counts['doubled']} taken twice")
    applications = counts.published.get("oneThingApplication", 0)
    if applications != cases:
        lost += max(0, cases - applications)
        duplicated += max(0, applications - cases)
        differences.append(f"{cases} applications were made, {applications} stand on their stream")
    deliveries = sum(map(len, counts.delivered.values()))
    return Summary(
        applications=applications,
        items=counts.published.get("itemCase", 0),
        deliveries=deliveries,
        results=counts.published.get("caseResult", 0),
        licences=counts.published.get("electronicLicence", 0),
        receipts=sum(counts.events.get(event, 0) for event in RECORD_ENDS),
        failures=counts.failures,
        lost=lost,
        duplicated=duplicated,
        seconds=round(seconds, 1),
        per_second=round(deliveries / seconds, 1) if seconds else 0.0,
        retries=counts.events.get(Event.DELIVERY_RETRYING, 0),
        agrees=not differences,
        differences=tuple(differences),
    )


def _places(
    plan: Plan, services: Mapping[str, Sequence[str]], resource: str, operation: str
) -> list[str]:
    """Every place that a message of this type must end at."""
    types = {f"{resource}.{operation}", f"{resource}.*"}
    places = [f"route {name}" for name, route in plan.routes.items() if types & set(route.bindings)]
    places += [f"service {name}" for name, follows in services.items() if resource in follows]
    return places
