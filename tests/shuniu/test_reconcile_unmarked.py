"""Reconciliation of tables that nobody marks, and of days that are no longer there, on a running hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import MetaData, delete, insert, make_url, select, update

from front_db import book_tables, refusals, shape_tables
from front_db.contract import Control, ExchangeTable
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.digest import row_digest, sum_of
from front_db.logged import readable
from front_db.modes import (
    BinlogMode,
    FullBatchMode,
    Fuse,
    KeySetMode,
    LogicalMode,
    WatermarkMode,
)
from front_db.rows import content_of
from front_db.told import digest_of
from hub.store import Store
from schemas.receipt import Event
from shuniu.reconcile.books import Tables
from shuniu.reconcile.report import Found, LegReport
from tests.front_db.binlog_partner import BinlogPartner, fresh_partner
from tests.front_db.standard import Shape, good_row
from tests.hub.conftest import eventually
from tests.records import shape
from tests.servers.keeper import Facts, shared
from tests.shuniu.table_exchange import Exchange, exchanging
from tests.shuniu.test_reconcile import Clock, kinds

NOON = datetime.fromisoformat("2026-03-02T12:00:00+08:00")
MAKE_SLOT = "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')"
DROP_SLOT = (
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"
)
DAY, NEXT = date(2026, 3, 2), date(2026, 3, 3)
KEYS = [f"K{n:02}" for n in range(12)]
IDLE_S = 20.0


@pytest.fixture(params=["postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """The hub's own records, with what it knows of tables that are not its own."""
    store = Store(sqlite_url)
    shape(store)
    for each in (book_tables.metadata, shape_tables.shapes.metadata, refusals.metadata):
        each.create_all(store.engine)
    yield store
    store.close()


def own_table(url: str, capture: Any) -> Tables:
    """The partner's, without anything of ours in it."""
    out = Shape().out
    described = ExchangeTable(
        name="own_cases", columns=out.columns, business_key=("case_no",), control=Control()
    )
    table = sql_table(described, MetaData())
    engine = make_engine(url, Limits())
    table.metadata.create_all(engine)
    engine.dispose()
    return Tables(described, table, (), capture)


def fill(running: Exchange, own: Tables, *keys: str) -> None:
    for n, key in enumerate(keys):
        more = {"fee": Decimal(f"{n}.50"), "days": n} if n % 2 else {"accept_date": DAY}
        running.put(own.table, case_no=key, applicant_name="测试民宿", **more)


async def tax(running: Exchange, day: date) -> LegReport:
    return (await running.compared(day))["tax"]


async def told(running: Exchange, day: date, count: int) -> LegReport:
    """Once so many rows are known to be told: the mark comes after the delivery."""
    found: LegReport = await eventually(
        lambda: tax(running, day), lambda found: found.counts.get("told") == count, f"{count} told"
    )
    return found


async def stopped(running: Exchange, code: str) -> None:
    """Once capture stands still, or goes on again."""

    async def look() -> list[str]:
        asked = select(book_tables.captures.c.code)
        return await running.store.read(lambda c: list(c.scalars(asked)))

    await eventually(look, lambda found: found == [code], f"capture {code or 'goes on'}")


async def test_a_table_that_is_compared_by_keys(amqp_url: str, store: Store, url: str) -> None:
    """Equal; changed and not noticed yet; changed behind the books; capture stopped; and the day after. R-A6"""
    clock = Clock(NOON)
    own = own_table(url, KeySetMode(every_s=3600, fuse=Fuse(most=2)))
    table = own.table
    async with exchanging(amqp_url, store, url, clock, own=own) as running:
        fill(running, own, *KEYS)
        await running.until(Event.DELIVERY_DONE, len(KEYS))
        equal = await told(running, DAY, 12)
        assert equal.agrees, equal
        assert (12, equal.hub) == (equal.hub.count, equal.partner)
        assert {"taken": 12, "refused": 0, "told": 12} == equal.counts
        # The business key is compared by itself.
        assert 6 == equal.columns
        assert (0, True) == ((await tax(running, NEXT)).hub.count, True)

        # Changed, deleted and new, and the next comparison has not come: none of it is a difference.
        running.do(update(table).where(table.c.case_no == "K03").values(fee=Decimal("9.99")))
        running.do(delete(table).where(table.c.case_no == "K04"))
        fill(running, own, "K99")
        waits = await tax(running, DAY)
        assert waits.agrees, waits
        assert {"under-way": 3} == waits.settled

        # It stops at the fuse, and is not merely late any more.
        running.do(delete(table).where(table.c.case_no == "K05"))
        clock.at += timedelta(hours=1)
        await stopped(running, "front-db.fuse")
        still = await tax(running, DAY)
        named = sorted(kinds(still)[Found.NOT_CAPTURED])
        assert ["K03", "K04", "K05", "K99"] == named
        running.put(table, case_no="K05", applicant_name="测试民宿", fee=Decimal("2.50"), days=5)
        running.do(update(table).where(table.c.case_no == "K05").values(fee=Decimal("5.50")))
        clock.at += timedelta(hours=12)
        await running.until(Event.DELIVERY_DONE, 15)
        await stopped(running, "")

        # The day after: what changed since is told apart, and a row that changed behind our back is found.
        after = await told(running, DAY, 12)
        assert after.agrees, after
        assert {"changed-since": 2} == after.settled
        assert (10, after.hub) == (after.hub.count, after.partner)
        changed = {"applicant_name": "丙某", "days": 70}
        running.do(update(table).where(table.c.case_no == "K07").values(**changed))
        (row,) = running.rows(table, table.c.case_no == "K07")
        known = book_tables.rows.c
        digest = row_digest(dict(row), own.described)
        forged = update(book_tables.rows).where(known.key == "K07").values(digest=digest)
        store.write_now(lambda c: c.execute(forged))
        (differs,) = (await tax(running, DAY)).differences
        assert (Found.FIELDS_DIFFER, "K07") == (differs.kind, differs.row_id)
        assert {"applicant_name", "days"} == {*differs.columns}


