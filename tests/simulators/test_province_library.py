"""The provincial library over its real tables and API: checks every row and says what it thinks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from connectors.front_library import FrontLibrary
from schemas.message import Body, Operation
from simulators.province_library import ProvinceLibrary
from simulators.province_tables import metadata
from simulators.server import listening
from tests.simulators.exchange import a_delivery, profile, until

CATALOG = "000117006000"


@asynccontextmanager
async def asked(library: ProvinceLibrary) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library's API on a real socket."""
    async with (
        listening(library.app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
    ):
        yield client


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
async def library(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProvinceLibrary]:
    url: str = request.getfixturevalue(f"{request.param}_url")
    async with ProvinceLibrary(tmp_path, url=url) as library:
        yield library


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[ProvinceLibrary]:
    async with ProvinceLibrary(tmp_path, patience_s=0.2) as library:
        yield library


@pytest.fixture
async def hub(library: ProvinceLibrary) -> AsyncIterator[FrontLibrary]:
    async with profile("province-library", library.database_url) as hub:
        yield hub


def accepted(case: str, **more: str | int) -> Body:
    return {
        "project_no": case,
        "catalog_code": CATALOG,
        "task_code": f"11130100MB0000000X3{CATALOG}",
        "task_name": "城镇污水排入排水管网许可",
        "task_version": 1,
        "apply_date": "2026-03-02T09:00:00",
        "apply_type": "1",
        "applyer_name": "测试民宿",
        "applyer_page_type": "001",
        "applyer_page_code": "91130100MA0000000X",
        "accept_date": "2026-03-03T10:30:05",
        "org_name": "石家庄市行政审批局",
        "org_code": "11130100MB0000000X",
        "project_type": "2",
        **more,
    }


def result(case: str, **more: str) -> Body:
    return {
        "project_no": case,
        "result_type": "01",
        "result_date": "2026-03-12T11:00:00",
        "is_delivery_results": "0",
        **more,
    }


async def acks_of(library: ProvinceLibrary, count: int) -> list[dict[str, str]]:
    """The first *count* acknowledgements, read by the API as the hub reads them."""
    found: list[dict[str, str]] = []
    async with asked(library) as client:

        async def all_there() -> bool:
            after = found[-1]["lsh"] if found else ""
            answer = (await client.get("acks", params={"after": after, "limit": "2"})).json()
            found.extend(answer["items"])
            return len(found) >= count

        await until(all_there, f"{count} acknowledgements")
        await client.get("acks", params={"after": found[-1]["lsh"]})
    return found


async def test_the_profile_fits_the_tables(hub: FrontLibrary) -> None:
    """Every column that the declaration names is there, with the grants we need."""
    await hub.check()


def test_the_profile_names_the_columns_of_the_tables() -> None:
    """The declaration and the province's own DDL agree in names, lengths and NOT NULL."""
    settings = profile("province-library", "sqlite://")._settings

    for described in settings.tables:
        table = metadata.tables[described.name]
        content = {column.name for column in described.columns}
        assert {column.name for column in table.c} == content | {*described.control.names}
        for column in described.columns:
            assert table.c[column.name].nullable is not column.needed, column.name
            length = getattr(table.c[column.name].type, "length", None)
            assert length in (None, column.length), column.name


async def test_good_rows_are_accepted_whatever_their_order(
    hub: FrontLibrary, library: ProvinceLibrary
) -> None:
    """The result comes before the acceptance it belongs to: it waits, then both are accepted."""
    case = f"T{uuid4().hex[:8]}-6"
    late = a_delivery("up_pro_result", result(case), route="results-to-province-library")
    early = a_delivery("up_pro_accept", accepted(case), route="accepted-to-province-library")
    await hub.deliver(late)
    await hub.deliver(early)

    found = await acks_of(library, 2)

    assert {("up_pro_accept", "1", ""), ("up_pro_result", "1", "")} == {
        (ack["bm"], ack["jszt"], ack["thyy"]) for ack in found
    }
    assert {early.message.id, late.message.id} == {ack["hjbh"] for ack in found}
    assert await library.quiet()
    assert {early.key, late.key} == {row["key"] for row in await library.holds(None)}


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("up_pro_accept", accepted("T1-6", catalog_code="117006000"), "基本编码"),
        ("up_pro_accept", accepted("T1-6", task_code=CATALOG), "实施编码"),
        ("up_pro_accept", accepted("T1-6", accept_date="2026-03-01T09:00:00"), "受理时间"),
        ("up_pro_result", result("T1-6"), "未找到该办件的受理信息"),
        ("up_pro_result", result("T1-6", result_type="1"), "办结结果"),
    ],
)
async def test_bad_rows_are_returned_with_a_reason(
    local: ProvinceLibrary, table: str, row: Body, reason: str
) -> None:
    """The reason is what an operator mends by."""
    async with profile("province-library", local.database_url) as hub:
        await hub.deliver(a_delivery(table, row))

    found = await acks_of(local, 1)

    assert "2" == found[0]["jszt"]
    assert reason in found[0]["thyy"]


async def test_the_same_thing_twice_is_returned_and_counted(local: ProvinceLibrary) -> None:
    """Another message that says the same is our doubling; a correction (U) is none."""
    case = f"T{uuid4().hex[:8]}-6"
    async with profile("province-library", local.database_url) as hub:
        await hub.deliver(a_delivery("up_pro_accept", accepted(case)))
        await acks_of(local, 1)
        await hub.deliver(a_delivery("up_pro_accept", accepted(case), operation=Operation.UPDATED))
        await acks_of(local, 2)
        await hub.deliver(a_delivery("up_pro_accept", accepted(case)))

    found = await acks_of(local, 3)

    assert ["1", "1", "2"] == [ack["jszt"] for ack in found]
    assert 1 == (await local.counts())["doubled"]


async def test_the_api_misbehaves_when_told(local: ProvinceLibrary) -> None:
    """500, half a document, and a switch that does not exist."""
    async with asked(local) as client:
        assert 422 == (await client.post("_sim/faults", json={"explode": 1})).status_code
        await client.post("_sim/faults", json={"error_every": 2, "malformed_every": 3})

        answers = [await client.get("acks") for _ in range(3)]

    assert [200, 500, 200] == [answer.status_code for answer in answers]
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        answers[2].json()
