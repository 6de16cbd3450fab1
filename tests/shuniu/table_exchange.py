"""A partner that leaves rows, the hub, and a partner that finds them: on real servers, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import SecretStr
from sqlalchemy import RowMapping, Table, insert, select

from connectors.front_library import FrontLibrary, ReadTable, Settings
from front_db.contract import Keeps
from front_db.database import Limits, make_engine
from front_db.modes import StateMode
from hub.broker import Broker
from hub.crypto import Mac, Sm4Seal
from hub.delivery import Link, Turns
from hub.engine import Engine, Polled
from hub.plan import Plan
from hub.releases import plan_of
from hub.store import Store
from hub.store.tables import ledger
from schemas.message import SystemCode
from schemas.receipt import Event
from shuniu.kit.table_intake import operation_codes, table_intake
from shuniu.reconcile.books import Books, Tables
from shuniu.reconcile.report import LegReport
from shuniu.reconcile.run import Partner, legs_of, reconciled
from tests.front_db.standard import CODES, ELEMENTS, RESOURCE, RESOURCES, Shape, Standard
from tests.hub.conftest import eventually

__all__ = ["SEAL", "Exchange", "exchanging", "the_plan"]

SEAL = Sm4Seal(bytes(16))
ROUTE = "cases-to-bureau"
SYSTEM = """
system: {name}
name: {{zh: 系统, en: system}}
owner: 测试局
connector: front-library
settings: {{url: "address://{name}", tables: [], {more}}}
"""
ROUTE_TEXT = """
route: cases-to-bureau
from: [testCase]
to:
  - system: bureau
    call: i_test_case
    map:
      case_no: caseNo
      applicant_name: applicantName
      fee: fee
      level_: level
      accept_date: acceptDate
      update_time: updateTime
      days: days
retry: [1s, 1s]
examples:
  - name: a case
    given:
      resource: testCase
      operation: created
      body: {caseNo: A1, applicantName: 甲}
    expect:
      bureau: {case_no: A1, applicant_name: 甲}
"""


@cache
def the_plan(capture: str = "state", table: str = "o_test_case") -> Plan:
    """System ``tax`` leaves rows of ``o_test_case``, ``bureau`` finds them in ``i_test_case``."""
    out = Shape().out
    example = {"caseNo": "BJ-1", "applicantName": "甲某"}
    reads = f"reads: [{{table: {table}, kind: testCase, capture: {capture}}}]"
    return plan_of(
        {
            "elements/t.yaml": ELEMENTS,
            "codes/t.yaml": CODES,
            "resources/testCase.yaml": RESOURCES,
            "systems/tax.yaml": SYSTEM.format(name="tax", more=reads),
            "systems/bureau.yaml": SYSTEM.format(name="bureau", more="reads: []"),
            "intakes/tax.testCase.yaml": table_intake("tax", "testCase", RESOURCE, out, example),
            "tables/tax.yaml": operation_codes("tax", out),
            f"routes/{ROUTE}.yaml": ROUTE_TEXT,
        }
    )


@dataclass
class Exchange:
    """What a test asks of it. *tables*: both sides' in one database; *clock*: aware."""

    tables: Standard
    url: str
    store: Store
    broker: Broker
    engine: Engine
    clock: Callable[[], datetime]
    own: Tables | None = None

    def leave(self, key: str, version: int = 1, **more: Any) -> None:
        self.tables.leave(key, version, **more)

    async def until(self, event: Event, count: int) -> Sequence[RowMapping]:
        """The ledger's rows of *event*, once there are *count*."""
        query = select(ledger).where(ledger.c.event == event.value).order_by(ledger.c.id)

        async def look() -> Sequence[RowMapping]:
            return await self.store.read(lambda c: c.execute(query).mappings().all())

        found: Sequence[RowMapping] = await eventually(
            look, lambda rows: len(rows) >= count, f"{count} {event}"
        )
        return found

    async def marked(self, count: int, state: str = "1") -> None:
        """Once so many rows of the sender's stand in *state*."""
        table = self.tables.table

        async def look() -> int:
            return len(self.rows(table, table.c.x_state == state))

        await eventually(look, lambda many: many >= count, f"{count} rows in state {state}")

    async def found(self, where: Any) -> None:
        """Once the receiver has such a row."""

        async def look() -> int:
            return len(self.rows(self.tables.in_sql, where))

        await eventually(look, bool, "a row at the receiver")

    def rows(self, table: Table, *where: Any) -> Sequence[RowMapping]:
        with self.tables.engine.connect() as connection:
            return connection.execute(select(table).where(*where)).mappings().all()

    def do(self, statement: Any) -> None:
        """Something that a partner does in its own database, behind the hub's back."""
        engine = self.tables.engine.execution_options(shuniu_write=True)
        with engine.begin() as connection:
            connection.execute(statement)

    def put(self, table: Table, **row: Any) -> None:
        self.do(insert(table).values(**row))

    def books(self, **more: Any) -> Books:
        told: dict[str, Any] = {"at": self.clock(), "idle": frozenset({ROUTE})}
        return Books(store=self.store, seal=SEAL, plan=self.engine.plan, **(told | more))

    def partner(self, system: str) -> Partner:
        return partner_at(self.url, self.tables, system, self.own)

    async def compared(self, day: Any, **more: Any) -> dict[str, LegReport]:
        """By system: what a reconciliation of *day* finds."""
        legs = legs_of(self.engine.plan)
        found = await asyncio.to_thread(reconciled, self.books(**more), self.partner, day, legs)
        return {each.leg.system: each for each in found}


