"""Capture by hand: what a running hub does at each poll, once, for one partner or some of its tables.

Form       a table after the other, each with what came of it; what is read goes to the hub's intake like any other
Promises   as safe as the hub beside it: a table without states of ours is read by one process at a time
           (`front_db.lease`), a row of one with states is marked at its version, and what is told twice is one message
Careful    it only hands on: the hub that runs, or runs later, does the rest
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import ValidationError

from connectors.front_library import FrontLibrary, Settings
from front_db.books import Capture, standing
from front_db.contract import Keeps
from front_db.profile import ReadTable
from front_db.upkeep import table_status
from hub.broker import Broker
from hub.plan import Plan
from hub.port import Cursor, Source
from hub.releases import live_number, loaded, plan_of
from hub.route_states import RouteStates
from hub.sources import SourcePoll
from hub.store import Store
from schemas.errors import HubError, Misconfigured, Transient
from schemas.message import Record, SystemCode
from shuniu.addresses import resolved
from shuniu.clock import now
from shuniu.front_db import Target, in_one, target_of
from shuniu.instance import Instance, open_store
from shuniu.node import running_url

__all__ = ["TableCaptured", "capture_tables"]


@dataclass(slots=True)
class TableCaptured:
    """What came of one table. *read*: rows or changes; *sent*: of these, what the broker has confirmed; *error*: why it
    ended early; *rows*: by state, of a table with states of ours, refused ones too; *stands*: how far it is, of a table whose
    place the hub keeps."""

    table: str
    mode: str
    read: int = 0
    sent: int = 0
    error: HubError | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    stands: Capture | None = None


@dataclass(slots=True)
class _Counted:
    """A source whose records are counted."""

    source: Source
    found: TableCaptured

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        async for record in self.source.records(after):
            self.found.read += 1
            yield record

    async def taken(self, records: Sequence[Record], /) -> None:
        await self.source.taken(records)
        self.found.sent += len(records)


async def capture_tables(
    instance: Instance, system: str, tables: Sequence[str] = ()
) -> list[TableCaptured]:
    """
    Read *tables* of *system* (none: all that it reads) once, and hand on what is new.

    Raises `Misconfigured` where there are none of these, or no broker runs; what hinders one table stands in its result.
    """
    store = open_store(instance.settings)
    try:
        plan = _plan(instance, store)
        settings = _profile(instance, plan, system)
        wanted = _wanted(settings, system, tables)
        url = instance.settings.amqp_url or running_url(instance.settings.home / "broker")
        if url is None:
            # The running hub's own node: a command beside it never starts a broker.
            folder = str(instance.settings.home)
            raise Misconfigured("broker.not-running", "No hub runs here", folder=folder)
        async with Broker(url, name="capture", mac=instance.mac()) as broker:
            found = [
                await _captured(broker, store, plan, system, settings, each) for each in wanted
            ]
        stands: Mapping[str, Capture] = {
            each.table: each for each in await store.read(lambda c: standing(c, system))
        }
    finally:
        store.close()
    target = target_of(
        instance, system=system, resources=(), keeps=Keeps.EVERY, sides="both", url=""
    )
    for each in found:
        each.stands = stands.get(each.table)
        each.rows = await asyncio.to_thread(_rows_by_state, target, each)
    return found


def _rows_by_state(target: Target, found: TableCaptured) -> Mapping[str, int]:
    """None of a table that is not there, or has no states."""
    each = next((t for t in target.tables if t.described.name == found.table), None)
    if each is None or not each.described.control.state or isinstance(found.error, Transient):
        return {}
    try:
        return in_one(
            target, lambda c: table_status(c, each.described, each.table, target.beside)
        ).rows
    except Misconfigured:
        return {}


async def _captured(
    broker: Broker, store: Store, plan: Plan, system: str, settings: Settings, each: ReadTable
) -> TableCaptured:
    found = TableCaptured(each.table, each.capture.mode)
    alone = settings.model_copy(update={"reads": (each,), "results": ()})
    connector = FrontLibrary(SystemCode(system), alone)
    connector.keep_in(store)
    poll = SourcePoll(
        broker,
        store,
        SystemCode(system),
        cast("Source", _Counted(connector, found)),
        poll_s=0,
        states=RouteStates(store),
        clock=now,
        plan=lambda: plan,
    )
    try:
        async with connector, broker.publisher() as publisher:
            await poll.once(publisher)
    except HubError as error:
        found.error = error
    return found


def _plan(instance: Instance, store: Store) -> Plan:
    """What the hub runs: its live release, or before the first the site's folder."""
    number = store.read_now(live_number)
    if not number:
        return instance.plan()
    return plan_of(store.read_now(lambda connection: loaded(connection, number)).texts)


def _profile(instance: Instance, plan: Plan, system: str) -> Settings:
    declared = plan.declarations.systems.get(system)
    if declared is None or declared.connector != "front-library":
        raise Misconfigured("front-db.no-tables", "No exchange tables", system=system)
    told = resolved(declared.settings, instance.addresses, instance.secrets, instance.settings.site)
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        raise Misconfigured("front-db.no-tables", "No profile", system=system) from error


def _wanted(settings: Settings, system: str, tables: Sequence[str]) -> list[ReadTable]:
    known = {each.table for each in settings.reads}
    if unknown := sorted(set(tables) - known):
        raise Misconfigured(
            "front-db.not-read", "Not read by this profile", system=system, tables=" ".join(unknown)
        )
    found = [each for each in settings.reads if not tables or each.table in tables]
    if not found:
        raise Misconfigured("front-db.not-read", "It reads none", system=system, tables="")
    return found
