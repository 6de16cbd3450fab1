"""The construction platform over its real tables: takes, tells, and misbehaves as it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from connectors.front_library import FrontLibrary
from schemas.errors import Transient
from schemas.message import Record
from simulators.construction_approval import ConstructionApproval
from simulators.construction_plan import rows_of
from simulators.construction_tables import metadata
from simulators.lifecycle import Case, course
from tests.simulators.exchange import a_delivery, an_application, profile, until

CASES = 6


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
async def platform(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ConstructionApproval]:
    url: str = request.getfixturevalue(f"{request.param}_url")
    async with ConstructionApproval(tmp_path, url=url, seed=7, speed=50) as platform:
        yield platform


@pytest.fixture
async def hub(platform: ConstructionApproval) -> AsyncIterator[FrontLibrary]:
    async with profile("construction-approval", platform.database_url) as hub:
        yield hub


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[ConstructionApproval]:
    async with ConstructionApproval(tmp_path, seed=7, speed=50) as platform:
        yield platform


async def read_all(hub: FrontLibrary, platform: ConstructionApproval) -> list[Record]:
    """Poll as the engine does, answering supplements, until the platform has nothing more to say."""
    found: list[Record] = []

    async def rested() -> bool:
        page = [record async for record in hub.records(None)]
        await hub.taken(page)
        found.extend(page)
        for record in page:
            if record.body.get("jdlx") == "BZ":
                reply = {"sxbh": record.body["sxbh"], "bzxh": 1, "hfsj": "20260310090000"}
                await hub.deliver(a_delivery("gcjs_sp_bzb", reply))
        return await platform.quiet()

    await until(rested, "the platform rests")
    return found


def told_of(case: str) -> Counter[str]:
    """What the shared course says must come out for *case*."""
    application = an_application(case)
    return Counter(row.row_id for row in rows_of(application, seed=7))


async def test_the_profile_fits_the_tables(hub: FrontLibrary) -> None:
    """Every column that the declaration names is there, with the grants we need."""
    await hub.check()


def test_the_profile_names_the_columns_of_the_tables() -> None:
    """The declaration and the platform's own DDL were written apart, and agree in full."""
    settings = profile("construction-approval", "sqlite://")._settings

    for described in settings.tables:
        table = metadata.tables[described.name]
        content = {column.name for column in described.columns}
        assert {column.name for column in table.c} == content | {*described.control.names}
        for column in described.columns:
            assert table.c[column.name].nullable is not column.needed, column.name
            length = getattr(table.c[column.name].type, "length", None)
            assert length in (None, column.length), column.name


async def test_every_case_runs_its_course(
    hub: FrontLibrary, platform: ConstructionApproval
) -> None:
    """All that the course foretells is read, each version once; repeats change nothing."""
    names = [f"T{uuid4().hex[:8]}-6" for _ in range(CASES)]
    for name in names:
        delivery = a_delivery("gcjs_sp_sqb", an_application(name))
        await hub.deliver(delivery)
        assert (await hub.deliver(delivery)).repeated

    found = await read_all(hub, platform)

    foretold = sum((told_of(name) for name in names), Counter[str]())
    latest: dict[str, int] = {}
    for record in found:
        body = record.body
        row_id, version = str(body.get("jdid", body.get("jgid"))), int(str(body["bbh"]))
        latest[row_id] = max(version, latest.get(row_id, 0))
    assert dict(foretold) == latest
    counts = await platform.counts()
    assert (CASES, 0, 0) == (counts["cases"], counts["doubled"], counts["waiting"])


async def test_a_second_application_for_a_case_is_counted(local: ConstructionApproval) -> None:
    """Another message for the same case would be our doubling."""
    name = f"T{uuid4().hex[:8]}-6"
    async with profile("construction-approval", local.database_url) as hub:
        first, second = (a_delivery("gcjs_sp_sqb", an_application(name)) for _ in range(2))
        await hub.deliver(first)
        await hub.deliver(second)

        assert 1 == (await local.counts())["doubled"]
        held = await local.holds("gcjs_sp_sqb")
        assert {first.key, second.key} == {row["key"] for row in held}


@pytest.mark.parametrize(
    "faults",
    [{"duplicate_every": 2}, {"out_of_order": True}, {"late_commit_every": 2}, {"change_every": 1}],
    ids=lambda faults: next(iter(faults)),
)
async def test_misbehaviour_loses_nothing(
    local: ConstructionApproval, faults: dict[str, int]
) -> None:
    """Whatever it does, every row's last version is read, under keys that tell repeats."""
    await local.misbehave(faults)
    name = "MISBEHAVED-6"  # one that is accepted and has steps
    async with profile("construction-approval", local.database_url) as hub:
        await hub.deliver(a_delivery("gcjs_sp_sqb", an_application(name)))

        found = await read_all(hub, local)

    rows = {str(record.body.get("jdid", record.body.get("jgid"))) for record in found}
    assert set(told_of(name)) <= rows
    keys = {(record.kind, record.key) for record in found}
    if "duplicate_every" in faults:
        assert len(keys) < len(found)
    if "change_every" in faults:
        assert any("（更正）" in str(record.body.get("yj")) for record in found)


async def test_an_office_that_refuses_ends_the_case(local: ConstructionApproval) -> None:
    """One row, not accepted, with its reason; no result follows."""
    await local.misbehave({"refuse_every": 1})
    async with profile("construction-approval", local.database_url) as hub:
        await hub.deliver(a_delivery("gcjs_sp_sqb", an_application(f"T{uuid4().hex[:8]}-6")))

        found = await read_all(hub, local)

    assert [("SL", "BY")] == [(record.body["jdlx"], record.body["jg"]) for record in found]
    assert found[0].body["yj"]


async def test_a_lock_delays_and_loses_nothing(local: ConstructionApproval) -> None:
    """Its batch job holds the tables: we are told to come again, and then are heard."""
    delivery = a_delivery("gcjs_sp_sqb", an_application("LOCKED-6"))
    async with profile("construction-approval", local.database_url, lock_s=0.05) as hub:
        await local.misbehave({"lock_for_s": 0.6})
        told: list[str] = []

        async def delivered() -> bool:
            try:
                await hub.deliver(delivery)
            except Transient as error:
                told.append(error.code)
            return "target.locked" in told and bool(await local.holds(None))

        await until(delivered, "a locked table, then the row in it")

    assert {"target.locked"} == set(told)
    assert [delivery.key] == [row["key"] for row in await local.holds(None)]


def test_the_course_is_the_shared_one() -> None:
    """A checker that knows seed and case knows the result."""
    applied = an_application("T1-6")
    rows = rows_of(applied, seed=3)

    drawn = course(
        3,
        Case(case_no="T1-6", applied_at=datetime.fromisoformat("2026-03-02T09:00:00"), posted=True),
    )
    told = [row.content["jg"] for row in rows if row.table == "gcjs_sp_jgb"]
    assert [{"1": "ZY", "2": "BY"}[drawn.result_code]] * drawn.accepted == told
