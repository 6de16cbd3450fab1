"""From the construction platform's tables to the province's, by the site's own declarations."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from connectors.front_library import FrontLibrary
from connectors.http_json import HttpJson
from connectors.http_json import Settings as HttpSettings
from hub.plan import Plan, compile_plan
from hub.port import Cursor
from routes.intake import Draft
from routes.model import SystemDeclaration
from schemas.declarations import parse
from schemas.message import Body, Operation, Record, SystemCode
from shuniu.site import read_site
from simulators.construction_approval import ConstructionApproval
from simulators.construction_plan import OFFICE_CODE
from simulators.province_library import SAME, ProvinceLibrary
from simulators.server import listening
from tests.simulators.exchange import SITE, a_delivery, an_application, profile, until
from tests.simulators.test_construction_approval import read_all

CASES = tuple(f"FLOW{n:03}-6" for n in range(40))
ROUTES = ("accepted", "steps", "special", "results", "licences")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(read_site(SITE))


@pytest.fixture
async def drafts(plan: Plan, tmp_path: Path) -> list[Draft]:
    """All that the platform tells about forty cases, in canonical words."""
    async with (
        ConstructionApproval(tmp_path, seed=1, speed=50) as platform,
        profile("construction-approval", platform.database_url) as hub,
    ):
        for case in CASES:
            await hub.deliver(a_delivery("gcjs_sp_sqb", an_application(case)))
        found = await read_all(hub, platform)
    return [
        draft
        for record in found
        for draft in plan.intakes["construction-approval", record.kind].drafts(record.body)
    ]


async def test_what_the_platform_tells_is_valid(plan: Plan, drafts: list[Draft]) -> None:
    """Every message passes the validator that the catalogue compiles, without fault or doubt."""
    told = {draft.resource for draft in drafts}

    wrong = {
        (draft.resource, fault.at, fault.code)
        for draft in drafts
        for findings in [plan.validators[draft.resource](draft.body)]
        for fault in (*findings.faults, *findings.doubts)
    }

    assert set() == wrong
    assert {
        "caseAcceptance",
        "caseStep",
        "caseResult",
        "electronicLicence",
        "resultDispatch",
    } <= told


async def test_the_province_accepts_what_the_routes_make_of_it(
    plan: Plan, drafts: list[Draft], tmp_path: Path
) -> None:
    """Row by row: nothing is refused by its tables, nothing returned by its checks."""
    accepted = [
        Draft(
            resource="acceptedCase",
            operation=Operation.CREATED,
            sequence=0,
            body=_joined(draft.body),
        )
        for draft in drafts
        if draft.resource == "caseAcceptance" and draft.body["acceptanceResult"] == "1"
    ]
    async with (
        ProvinceLibrary(tmp_path) as library,
        profile("province-library", library.database_url) as hub,
    ):
        for draft in (*drafts, *accepted):
            for name in ROUTES:
                await _route(plan, hub, f"{name}-to-province-library", draft)

        await until(lambda: _all_judged(library), "every row is judged")
        counts = await library.counts()
        judged = sum(counts[name] for name in SAME if name != "up_lic_data")
        acks = await _acknowledgements(plan, library, judged)
        assert await library.quiet()

    assert (len(accepted), 0, 0) == (counts["cases"], counts["returned"], counts["doubled"])
    assert counts["up_pro_process"] > 0
    assert counts["up_lic_data"] > 0
    assert {"1"} == {ack["ackState"] for ack in acks}
    assert judged == len(acks)


async def _route(plan: Plan, hub: FrontLibrary, name: str, draft: Draft) -> None:
    route = plan.routes[name]
    if not {f"{draft.resource}.*", f"{draft.resource}.{draft.operation}"} & {*route.bindings}:
        return
    delivery = a_delivery(route.call, {}, route=name, operation=draft.operation)
    payload = route.payload(replace(delivery.message, body=draft.body))
    if payload is not None:
        await hub.deliver(replace(delivery, payload=payload))


async def _acknowledgements(plan: Plan, library: ProvinceLibrary, count: int) -> list[Body]:
    """Polled by the site's own profile until *count* have come, in canonical words, and valid."""
    file = SITE / "systems/province-library-acks.yaml"
    declared = parse(file.read_text(encoding="utf-8"), SystemDeclaration, file=file.name)
    async with listening(library.app) as url:
        given = {**declared.settings, "url": url, "secret": "of-the-province"}
        settings = HttpSettings.model_validate(given)
        async with HttpJson(SystemCode(declared.system), settings) as api:
            await api.check()
            records: list[Record] = []

            async def all_told() -> bool:
                after = Cursor(records[-1].cursor) if records else None
                records.extend([record async for record in api.records(after)])
                return len(records) >= count

            await until(all_told, "every acknowledgement is told")
            assert [] == [record async for record in api.records(Cursor(records[-1].cursor))]
    intake = plan.intakes[declared.system, "acknowledgement"]
    bodies: list[Body] = [draft.body for record in records for draft in intake.drafts(record.body)]
    assert not any(plan.validators["libraryAcknowledgement"](body).faults for body in bodies)
    return bodies


async def _all_judged(library: ProvinceLibrary) -> bool:
    """Every row but those of the licence directory has an acknowledgement to be told."""
    counts = await library.counts()
    rows = sum(counts[name] for name in SAME if name != "up_lic_data")
    return counts["waiting"] == rows


def _joined(acceptance: Body) -> dict[str, object]:
    """As the one-thing service joins an acceptance with its item case."""
    applied = an_application(str(acceptance["caseNo"]))
    return {
        **{
            name: acceptance[name] for name in ("caseNo", "catalogCode", "acceptTime", "regionCode")
        },
        "taskCode": applied["ssbm"],
        "taskName": applied["sxmc"],
        "applicantName": applied["sqrmc"],
        "applicantType": "2",
        "certTypeCode": applied["zjlx"],
        "certNumber": applied["zjhm"],
        "applyTime": "2026-03-02T09:00:00",
        "acceptOrgName": acceptance["acceptOrgName"],
        "acceptOrgCode": OFFICE_CODE,
        "projectTypeCode": "2",
    }