@pytest.fixture
def slot(postgres_url: str) -> Iterator[str]:
    """The name of a slot that the test makes; taken away with what is left of it."""
    name = f"s_{make_url(postgres_url).database}".lower()
    yield name
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
        drop(name, admin)


def drop(slot: str, admin: psycopg.Connection[Any]) -> None:
    """Once nobody reads it: a hub that polls takes a moment, also one that has just been ended."""
    deadline = time.monotonic() + IDLE_S
    while True:
        try:
            admin.execute(DROP_SLOT, (slot,))
        except psycopg.errors.ObjectInUse:
            assert time.monotonic() < deadline, "the slot is never idle"
            time.sleep(0.05)
        else:
            return


async def equal_by_the_log(running: Exchange, own: Tables) -> None:
    """Rows that came, then a change and a delete: both sides have the same."""
    fill(running, own, *KEYS)
    await running.until(Event.DELIVERY_DONE, len(KEYS))
    equal = await tax(running, DAY)
    assert equal.agrees, equal
    assert (12, equal.hub) == (equal.hub.count, equal.partner)
    assert {"taken": 12, "refused": 0} == equal.counts
    change(running, own, "K03", fee=Decimal("9.99"))
    running.do(delete(own.table).where(own.table.c.case_no == "K04"))
    changed = await eventually(
        lambda: tax(running, DAY), lambda found: found.hub.count == 11, "the delete taken"
    )
    assert changed.agrees, changed
    assert changed.hub == changed.partner
    assert {} == changed.settled


def change(running: Exchange, own: Tables, key: str, **values: Any) -> None:
    running.do(update(own.table).where(own.table.c.case_no == key).values(**values))


async def differs_by_the_books(running: Exchange, own: Tables, key: str) -> None:
    """What the books believe to be told, and is not so, is a difference."""
    (row,) = running.rows(own.table, own.table.c.case_no == key)
    digest = digest_of(content_of(readable(dict(row), own.described), own.described))
    known = book_tables.rows.c
    forged = update(book_tables.rows).where(known.key == key).values(digest=digest)
    await running.store.write(lambda c: c.execute(forged))
    assert {Found.FIELDS_DIFFER: [key]} == kinds(await tax(running, DAY))


async def test_a_table_that_is_read_from_the_log(
    amqp_url: str, store: Store, postgres_url: str, slot: str
) -> None:
    """Equal, also after a change and a delete; without its slot it stands still, and what changes is
    not captured until the slot is there again. R-A6"""
    clock = Clock(NOON)
    own = own_table(postgres_url, LogicalMode(slot=slot, publication="own"))
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("CREATE PUBLICATION own FOR TABLE own_cases")
        admin.execute(MAKE_SLOT, (slot,))
        async with exchanging(amqp_url, store, postgres_url, clock, own=own) as running:
            await equal_by_the_log(running, own)

            await asyncio.to_thread(drop, slot, admin)
            await stopped(running, "front-db.no-slot")
            change(running, own, "K05", fee=Decimal("8.88"))
            still = await tax(running, DAY)
            assert {Found.NOT_CAPTURED: ["K05"]} == kinds(still)
            await differs_by_the_books(running, own, "K05")

            admin.execute(MAKE_SLOT, (slot,))
            await stopped(running, "")
            # The log is lost: what the table holds is compared with the books, wrong as they are.
            change(running, own, "K05", fee=Decimal("7.77"))
            await eventually(
                lambda: tax(running, DAY), lambda found: found.agrees, "what changed is told"
            )


@pytest.fixture
def logged(_mariadb_log: Facts) -> Iterator[BinlogPartner]:
    """A partner whose binary log is read by an account that writes its tables, too."""
    with fresh_partner(_mariadb_log) as partner:
        partner.run(f"GRANT ALL ON {partner.name}.* TO {partner.name}@'127.0.0.1'")
        yield partner


