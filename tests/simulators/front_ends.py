"""The ready front ends between two databases: by the site's own profiles, intakes and routes, in controlled time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Engine, MetaData, Table, select, type_coerce
from sqlalchemy.types import NullType

from connectors.front_library import FrontLibrary, Settings
from front_db.contract import ExchangeTable
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.digest import row_texts
from front_db.rows import content_of, row_of
from hub.plan import Plan
from hub.releases import plan_of
from hub.store import Store
from schemas.errors import HubError
from schemas.message import Body, Operation, Record, SystemCode
from shuniu.site import release_texts
from simulators.front_end import Office
from tests.simulators.exchange import a_delivery

__all__ = ["CALLS", "REPORTS_READ", "SHARE", "Clock", "Flow", "the_plan", "the_site"]

SHARE = 0.2  # of the fuse, in the profiles
# As in the profile, but all keys are compared while the table is empty too.
REPORTS_READ = {
    "table": "tj_gyqy",
    "kind": "report",
    "capture": {
        "mode": "watermark",
        "column": "gxsj",
        "window_s": 7200,
        "again_s": 300,
        "keys_s": 600,
        "fuse": {"share": SHARE, "rows": 5},
    },
}
SITES = Path(__file__).parents[2] / "sites"
BEGUN = datetime(2026, 3, 2, 9, 0, 0, tzinfo=timezone(timedelta(hours=8)))
STEP_S = 225.0
CALLS = {"swj_nsrxx": "sjpt_nsr", "swj_qyss": "sjpt_ss", "tj_gyqy": "sjpt_gy"}
NEEDED = (
    *(f"elements/{name}.yaml" for name in ("enterprises", "finance", "organisations", "places")),
    *(f"resources/{name}.yaml" for name in ("enterpriseTax", "industrialFigure")),
)
CONTROL = ("x_op", "x_key", "x_ver")
Key = tuple[object, ...]


def the_site() -> Plan:
    """The reference site with the ready front ends copied over it."""
    texts = release_texts(SITES / "reference")
    more = release_texts(SITES / "front-ends")
    assert not texts.keys() & more.keys()
    return plan_of({**texts, **more})


@cache
def the_plan() -> Plan:
    """What the front ends need of it, which is read in a tenth of the time."""
    texts = release_texts(SITES / "reference")
    needed = {file: text for file, text in texts.items() if file in NEEDED or file[:5] == "codes"}
    return plan_of({**needed, **release_texts(SITES / "front-ends")})


@dataclass
class Clock:
    """Beijing time, which passes when it is told to."""

    at: datetime = BEGUN

    def __call__(self) -> datetime:
        return self.at

    def local(self) -> datetime:
        """As an office's programs know it."""
        return self.at.replace(tzinfo=None)

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Flow:
    """
    *system*'s tables to the data platform's, without a broker between.

    *mirror*: what records told of each table's rows, by key; *errors*: how often which was met.
    """

    system: str
    engine: Engine
    url: str
    receiver_url: str
    store: Store
    clock: Clock
    changed: Mapping[str, Any] = field(default_factory=dict)
    mirror: dict[str, dict[str, Body]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    _profiles: dict[str, Settings] = field(default_factory=dict)
    _received: Engine = field(init=False)
    receiver: FrontLibrary = field(init=False)
    sender: FrontLibrary = field(init=False)

    async def open(self) -> None:
        """Create the receiver's tables, and open both sides."""
        platform = self._settings("data-platform")
        metadata = MetaData()
        for each in platform.tables:
            sql_table(each, metadata)
        self._received = make_engine(self.receiver_url, Limits())
        metadata.create_all(self._received)
        self.receiver = FrontLibrary(SystemCode("data-platform"), platform, clock=self.clock)
        await self.receiver.__aenter__()
        await self._begin()

    async def close(self) -> None:
        await self.sender.__aexit__()
        await self.receiver.__aexit__()
        self._received.dispose()

    async def restart(self) -> None:
        """The hub's process is another one."""
        await self.sender.__aexit__()
        await self._begin()

    async def poll(self, *, dies: bool = False) -> None:
        """All that is new goes through; *dies*: before the sender's side hears of it."""
        try:
            records = [record async for record in self.sender.records(None)]
        except HubError as error:
            self.errors[error.code] = self.errors.get(error.code, 0) + 1
            records = []
        await self._deliver(records)
        if not dies:
            await self.sender.taken(records)

    async def day(self, office: Office, *, deaths: bool = True) -> list[int]:
        """A day of *office* to its end, polled all the while; how many rows the receiver has each time."""
        office.day()
        office.writer.work()
        found = []
        while not office.writer.rests:
            dies = deaths and self.clock.at.minute % 7 == 3
            await self.poll(dies=dies)
            if dies:
                await self.restart()
            found.append(self.live())
            self.clock.later(STEP_S)
            office.writer.work()
        return found

    def live(self) -> int:
        """Rows of the mirror, which is what receivers hold."""
        return sum(len(rows) for rows in self.mirror.values())

    def theirs(self, table: Table) -> dict[Key, dict[str, str]]:
        """The partner's rows as they stand, by key."""
        described = self._described(self.system, table.name)
        return {_key(row, described): row_texts(row, described) for row in self._rows(described)}

    def mirrored(self, table: Table) -> dict[Key, dict[str, str]]:
        """The same rows by what the records told."""
        described = self._described(self.system, table.name)
        rows = self.mirror.get(table.name, {}).values()
        return {
            _key(row, described): row_texts(row_of(_plain(row), described), described)
            for row in rows
        }

    def received(self, call: str) -> dict[Key, dict[str, str]]:
        """The receiver's rows of *call* that count as there, by key, with all its content."""
        described = self._described("data-platform", call)
        rows = [row for row in self._rows(described) if row["x_op"] != "D"]
        return {_key(row, described): _texts(row, described) for row in rows}

    def numbers(self, call: str) -> set[str]:
        """Of all the receiver's rows of *call*, those that are marked as gone too."""
        return {str(row["x_id"]) for row in self._rows(self._described("data-platform", call))}

    def due(self, table: Table) -> dict[Key, dict[str, str]]:
        """What the receiver must hold of the partner's rows of *table*, by intake and route."""
        found: dict[Key, dict[str, str]] = {}
        partner = self._described(self.system, table.name)
        for row in self._rows(partner):
            record: Body = {**content_of(row, partner), "x_op": "I", "x_key": "k", "x_ver": 1}
            for route, payload in self._made(self._kind(table.name), record):
                described = self._described("data-platform", route.call)
                whole = row_of(payload, described)
                found[_key(whole, described)] = _texts(whole, described)
        return found

    def _described(self, system: str, name: str) -> ExchangeTable:
        return next(each for each in self._settings(system).tables if each.name == name)

    def _rows(self, described: ExchangeTable) -> list[dict[str, object]]:
        """As the driver gives them."""
        table = sql_table(described, MetaData())
        columns = [type_coerce(column, NullType()).label(column.name) for column in table.c]
        engine = self.engine if table.name in CALLS else self._received
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(*columns)).mappings()]

    async def _begin(self) -> None:
        settings = self._settings(self.system)
        self.sender = FrontLibrary(SystemCode(self.system), settings, clock=self.clock)
        self.sender.keep_in(self.store)
        await self.sender.__aenter__()

    async def _deliver(self, records: list[Record]) -> None:
        sent = []
        for record in records:
            table = next(
                r.table for r in self._settings(self.system).reads if r.kind == record.kind
            )
            rows = self.mirror.setdefault(table, {})
            key, version = str(record.body["x_key"]), record.body["x_ver"]
            assert isinstance(version, int)
            if record.body["x_op"] == "D":
                rows.pop(key, None)
            else:
                rows[key] = record.body
            for route, payload in self._made(record.kind, record.body):
                operation = {
                    "I": Operation.CREATED,
                    "U": Operation.UPDATED,
                    "D": Operation.DELETED,
                }[str(record.body["x_op"])]
                delivery = a_delivery(route.call, payload, operation=operation)
                message = replace(delivery.message, sequence=version)
                sent.append(self.receiver.deliver(replace(delivery, message=message)))
        await asyncio.gather(*sent)

    def _made(self, kind: str, record: Body) -> list[tuple[Any, Body]]:
        plan = self._plan()
        made = []
        for draft in plan.intakes[self.system, kind].drafts(record):
            faults = plan.validators[draft.resource](draft.body).faults
            if draft.operation is not Operation.DELETED:
                assert () == tuple(faults), (draft.body, faults)
            for route in plan.routes.values():
                if route.system == "data-platform" and f"{draft.resource}.*" in route.bindings:
                    delivery = a_delivery(route.call, {}, operation=draft.operation)
                    payload = route.payload(replace(delivery.message, body=draft.body))
                    assert payload is not None
                    made.append((route, payload))
        return made

    def _plan(self) -> Plan:
        return the_plan()

    def _kind(self, table: str) -> str:
        return next(r.kind for r in self._settings(self.system).reads if r.table == table)

    def _settings(self, system: str) -> Settings:
        if system not in self._profiles:
            declared = dict(the_plan().declarations.systems[system].settings)
            if system == self.system:
                declared |= {"lock_s": 0.3, **self.changed}
            self._profiles[system] = Settings.model_validate(
                {**declared, "url": self.url if system == self.system else self.receiver_url}
            )
        return self._profiles[system]


def _key(row: Mapping[str, object], described: ExchangeTable) -> Key:
    return tuple(row[name] for name in described.business_key)


def _plain(row: Body) -> Body:
    return {name: value for name, value in row.items() if name not in CONTROL}


def _texts(row: Mapping[str, object], described: ExchangeTable) -> dict[str, str]:
    """The content, without what says how it was exchanged."""
    texts = row_texts(row, described)
    return {column.name: texts[column.name] for column in described.columns}
