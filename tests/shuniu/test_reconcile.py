"""Reconciliation on a running hub: equal, then each kind of difference by name, then repaired."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from front_db.contract import Keeps
from hub.reissue import Reissue
from hub.store import Store
from hub.store.tables import failure_acts
from schemas.errors import Rejected
from schemas.receipt import Event
from shuniu.reconcile.repair import missing, repair
from shuniu.reconcile.report import Found, LegReport
from shuniu.reconcile.statements import write_statements
from tests.front_db.standard import LEFT_AT, good_row
from tests.shuniu.table_exchange import Exchange, exchanging

MIDNIGHT = datetime.fromisoformat("2026-03-03T00:00:00+08:00")
DAY = date(2026, 3, 2)
COUNT = 12


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(params=["postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """Of both partners; SQLite adds up in Python, which tests/front_db shows to be the same."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


def kinds(report: LegReport) -> dict[Found, list[str]]:
    found: dict[Found, list[str]] = {}
    for each in report.differences:
        found.setdefault(each.kind, []).append(each.row_id)
    return found


def reissue(running: Exchange, reason: str = "对账发现缺失") -> Reissue:
    return Reissue(
        broker=running.broker,
        store=running.store,
        seal=running.books().seal,
        plan=running.engine.plan,
        clock=running.clock,
        by="operator",
        reason=reason,
    )


async def delivered(running: Exchange, count: int = COUNT) -> list[Any]:
    """Rows with all kinds of content, taken and delivered; the receiver's rows, by key."""
    for n in range(count):
        more = (
            {"fee": Decimal(f"{n}.50"), "level_": "A", "days": n} if n % 2 else {"accept_date": DAY}
        )
        running.leave(f"K{n:02}", **more)
    await running.until(Event.DELIVERY_DONE, count)
    await running.marked(count)
    table = running.tables.in_sql
    return sorted(running.rows(table), key=lambda row: row["x_key"])


async def test_a_day_that_agrees(amqp_url: str, store: Store, url: str) -> None:
    """Sender, hub and receiver have the same rows: as many, the same keys, the same content."""
    clock = Clock(MIDNIGHT - timedelta(hours=6))
    async with exchanging(amqp_url, store, url, clock) as running:
        await delivered(running)
        found = await running.compared(DAY)
        other = await running.compared(DAY + timedelta(days=1))
        for _ in range(2):
            write_statements(list(found.values()), running.partner, clock())
        lines = running.rows(running.tables.beside.statement)

    told = sorted((x["s_table"], x["s_no"], x["s_state"], x["s_rows"]) for x in lines)
    assert [("i_test_case", 1, "agrees", COUNT), ("o_test_case", 1, "agrees", COUNT)] == told
    for report in found.values():
        assert report.agrees, report
        assert report.partner == report.hub
        assert COUNT == report.hub.count
    # Of the sender's, one is the business key, which is compared by itself.
    assert (6, 7) == (found["tax"].columns, found["bureau"].columns)
    assert {"done": COUNT} == found["bureau"].counts
    assert {"taken": COUNT, "refused": 0} == found["tax"].counts
    assert [0, 0] == [each.hub.count for each in other.values()]