@pytest.fixture(scope="session")
def _mariadb_log(servers_root: Path) -> Facts:
    return shared("mariadb_log", servers_root)


async def test_a_table_that_is_read_from_the_binary_log(
    amqp_url: str, store: Store, logged: BinlogPartner
) -> None:
    """Equal, also after a change and a delete; what the log cannot tell any more is under way; what
    it has told and is not so differs. R-A6"""
    clock = Clock(NOON)
    own = own_table(logged.url, BinlogMode(settle_s=0))
    async with exchanging(amqp_url, store, logged.url, clock, own=own) as running:
        await equal_by_the_log(running, own)

        logged.run(f"REVOKE REPLICATION SLAVE ON *.* FROM {logged.name}@'127.0.0.1'")
        logged.cut()
        change(running, own, "K05", fee=Decimal("8.88"))
        waits = await tax(running, DAY)
        assert ({"under-way": 1}, True) == (waits.settled, waits.agrees)

        await differs_by_the_books(running, own, "K05")


async def test_a_day_that_is_past_is_said_to_be(
    amqp_url: str, store: Store, postgres_url: str
) -> None:
    """Every row has changed since: the table holds what is true now alone. R-A6"""
    clock = Clock(NOON)
    own = own_table(postgres_url, WatermarkMode(column="update_time", again_s=0, keys_s=3600))
    table = own.table
    async with exchanging(amqp_url, store, postgres_url, clock, own=own) as running:
        fill(running, own, *KEYS[:3])
        await running.until(Event.DELIVERY_DONE, 3)
        clock.at += timedelta(days=1)
        running.do(
            update(table).values(applicant_name="新", update_time=clock.at.replace(tzinfo=None))
        )
        await running.until(Event.DELIVERY_DONE, 6)
        past, now = await tax(running, DAY), await told(running, NEXT, 3)

    assert ("reconcile.past", {"count": 3}) == (past.error, past.facts)
    assert not past.agrees
    assert now.agrees, now
    assert (3, now.hub) == (now.hub.count, now.partner)


async def test_what_a_purge_has_taken_cannot_be_compared(
    amqp_url: str, store: Store, url: str
) -> None:
    """Neither at the sender nor at the receiver, and nothing is sent again; a day that was purged in part
    is compared by what is left."""
    clock = Clock(NOON)
    async with exchanging(amqp_url, store, url, clock) as running:
        for n, key in enumerate(KEYS[:3]):
            running.leave(key)
            await running.until(Event.DELIVERY_DONE, n + 1)
            await running.marked(n + 1)
            clock.at += timedelta(hours=1)
        clock.at = NOON + timedelta(days=1)
        running.leave("K09")
        await running.until(Event.DELIVERY_DONE, 4)
        await running.marked(4)
        out, into = running.tables.table, running.tables.in_sql
        running.do(delete(out).where(out.c.x_key == "K00"))
        part = await tax(running, DAY)
        assert part.agrees, part
        assert {"purged": 1} == part.settled
        running.do(delete(out).where(out.c.x_key < "K09"))
        running.do(delete(into).where(into.c.x_key < "K09"))
        whole = await running.compared(DAY)
        after = await running.compared(NEXT)

    for report in whole.values():
        assert ("reconcile.purged", {"oldest": "2026-03-03"}) == (report.error, report.facts)
        assert [] == report.differences
    assert all(report.agrees for report in after.values()), after


async def test_a_table_of_full_batches(amqp_url: str, store: Store, postgres_url: str) -> None:
    """What was told stands in the last batch that is done."""
    clock = Clock(NOON)
    shape = Shape()
    own = Tables(shape.out, shape.table, (), FullBatchMode())
    async with exchanging(amqp_url, store, postgres_url, clock, own=own) as running:
        out, header = running.tables.table, running.tables.beside.batch
        for key in KEYS[:4]:
            running.put(out, **{**good_row(key), "x_batch": "B1"})
        rows = [dict(row) for row in running.rows(out)]
        running.do(
            insert(header).values(
                b_table=out.name,
                b_no="B1",
                b_state="1",
                b_count=len(rows),
                b_digest=sum_of(row_digest(row, running.tables.out) for row in rows),
                b_sealed_at=NOON.replace(tzinfo=None),
            )
        )
        await running.until(Event.DELIVERY_DONE, 4)
        await running.marked(4)
        await eventually(
            lambda: running.store.read(
                lambda c: c.scalar(select(book_tables.captures.c.position)) or ""
            ),
            lambda position: '"done":"B1"' in position,
            "the batch is done",
        )
        found = await tax(running, DAY)

    assert found.agrees, found
    assert (4, found.hub) == (found.hub.count, found.partner)
    assert {"taken": 4, "refused": 0, "told": 4} == found.counts
