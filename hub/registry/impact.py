"""What a draft of a resource would touch, told before anybody approves it.

Promises   nothing is sent and nothing kept; of recorded messages only counts and places leave
Careful    at most `MOST` of the newest recorded messages are looked at; the number is told
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping

from catalog.derive.validator import compile_validator
from catalog.lifecycle.compare import compare
from catalog.lifecycle.impact import Impact, Recorded, Use
from catalog.model import Catalogue, Resource
from hub.crypto import Seal
from hub.envelope import decode_body
from hub.payloads import unpacked
from hub.plan import Plan
from hub.preview import edited_bodies, preview, recorded
from hub.registry.releasing import Releaser
from hub.registry.texts import resource_of, with_version
from hub.store import Store
from schemas.errors import HubError, Misconfigured
from schemas.message import Body

__all__ = ["MOST", "Records", "Services", "impact_of", "recorded_by", "uses_of"]

Services = Mapping[str, Sequence[str]]
MOST = 2000
TABLES = "front-library"


async def impact_of(
    text: str,
    *,
    store: Store,
    releaser: Releaser,
    seal: Seal,
    since: datetime,
    services: Services,
) -> Impact:
    """*text*: of the draft's file; *services*: the resources that each domain service follows."""
    draft = resource_of(text)
    live = await releaser.plan()
    changed, problems = await releaser.tried(
        lambda texts: with_version(texts, draft.resource, text)
    )
    now = live.resources.get(draft.resource)
    catalogue = live.declarations.catalogue
    rows = await store.read(lambda c: recorded(c, since=since, limit=MOST, resource=draft.resource))
    edited = await store.read(lambda c: edited_bodies(c, [row["message_id"] for row in rows]))
    comparison = compare(now, draft, catalogue, catalogue) if now else None
    records = Records(rows, edited, seal, since)
    try:
        told = await asyncio.to_thread(recorded_by, records, live, changed, draft, catalogue)
    except Misconfigured:
        told = None
    return Impact(comparison, uses_of(draft.resource, live, services), problems, told)


def uses_of(resource: str, plan: Plan, services: Services) -> tuple[Use, ...]:
    """Intakes that feed it, routes and services that take it."""
    declared = plan.declarations
    intakes = [
        _use("intake", intake.intake, intake.system, plan)
        for intake in declared.intakes.values()
        if any(each.resource == resource for each in intake.publish)
    ]
    routes = [
        _use("route", each.name, each.system, plan, each.grant.number if each.grant else "")
        for each in plan.routes.values()
        if any(binding.partition(".")[0] == resource for binding in each.bindings)
    ]
    followed = [Use("service", name) for name, taken in services.items() if resource in taken]
    return (*intakes, *routes, *followed)


def _use(kind: str, name: str, system: str, plan: Plan, grant: str = "") -> Use:
    declared = plan.declarations.systems.get(system)
    owner, connector = (declared.owner, declared.connector) if declared else ("", "")
    return Use(kind, name, system, owner, grant, connector == TABLES)


@dataclass(frozen=True, slots=True)
class Records:
    """Recorded messages of one resource, as they were sealed."""

    rows: Sequence[RowMapping]
    edited: Mapping[str, bytes]
    seal: Seal
    since: datetime

    def body(self, row: RowMapping) -> Body:
        """Raises `HubError` where it cannot be read."""
        sealed = self.edited.get(row["message_id"]) or row["sealed"]
        return decode_body(unpacked(sealed, self.seal))


def recorded_by(
    records: Records, live: Plan, changed: Plan | None, draft: Resource, catalogue: Catalogue
) -> Recorded:
    """What *draft*, read with the elements of *catalogue*, makes of them. Raises `Misconfigured`."""
    before = live.versions.get(draft.resource, ())
    after = compile_validator(draft, catalogue)
    unreadable = failing = 0
    by_fault: Counter[tuple[str, str]] = Counter()
    for row in records.rows:
        try:
            body = records.body(row)
        except HubError:
            unreadable += 1
            continue
        faults = after(body).faults
        if not faults or all(validator(body).faults for _, validator in before):
            continue
        failing += 1
        by_fault.update({(fault.code, fault.at) for fault in faults})
    routes: Counter[tuple[str, str]] = Counter()
    if changed is not None:
        for change in preview(records.rows, records.edited, records.seal, live, changed).changes:
            routes[change.route, change.what] += 1
    return Recorded(records.since, len(records.rows), unreadable, failing, by_fault, routes)
