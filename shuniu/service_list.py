"""The domain services of this hub, built with what they need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection
from starlette.routing import Route

import front_db
from hub.crypto import Seal
from hub.store import Store
from hub.streams import Subscriber
from monitoring.ports import Names
from schemas.declarations import parse
from schemas.errors import HubError
from schemas.texts import say
from services.one_thing import app as one_thing
from services.one_thing.handlers import NAME as ONE_THING
from services.one_thing.rules import SLOTS, OneThingRules
from services.supervision import app as supervision
from shuniu.clock import now
from shuniu.console import ServiceFacts
from shuniu.site import texts_of
from web.shell import Panel, Shell, Tally

__all__ = ["FED", "FOLLOWED", "MIGRATIONS", "TAKEN", "Composed", "build_services", "keep_sweeping"]

SWEEP_S = 600.0
SERVICES = Path(one_thing.__file__).resolve().parent.parent
MIGRATIONS = (
    *(SERVICES / name / "migrations" for name in ("one_thing", "supervision")),
    Path(front_db.__file__).resolve().parent / "migrations",
)
PUBLISHED = {
    ONE_THING: ("itemCase", "acceptedCase", "applicationProgress"),
    supervision.NAME: (),
}
FOLLOWED = {
    ONE_THING: ("oneThingApplication", *SLOTS),
    supervision.NAME: supervision.FOLLOWS,
}
# Streams that domain services feed and take; the linter needs to know.
FED = tuple(name for names in PUBLISHED.values() for name in names)
TAKEN = tuple(name for names in FOLLOWED.values() for name in names)
log = structlog.get_logger("shuniu.services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """One service, joined to the hub. *sweep* is called now and then, for what time alone changes."""

    subscriber: Subscriber
    routes: Sequence[Route]
    panels: Sequence[Panel]
    tallies: Callable[[], Awaitable[Sequence[Tally]]] | None = None
    sweep: Callable[[Connection, datetime], int] | None = None

    @property
    def facts(self) -> ServiceFacts:
        name = self.subscriber.name
        code = f"service.{name}"
        return ServiceFacts(
            name=name,
            names=Names(say(code, {}, "zh"), say(code, {}, "en")),
            follows=tuple(map(str, self.subscriber.resources)),
            publishes=PUBLISHED[name],
        )


def build_services(site: Path, store: Store, seal: Seal, shell: Shell) -> Sequence[Composed]:
    """Raises `InvalidDeclaration` where a service's rules or calendars are wrong."""
    rules = texts_of(site, "rules")
    file = "rules/guest-house.yaml"
    thing = one_thing.build(
        parse(rules.get(file, ""), OneThingRules, file=file), seal, store.read, shell
    )
    watch = supervision.build(rules, texts_of(site, "calendars"), store.read, shell)
    return (
        Composed(
            subscriber=thing.subscriber,
            routes=thing.routes,
            panels=thing.panels,
            tallies=thing.tallies,
        ),
        Composed(
            subscriber=watch.subscriber,
            routes=watch.routes,
            panels=watch.panels,
            tallies=watch.tallies,
            sweep=watch.sweep,
        ),
    )


async def keep_sweeping(service: Composed, store: Store) -> None:
    """Let *service* look at what time alone changes, every ten minutes, until cancelled."""
    sweep = service.sweep
    while sweep:
        try:
            changed = await store.write(lambda connection: sweep(connection, now()))
            log.info("service.swept", service=service.subscriber.name, changed=changed)
        except HubError as error:
            log.warning("service.sweep_failed", service=service.subscriber.name, code=error.code)
        await asyncio.sleep(SWEEP_S)