async def test_what_differs_is_named_and_what_is_missing_repaired(
    amqp_url: str, store: Store, url: str
) -> None:
    """One row of each trouble, on both sides; a repair sends the missing ones and no other, in the
    name of somebody, for a reason (R-B: 对账)."""
    clock = Clock(MIDNIGHT - timedelta(hours=6))
    async with exchanging(amqp_url, store, url, clock) as running:
        rows = await delivered(running)
        into, out = running.tables.in_sql, running.tables.table
        ids = [str(row["x_id"]) for row in rows]
        stranger = ids[0][:-4] + ("0000" if ids[0][-4:] != "0000" else "1111")
        running.do(delete(into).where(into.c.x_id == ids[3]))
        running.do(update(into).where(into.c.x_id == ids[5]).values(applicant_name="乙某", days=99))
        running.put(into, **{**rows[1], "x_id": stranger})
        # The sender: a row that never came to us, one that changed its content, one that it took away.
        marked = {"x_state": "1", "x_done": LEFT_AT, "x_done_ver": 1}
        running.put(out, **{**good_row("LOST"), **marked})
        sent = {row["x_key"]: row["x_id"] for row in running.rows(out)}
        running.do(update(out).where(out.c.x_key == "K07").values(applicant_name="丙某"))
        running.do(delete(out).where(out.c.x_key == "K08"))

        found = await running.compared(DAY)
        assert {
            Found.MISSING_AT_RECEIVER: [ids[3]],
            Found.FIELDS_DIFFER: [ids[5]],
            Found.EXTRA_AT_RECEIVER: [stranger],
        } == kinds(found["bureau"])
        (differs,) = (d for d in found["bureau"].differences if d.columns)
        assert {"applicant_name", "days"} == set(differs.columns)
        assert {
            Found.MISSING_AT_HUB: [str(sent["LOST"])],
            Found.FIELDS_DIFFER: [str(sent["K07"])],
            Found.GONE_AT_SENDER: [str(sent["K08"])],
        } == kinds(found["tax"])
        assert 2 == missing(list(found.values()))

        with pytest.raises(Rejected, match="missing"):
            await repair(list(found.values()), running.partner, reissue(running), most=1)
        with pytest.raises(Rejected, match="reason"):
            await repair(list(found.values()), running.partner, reissue(running, " "), most=9)
        stated = write_statements(list(found.values()), running.partner, clock())
        assert {"bureau.i_test_case": True, "tax.o_test_case": True} == stated
        done = await repair(list(found.values()), running.partner, reissue(running), most=9)
        assert [1, 1] == [each.sent for each in done]
        await running.until(Event.DELIVERY_DONE, COUNT + 1)
        await running.found(into.c.x_id == ids[3])
        after = await running.compared(DAY)
        acts = await store.read(lambda c: c.execute(select(failure_acts)).mappings().all())
        write_statements(list(after.values()), running.partner, clock(), repaired=True)
        lines = running.rows(running.tables.beside.statement)

    bureau = sorted((x["s_no"], x["s_missing"]) for x in lines if x["s_table"] == "i_test_case")
    assert [(1, 1), (2, 0)] == bureau
    assert {"differs"} == {line["s_state"] for line in lines}
    assert 0 == missing(list(after.values()))
    assert {Found.FIELDS_DIFFER, Found.EXTRA_AT_RECEIVER} == set(kinds(after["bureau"]))
    assert {Found.FIELDS_DIFFER, Found.GONE_AT_SENDER} == set(kinds(after["tax"]))
    told = {(each["by"], each["reason"], each["job_id"]) for each in acts}
    assert {("operator", "对账发现缺失", each.act) for each in done} == told


async def test_the_edge_of_a_day_and_what_is_under_way(
    amqp_url: str, store: Store, postgres_url: str
) -> None:
    """Committed late, marked after midnight, changed again since, refused, not taken yet: none of
    these is a difference."""
    clock = Clock(MIDNIGHT - timedelta(milliseconds=1))
    async with exchanging(amqp_url, store, postgres_url, clock) as running:
        await delivered(running, 2)
        out = running.tables.table
        # Marked a moment later than it was taken, on the other side of midnight.
        late = {"x_done": datetime(2026, 3, 3, 0, 0, 1)}  # noqa: DTZ001 - Beijing time
        running.do(update(out).where(out.c.x_key == "K00").values(**late))
        clock.at = MIDNIGHT + timedelta(hours=1)
        running.do(
            update(out)
            .where(out.c.x_key == "K01")
            .values(x_ver=2, x_op="U", x_state="0", applicant_name="丁某")
        )
        await running.until(Event.DELIVERY_DONE, 3)
        running.leave("DRAFT", x_state="9")
        running.leave("BAD", applicant_name=None)
        await running.marked(1, "3")
        found = await running.compared(DAY)
        next_day = await running.compared(DAY + timedelta(days=1))

    assert found["tax"].agrees, found["tax"]
    assert {"other-day": 2} == found["tax"].settled
    assert found["bureau"].agrees, found["bureau"]
    assert 2 == found["bureau"].hub.count
    assert next_day["tax"].agrees, next_day["tax"]
    assert next_day["bureau"].agrees
    assert 1 == next_day["bureau"].hub.count


async def test_a_table_of_latest_states(amqp_url: str, store: Store, postgres_url: str) -> None:
    """A newer state of a later day stands where an older one stood: superseded, not missing."""
    clock = Clock(MIDNIGHT - timedelta(hours=1))
    async with exchanging(amqp_url, store, postgres_url, clock, left=Keeps.LATEST) as running:
        running.leave("K", 1)
        running.leave("L", 1)
        await running.until(Event.DELIVERY_DONE, 2)
        clock.at = MIDNIGHT + timedelta(hours=1)
        running.leave("K", 2, applicant_name="新")
        await running.until(Event.DELIVERY_DONE, 3)
        before = await running.compared(DAY)
        after = await running.compared(DAY + timedelta(days=1))

    assert before["bureau"].agrees, before["bureau"]
    assert {"superseded": 1} == before["bureau"].settled
    assert after["bureau"].agrees, after["bureau"]
    assert after["bureau"].partner == after["bureau"].hub
