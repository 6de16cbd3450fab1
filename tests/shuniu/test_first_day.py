"""An administrator's first day, from the files of the kit alone: tables, a row, a wrong one, mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from catalog.read import read_catalogue
from connectors.front_library import FrontLibrary, Settings
from front_db.database import Limits, make_engine
from front_db.derived import out_table
from hub.releases import plan_of
from routes.examples import run_intake
from schemas.message import SystemCode
from shuniu.kit.build import KitWish, build_kit
from tests.front_db.plain import fresh_store
from tests.front_db.standard import CODES, ELEMENTS, RESOURCES, run
from tests.shuniu.a_gateway import SITE
from tests.shuniu.table_exchange import SYSTEM

DIALECTS = {"sqlite": "sqlite", "postgres": "postgresql", "mariadb": "mariadb"}
GONE = (
    "INSERT INTO o_test_case (x_op, x_key, x_ver, x_time)"
    " SELECT 'D', x_key, x_ver + 1, x_time FROM o_test_case WHERE x_ver = 3"
)
_CATALOGUE = {"elements/t.yaml": ELEMENTS, "codes/t.yaml": CODES, "resources/t.yaml": RESOURCES}


def site(capture: str = "state") -> dict[str, str]:
    """A system whose profile names the standard table of a resource, and has no intake as yet."""
    catalogue = read_catalogue(_CATALOGUE)
    table = out_table(catalogue.resources["testCase"], catalogue)
    told = table.model_dump_json(exclude_defaults=True)
    reads = f"reads: [{{table: o_test_case, kind: testCase, capture: {capture}}}]"
    system = SYSTEM.format(name="tax", more=reads).replace("tables: []", f"tables: [{told}]")
    return {**_CATALOGUE, "systems/tax.yaml": system}


def kit(dialect: str, capture: str = "state") -> dict[str, str]:
    wish = KitWish(system="tax", address="http://127.0.0.1:8080", site=SITE, dialects=(dialect,))
    made = build_kit(wish, plan_of(site(capture)).declarations)
    return {path: content.decode() for path, content in made.items()}


def statements(script: str) -> list[str]:
    """One after another, as they are run in an administrator's tool."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [each.strip() for each in "\n".join(lines).split(";\n") if each.strip()]


@pytest.fixture(params=list(DIALECTS))
def database(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The dialect and the address of a fresh database."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return DIALECTS[request.param], address


async def polled(connector: FrontLibrary) -> list[Any]:
    """What the hub takes at one poll, and marks."""
    records = [record async for record in connector.records(None)]
    await connector.taken(records)
    return records


async def test_a_whole_table_from_the_kit_alone(database: tuple[str, str], tmp_path: Path) -> None:
    """Where the partner can only hand in its whole table: the script's batch agrees, its row is taken, and
    an empty batch after it takes the row away (R-A6)."""
    dialect, url = database
    # SQLite has no hash of its own.
    capture = f"{{mode: full-batch, digest: {str(dialect != 'sqlite').lower()}}}"
    files = kit(dialect, capture)
    assert "sql/first-day.o_test_case.sql" not in files
    engine = make_engine(url, Limits())
    run(engine, files[f"ddl/tax.{dialect}.sql"])
    script = files[f"sql/full-batch.o_test_case.{dialect}.sql"]
    profile = plan_of(site(capture)).declarations.systems["tax"].settings
    settings = Settings.model_validate({**profile, "url": url})
    store = fresh_store(tmp_path)

    def tool(statement: str) -> list[Any]:
        with engine.execution_options(shuniu_write=True).begin() as connection:
            found = connection.execute(text(statement.replace(":", "\\:")))
            return list(found.mappings()) if found.returns_rows else []

    connector = FrontLibrary(SystemCode("tax"), settings)
    connector.keep_in(store)
    async with connector:
        await connector.check()
        *night, look, receipts = statements(script)
        for each in night:
            tool(each)
        (first,) = await polled(connector)
        assert [] == await polled(connector)
        assert ["5"] == [row["b_state"] for row in tool(look)]
        header, _, seal = night
        for each in (header, seal):
            tool(each.replace("20260302", "20260303").replace("CURRENT_TIMESTAMP", "'2099-01-01'"))
        (gone,) = await polled(connector)
        assert [] == await polled(connector)
        absent = tool(receipts.replace("20260302", "20260303"))
    engine.dispose()
    store.close()

    assert ("I", "D") == (first.body["x_op"], gone.body["x_op"])
    assert first.body["x_key"] == gone.body["x_key"]
    assert [gone.body["x_key"]] == [row["r_key"] for row in absent if row["r_stage"] == "absent"]
    (draft,) = plan_of(_applied(files)).intakes["tax", "testCase"].drafts(first.body)
    assert ("testCase", "created") == (draft.resource, draft.operation)


async def test_a_first_day_from_the_kit_alone(database: tuple[str, str]) -> None:
    """The shipped script makes the tables; the example is taken, the wrong row is answered in plain
    Chinese, mended as the script says, and taken (R-A6)."""
    dialect, url = database
    files = kit(dialect)
    engine = make_engine(url, Limits())
    run(engine, files[f"ddl/tax.{dialect}.sql"])
    good, look, wrong, again, receipts, mend, *_ = statements(
        files["sql/first-day.o_test_case.sql"]
    )
    profile = plan_of(site()).declarations.systems["tax"].settings
    settings = Settings.model_validate({**profile, "url": url})

    def tool(statement: str) -> list[Any]:
        with engine.execution_options(shuniu_write=True).begin() as connection:
            found = connection.execute(text(statement.replace(":", "\\:")))
            return list(found.mappings()) if found.returns_rows else []

    async with FrontLibrary(SystemCode("tax"), settings) as connector:
        tool(good)
        first = await polled(connector)
        assert ["1"] == [row["x_state"] for row in tool(look)]
        tool(wrong)
        assert [] == await polled(connector)
        refused = next(row for row in tool(again) if row["x_state"] == "3")
        assert "申请人" in refused["x_msg"]
        assert "正确示例" in refused["x_msg"]
        told = [row["r_field"] for row in tool(receipts) if row["r_stage"] == "refused"]
        assert ["applicant_name"] == told
        tool(mend)
        mended = await polled(connector)
        assert {"1"} == {row["x_state"] for row in tool(look)}
        tool(GONE)
        deleted = await polled(connector)
    engine.dispose()

    assert [1, 1] == [len(first), len(mended)]
    drafts = plan_of(_applied(files)).intakes["tax", "testCase"].drafts(mended[0].body)
    assert [("testCase", "updated", 3)] == [(d.resource, d.operation, d.sequence) for d in drafts]
    (gone,) = plan_of(_applied(files)).intakes["tax", "testCase"].drafts(deleted[0].body)
    assert ("deleted", 4) == (gone.operation, gone.sequence)
    assert dict(gone.body) == {"caseNo": drafts[0].body["caseNo"]}


def test_what_the_hub_applies_for_it_runs() -> None:
    """The intake and code table of the kit are read with the site, and the intake's example holds."""
    declared = plan_of(_applied(kit("postgresql"))).declarations
    (outcome,) = run_intake(declared.intakes["tax.testCase"], declared)

    assert outcome.passed, outcome.differences


def _applied(files: dict[str, str]) -> dict[str, str]:
    """The site with what the kit has for it."""
    made = {
        path.removeprefix("for-the-hub/"): said
        for path, said in files.items()
        if path.startswith("for-the-hub/")
    }
    return {**site(), **made}