def partner_at(url: str, tables: Standard, system: str, own: Tables | None = None) -> Partner:
    """As `shuniu.reconcile.run.partner_of` finds it in a profile. *own*: what ``tax`` leaves rows in."""
    del system
    found = {
        tables.out.name: Tables(tables.out, tables.table),
        tables.into.name: Tables(tables.into, tables.in_sql),
    }
    if own:
        found[own.described.name] = own
    return Partner(url, found, tables.table.metadata)


@asynccontextmanager
async def exchanging(
    amqp_url: str,
    store: Store,
    url: str,
    clock: Callable[[], datetime],
    *,
    left: Keeps = Keeps.EVERY,
    own: Tables | None = None,
) -> AsyncIterator[Exchange]:
    """A hub between two partners that have nothing but tables, both in the database at *url*. *own*: what
    ``tax`` leaves rows in, where that is not ``o_test_case`` captured by state."""
    sql = make_engine(url, Limits())
    tables = Standard(sql, left=left)
    async with AsyncExitStack() as stack:
        stack.callback(sql.dispose)
        secret = SecretStr(url)
        described = own.described if own else tables.out
        capture = own.capture if own else StateMode()
        reads = (ReadTable(table=described.name, kind="testCase", capture=capture),)
        tax = Settings(url=secret, tables=(described,), reads=reads)
        bureau = Settings(url=secret, tables=(tables.into,))
        open_ = stack.enter_async_context
        library = FrontLibrary(SystemCode("tax"), tax, clock=clock)
        if own:
            library.keep_in(store)
        sender = await open_(library)
        receiver = await open_(FrontLibrary(SystemCode("bureau"), bureau, clock=clock))
        broker = await open_(Broker(amqp_url, name="test", mac=Mac(b"test")))
        engine = Engine(
            url=amqp_url,
            broker=broker,
            store=store,
            seal=SEAL,
            plan=the_plan(capture.mode, described.name) if own else the_plan(),
            clock=clock,
            links={"bureau": Link("bureau", receiver, Turns(4), 4)},
            polled=[Polled(SystemCode("tax"), sender, 0.1)],
        )
        await engine.declare()
        task = asyncio.create_task(engine.run())
        try:
            yield Exchange(tables, url, store, broker, engine, clock, own)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
