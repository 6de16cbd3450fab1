"""What a change of a data element would touch, told before anybody makes it.

Promises   nothing is sent and nothing kept; of recorded messages only counts and places leave
Careful    the newest recorded messages are looked at, `MOST` of them over all resources that are bound
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from functools import partial

from catalog.lifecycle.compare import compare
from catalog.lifecycle.impact import BoundUse, ElementImpact, Recorded
from catalog.lifecycle.items import covered, paths
from catalog.lifecycle.kept import ACTIVE, Grant
from catalog.lifecycle.steps import OPEN, State
from catalog.model import Catalogue, DataElement, Resource
from hub.crypto import Seal
from hub.plan import Plan
from hub.preview import edited_bodies, recorded
from hub.registry.elements import placed
from hub.registry.grant_rows import grants
from hub.registry.impact import MOST, Records, Services, recorded_by, uses_of
from hub.registry.releasing import Releaser
from hub.registry.texts import resource_of
from hub.registry.version_rows import listed
from hub.store import Store
from schemas.declarations import parse
from schemas.errors import Misconfigured

__all__ = ["element_impact"]

LEAST = 100


async def element_impact(
    text: str,
    *,
    store: Store,
    releaser: Releaser,
    seal: Seal,
    since: datetime,
    services: Services,
) -> ElementImpact:
    """*text*: of the changed element. Raises `InvalidDeclaration`."""
    element = parse(text, DataElement, file="element")
    live = await releaser.plan()
    changed, problems = await releaser.tried(lambda texts: placed(texts, element, text))
    before = live.declarations.catalogue
    after = replace(before, elements={**before.elements, element.short_name: element})
    bound = {
        name: found
        for name, resource in live.resources.items()
        if (found := _places(resource, element.short_name))
    }
    active = await store.read(partial(grants, state=ACTIVE))
    pending = await store.read(partial(listed, states=tuple(OPEN)))
    told = []
    for name, items in bound.items():
        resource = live.resources[name]
        most = max(LEAST, MOST // len(bound))
        rows = await store.read(partial(recorded, since=since, limit=most, resource=name))
        edited = await store.read(partial(edited_bodies, ids=[r["message_id"] for r in rows]))
        records = Records(rows, edited, seal, since)
        work = partial(_judged, records, live, changed, resource, after)
        told.append(
            BoundUse(
                resource=name,
                name=resource.name,
                number=resource.version,
                state=State.PUBLISHED,
                items=items,
                comparison=compare(resource, resource, before, after),
                uses=uses_of(name, live, services),
                grants=_granted(active, name, items),
                recorded=await asyncio.to_thread(work),
            )
        )
    for version in pending:
        draft = resource_of(version.text)
        if items := _places(draft, element.short_name):
            told.append(
                BoundUse(
                    resource=draft.resource,
                    name=draft.name,
                    number=draft.version,
                    state=version.standing.state,
                    items=items,
                    comparison=compare(draft, draft, before, after),
                )
            )
    return ElementImpact(tuple(told), problems)


def _places(resource: Resource, element: str) -> tuple[str, ...]:
    return tuple(path for path, item in paths(resource).items() if item.element == element)


def _granted(active: list[Grant], resource: str, items: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        each.number
        for each in active
        if each.resource == resource and any(covered(path, each.items) for path in items)
    )


def _judged(
    records: Records, live: Plan, changed: Plan | None, resource: Resource, catalogue: Catalogue
) -> Recorded | None:
    try:
        return recorded_by(records, live, changed, resource, catalogue)
    except Misconfigured:
        return None
