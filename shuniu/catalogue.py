"""The catalogue of this hub: its pages, its desks, and what time does with it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from catalog.derive.interface import Interface
from catalog.lifecycle.flow import Flowed
from catalog.lifecycle.grants import Application, Stage
from catalog.lifecycle.impact import ElementImpact, Impact, Use
from catalog.lifecycle.kept import Credential, Done, Grant, Version
from catalog.lifecycle.quality import LONG_CYCLES
from catalog.lifecycle.rules import CatalogueRules
from catalog.lifecycle.steps import State, Terms
from catalog.model import Catalogue
from catalog.pages.desk import PageDesk
from catalog.pages.people import ChosenActor
from catalog.pages.ports import System
from connectors.signing import Nonces, verify
from front_db.derived import column_name
from hub.crypto import Seal
from hub.grant_door import GrantDoor, Proof
from hub.port import Inbound
from hub.registry import days, flow, grant_rows, grant_secrets, meters, uploads, version_rows
from hub.registry.element_impact import element_impact
from hub.registry.elements import ElementDesk
from hub.registry.grants import GrantDesk, end_grants
from hub.registry.impact import impact_of, uses_of
from hub.registry.releasing import Releaser
from hub.registry.versions import VersionDesk
from hub.releases import live_number
from hub.store import Store
from schemas.calendar import beijing_day, read_calendars
from schemas.declarations import parse
from schemas.errors import HubError
from shuniu.clock import now
from shuniu.granted_views import Over
from shuniu.interface import interface_of
from shuniu.releases import checked
from shuniu.service_list import FOLLOWED
from shuniu.settings import Settings
from shuniu.shares import share_script
from shuniu.site import texts_of
from web.shared import Shared
from web.shell import Shell

__all__ = ["CatalogueHub", "LiveRegistry", "StoredUploads", "build_catalogue"]

LOOK_S = 10.0
FLOWS_KEPT_S, FLOWS_SINCE = 60.0, timedelta(days=90)
# A yearly cycle is judged by what came in the years before.
DAYS_SINCE = timedelta(days=3 * 366)
IMPACT_SINCE = timedelta(days=7)
FILE = "rules/catalogue.yaml"
DEFAULTS = """
rules: catalogue
version: 1
unit_review_days: 5
authority_review_days: 2
answer_days: 10
notice_days: 20
warn_days: 15
restore_days: 90
grant_days: 366
"""
log = structlog.get_logger("shuniu.catalogue")


@dataclass(slots=True)
class LiveRegistry:
    """The hub's own answers to what the catalogue's pages ask (`catalog.pages.ports`)."""

    store: Store
    releaser: Releaser
    seal: Seal
    _flows: Shared[Flowed] = field(init=False)

    def __post_init__(self) -> None:
        self._flows = Shared(self._asked_flows, FLOWS_KEPT_S)

    async def catalogue(self) -> Catalogue:
        return (await self.releaser.plan()).declarations.catalogue

    async def systems(self) -> Mapping[str, System]:
        declared = (await self.releaser.plan()).declarations.systems
        return {code: System(code, each.name, each.owner) for code, each in declared.items()}

    async def interface(self) -> Interface:
        plan = await self.releaser.plan()
        return await asyncio.to_thread(interface_of, plan.declarations)

    async def uses(self, resource: str) -> Sequence[Use]:
        return uses_of(resource, await self.releaser.plan(), FOLLOWED)

    async def flows(self) -> Flowed:
        return await self._flows.get()

    async def versions(self, resource: str = "", states: Sequence[State] = ()) -> Sequence[Version]:
        return await self.store.read(partial(version_rows.listed, resource=resource, states=states))

    async def version(self, resource: str, number: int) -> Version:
        return await self.store.read(partial(version_rows.one, resource=resource, number=number))

    async def done(self, subject: str) -> Sequence[Done]:
        return await self.store.read(partial(version_rows.acts_of, subject=subject))

    async def applications(
        self, stages: Sequence[Stage] = (), resource: str = ""
    ) -> Sequence[Application]:
        return await self.store.read(
            partial(grant_rows.applications, stages=stages, resource=resource)
        )

    async def application(self, number: str) -> Application:
        return await self.store.read(partial(grant_rows.application, number=number))

    async def grants(self, state: str = "", resource: str = "") -> Sequence[Grant]:
        return await self.store.read(partial(grant_rows.grants, state=state, resource=resource))

    async def grant(self, number: str) -> Grant:
        return await self.store.read(partial(grant_rows.grant, number=number))

    async def use(self, number: str) -> Mapping[str, int]:
        return await self.store.read(partial(meters.use_of, number=number))

    async def credential(self, number: str) -> Credential | None:
        return await self.store.read(partial(grant_secrets.credential, number=number))

    async def view_script(self, number: str, dialect: str, *, end: bool) -> str:
        return await asyncio.to_thread(
            share_script,
            self.store,
            self.seal,
            number,
            dialect=dialect,
            over=Over.OUT,
            end=end,
            at=now(),
        )

    async def impact(self, text: str) -> Impact:
        return await impact_of(
            text,
            store=self.store,
            releaser=self.releaser,
            seal=self.seal,
            since=now() - IMPACT_SINCE,
            services=FOLLOWED,
        )

    async def element_impact(self, text: str) -> ElementImpact:
        return await element_impact(
            text,
            store=self.store,
            releaser=self.releaser,
            seal=self.seal,
            since=now() - IMPACT_SINCE,
            services=FOLLOWED,
        )

    async def _asked_flows(self) -> Flowed:
        at, catalogue = now(), await self.catalogue()
        long = [name for name, each in catalogue.resources.items() if each.cycle in LONG_CYCLES]
        reach = beijing_day(at - DAYS_SINCE)
        return await self.store.read(
            partial(flow.flowed, since=at - FLOWS_SINCE, long=long, reach=reach)
        )


@dataclass(frozen=True, slots=True)
class StoredUploads:
    """Uploaded files in the store, so that all processes see them (`catalog.pages.ports`)."""

    store: Store

    async def put(self, by: str, content: bytes, at: datetime) -> str:
        return await self.store.write(partial(uploads.put, by=by, content=content, at=at))

    async def get(self, token: str, by: str, at: datetime) -> bytes | None:
        return await self.store.read(partial(uploads.get, token=token, by=by, at=at))

    async def drop(self, token: str) -> None:
        await self.store.write(partial(uploads.drop, token=token))


@dataclass(frozen=True, slots=True)
class CatalogueHub:
    """What the hub process joins: *desk* for the pages, `keep` as a task of its own."""

    desk: PageDesk
    versions: VersionDesk
    grants: GrantDesk
    door: GrantDoor
    store: Store
    seal: Seal

    async def keep(self) -> None:
        """Register what goes live, meter the use of grants, warn and end them; until cancelled."""
        seen: int | None = 0
        while True:
            try:
                live = await self.store.read(live_number)
                if live != seen:
                    await self.versions.adopt()
                    seen = live
                while await self.store.write(partial(meters.meter, seal=self.seal)) == meters.BATCH:
                    pass
                while await self.store.write(days.count_days):
                    pass
                if await self.grants.sweep():
                    self.desk.shell.signals.announce("catalogue")
            except HubError as error:
                # Another process may have been faster; what is left is found the next time.
                log.warning("catalogue.not_kept", code=error.code)
            await asyncio.sleep(LOOK_S)


def build_catalogue(settings: Settings, store: Store, seal: Seal, shell: Shell) -> CatalogueHub:
    """Raises `InvalidDeclaration` where the rules or calendars are wrong."""
    rules_text = texts_of(settings.site, "rules").get(FILE, DEFAULTS)
    rules = parse(rules_text, CatalogueRules, file=FILE)
    calendar = read_calendars(texts_of(settings.site, "calendars"))
    terms = Terms(rules.limits, calendar)
    releaser = Releaser(store, checked, now)
    versions = VersionDesk(
        store=store, releaser=releaser, terms=terms, clock=now, withdrawn=end_grants
    )
    grants = GrantDesk(
        store=store, releaser=releaser, terms=terms, clock=now, seal=seal, columns=column_name
    )
    actors = ChosenActor(tuple(person.actor for person in rules.people))
    registry = LiveRegistry(store, releaser, seal)
    elements = ElementDesk(releaser=releaser, clock=now)
    waiting = StoredUploads(store)
    desk = PageDesk(shell, registry, versions, grants, actors, terms, elements, waiting)
    door = GrantDoor(store, seal, now, _proof())
    return CatalogueHub(desk, versions, grants, door, store, seal)


def _proof() -> Proof:
    """Grantees sign by HMAC-SM3 with the secret that the hub drew; each has its own nonces. A key pair of
    theirs would take a place to lodge its public half: systems have their declaration, grants none."""
    seen: dict[str, Nonces] = defaultdict(Nonces)

    def proven(secret: str, app_id: str, request: Inbound, /) -> None:
        verify(secret, app_id, request, seen[app_id], door="out")

    return proven
