"""The catalogue for programs: the same acts as the pages, problems told at their fields."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from catalog.model import Resource
from catalog.pages.people import COOKIE
from catalog.sheet.write import write_sheet
from tests.catalog.pages.site import CatalogueSite, served, text_of
from web.guard import CSRF_COOKIE, CSRF_HEADER

EDITOR, REVIEWER, AUTHORITY = "赵编目", "钱审核", "孙主管"
NAME = "caseRating"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CatalogueSite]:
    async with served(tmp_path) as made:
        yield made


async def send(site: CatalogueSite, name: str, path: str, body: Any = None) -> httpx.Response:
    """As somebody; a POST where there is a body."""
    cookies = {COOKIE: quote(name), CSRF_COOKIE: "token"}
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies, timeout=30) as client:
        if body is None:
            return await client.get(f"/api/catalogue{path}")
        headers = {CSRF_HEADER: "token"}
        return await client.post(f"/api/catalogue{path}", json=body, headers=headers)


def second(text: str) -> str:
    head = text.replace("version: 1", "version: 2")
    return f"{head.rstrip()}\n  - {{element: taskName, required: true}}\n"


async def test_a_version_goes_through_review(site: CatalogueSite) -> None:
    """Drafted, shown as a task with its impact, passed, published; who may not is told so."""
    assert (
        403
        == (await send(site, REVIEWER, "/versions", {"text": second(text_of(NAME))})).status_code
    )
    assert (
        201 == (await send(site, EDITOR, "/versions", {"text": second(text_of(NAME))})).status_code
    )
    path = f"/versions/{NAME}/2"
    assert "unit-review" == (await send(site, EDITOR, f"{path}/submit", {})).json()["state"]
    tasks = (await send(site, REVIEWER, "/tasks")).json()["tasks"]
    impact = (await send(site, REVIEWER, f"/resources/{NAME}/impact")).json()
    own = await send(site, EDITOR, f"{path}/pass", {})
    await send(site, REVIEWER, f"{path}/pass", {})
    again = await send(site, REVIEWER, f"{path}/pass", {})
    done = await send(site, AUTHORITY, f"{path}/publish", {})

    assert [
        (NAME, 2, ["pass", "return"], {"role": "unit-reviewer", "unit": "石家庄市行政审批局"})
    ] == [(t["resource"], t["number"], t["acts"], t["holder"]) for t in tasks]
    assert (False, True) == (impact["backward"], impact["forward"])
    assert ["新增必填信息项“事项名称”，现有数据中没有。"] == [
        d["zh"] for d in impact["differences"]
    ]
    assert [403, 409, 200] == [own.status_code, again.status_code, done.status_code]
    assert "lifecycle.state" == again.json()["code"]
    assert 2 == (await send(site, EDITOR, f"/resources/{NAME}")).json()["version"]


async def test_an_application_is_told_all_its_faults(site: CatalogueSite) -> None:
    """As problem details in both languages; a good one is granted, and revoked with a reason."""
    wanted = {
        "resource": "caseRating",
        "system": "fire-safety",
        "call": "/granted",
        "purpose": "无",
        "items": ["ratingTime"],
        "way": "interface",
        "until": "2020-01-01",
    }
    refused = await send(site, EDITOR, "/applications", wanted)
    malformed = await send(site, EDITOR, "/applications", {"resource": 5})
    good = wanted | {
        "system": "one-window",
        "purpose": "改进窗口服务",
        "legal_basis": "政务服务条例第八条",
        "items": ["caseNo", "ratingTime"],
        "until": f"{site.hub.desk.today.year + 1}-01-31",
    }
    made = (await send(site, EDITOR, "/applications", good)).json()
    number = made["number"]
    await send(site, AUTHORITY, f"/applications/{number}/pass", {})
    granted = (await send(site, REVIEWER, f"/applications/{number}/agree", {})).json()
    grant = f"/grants/G{number[1:]}"
    held = (await send(site, EDITOR, grant)).json()
    denied = await send(site, REVIEWER, f"{grant}/secret", {})
    shown = await send(site, EDITOR, f"{grant}/secret", {})
    again = await send(site, EDITOR, f"{grant}/secret", {})
    unreasoned = await send(site, REVIEWER, f"{grant}/revoke", {"reason": "略"})
    await send(site, REVIEWER, f"{grant}/revoke", {"reason": "用途变更"})

    assert "application/problem+json" == refused.headers["content-type"]
    assert {"system", "purpose", "legal_basis", "items", "until"} == {
        fault["at"] for fault in refused.json()["faults"]
    }
    assert 422 == malformed.status_code
    assert "/resource" in {fault["at"] for fault in malformed.json()["faults"]}
    assert ("granted", "active", {}) == (granted["stage"], held["state"], held["use"])
    assert [403, 200, 409] == [denied.status_code, shown.status_code, again.status_code]
    assert f"G{number[1:]}" == shown.json()["app_id"]
    assert 256 / 8 <= len(shown.json()["secret"])
    assert "lifecycle.reason" == unreasoned.json()["code"]
    assert "revoked" == (await send(site, EDITOR, grant)).json()["state"]
    assert 404 == (await send(site, EDITOR, "/grants/G2020-000001")).status_code


async def test_sharing_is_asked_at_the_item(site: CatalogueSite) -> None:
    """A version that closes an item is published, and nobody is granted the item any more; opening
    it again is told as that, and published only with a reason for it (R-A5, R-C8)."""
    item = "  - {element: ratingTime"
    ground = "《政务数据共享条例》第十二条"
    assert item in text_of(NAME)

    def version(number: int, share: str) -> dict[str, str]:
        text = text_of(NAME).replace("version: 1", f"version: {number}")
        return {"text": text.replace(item, f"{item}{share}", 1)}

    closed = f", share: {{type: none, condition: {ground}, way: interface}}"
    assert 201 == (await send(site, EDITOR, "/versions", version(2, closed))).status_code
    for name, act in ((EDITOR, "submit"), (REVIEWER, "pass"), (AUTHORITY, "publish")):
        assert 200 == (await send(site, name, f"/versions/{NAME}/2/{act}", {})).status_code
    wanted = {
        "resource": NAME,
        "system": "one-window",
        "call": "/granted",
        "purpose": "改进窗口服务",
        "legal_basis": "政务服务条例第八条",
        "items": ["caseNo", "ratingTime"],
        "way": "interface",
        "until": f"{site.hub.desk.today.year + 1}-01-31",
    }
    refused = await send(site, EDITOR, "/applications", wanted)
    without = await send(site, EDITOR, "/applications", wanted | {"items": ["caseNo"]})

    assert [("items", "grant.item-not-shared")] == [
        (fault["at"], fault["code"]) for fault in refused.json()["faults"]
    ]
    assert (422, 201) == (refused.status_code, without.status_code)

    assert 201 == (await send(site, EDITOR, "/versions", version(3, ""))).status_code
    impact = (await send(site, EDITOR, f"/resources/{NAME}/impact")).json()
    assert [("compare.item-looser", "ratingTime")] == [
        (each["code"], each["item"]) for each in impact["differences"]
    ]
    path = f"/versions/{NAME}/3"
    await send(site, EDITOR, f"{path}/submit", {})
    await send(site, REVIEWER, f"{path}/pass", {})
    bare = await send(site, AUTHORITY, f"{path}/publish", {})
    reasons = {"reasons": [{"item": "ratingTime", "text": "评价时间不涉密，经研究同意"}]}
    told = await send(site, AUTHORITY, f"{path}/publish", reasons)

    assert [("ratingTime", "lifecycle.loosening")] == [
        (fault["at"], fault["code"]) for fault in bare.json()["faults"]
    ]
    assert (422, "published") == (bare.status_code, told.json()["state"])


async def test_a_returned_application_is_amended(site: CatalogueSite) -> None:
    """With a whole application in place of the old one; only once it was returned, and by its unit."""
    wanted = {
        "resource": NAME,
        "system": "one-window",
        "call": "/granted",
        "purpose": "改进窗口服务",
        "legal_basis": "政务服务条例第八条",
        "items": ["caseNo", "ratingTime"],
        "way": "interface",
        "until": f"{site.hub.desk.today.year + 1}-01-31",
    }
    number = (await send(site, EDITOR, "/applications", wanted)).json()["number"]
    path = f"/applications/{number}"
    early = await send(site, EDITOR, f"{path}/amend", wanted)
    await send(site, AUTHORITY, f"{path}/return", {"reason": "请减少信息项"})
    foreign = await send(site, AUTHORITY, f"{path}/amend", wanted)
    done = await send(site, EDITOR, f"{path}/amend", wanted | {"items": ["caseNo"]})

    assert [409, 403, 200] == [early.status_code, foreign.status_code, done.status_code]
    assert ("conformity", ["caseNo"]) == (done.json()["stage"], done.json()["asked"]["items"])


async def test_a_spreadsheet_becomes_drafts(site: CatalogueSite) -> None:
    """One path with the dry run; a wrong cell is told and keeps everything out; a second import is
    the draft's new text, until it is in review (R-A5)."""
    catalogue = await site.hub.desk.registry.catalogue()
    changed = catalogue.resources[NAME].model_copy(update={"summary": "重新表述的摘要。"})
    again = changed.model_copy(update={"summary": "又一次表述的摘要。"})
    wrong = changed.model_copy(update={"summary": "待定"})

    async def post(changed: Resource, *, dry_run: bool = False) -> httpx.Response:
        content = write_sheet([changed, catalogue.resources["caseStep"]], catalogue)
        told = {"xlsx": b64encode(content).decode(), "dry_run": dry_run}
        return await send(site, EDITOR, "/sheet", told)

    tried, refused = await post(changed, dry_run=True), await post(wrong)
    assert [] == (await send(site, EDITOR, "/tasks")).json()["tasks"]
    done = await post(changed)
    tasks = (await send(site, EDITOR, "/tasks")).json()["tasks"]
    revised = await post(again)
    text = (await site.hub.desk.registry.version(NAME, 2)).text
    await send(site, EDITOR, f"/versions/{NAME}/2/submit", {})
    late = await post(changed)

    drafts = [{"resource": NAME, "number": 2}]
    assert (False, drafts) == (tried.json()["kept"], tried.json()["drafts"])
    assert (422, ["catalog.placeholder"]) == (
        refused.status_code,
        [each["code"] for each in refused.json()["faults"]],
    )
    assert (True, drafts) == (done.json()["kept"], done.json()["drafts"])
    assert [(NAME, 2)] == [(each["resource"], each["number"]) for each in tasks]
    assert (True, drafts) == (revised.json()["kept"], revised.json()["drafts"])
    assert "又一次表述的摘要。" in text
    assert (409, "lifecycle.open") == (late.status_code, late.json()["code"])


async def test_nobody_writes_without_the_token(site: CatalogueSite) -> None:
    """And nobody in particular may look, and do nothing."""
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as client:
        answer = await client.post("/api/catalogue/versions", json={"text": ""})
    assert 403 == answer.status_code
    assert 200 == (await send(site, "", "/search?q=xzcf")).status_code
    refused = await send(site, "", "/versions", {"text": second(text_of(NAME))})
    assert (403, "lifecycle.role") == (refused.status_code, refused.json()["code"])


async def test_who_is_nobody_is_told_to_say_who_he_is(site: CatalogueSite) -> None:
    """Rather than shown a form that he cannot send."""
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as client:
        page = await client.get("/catalogue/resources/caseStep/apply")

    assert "请先在上方选择当前人员" in page.text
    assert 'name="purpose"' not in page.text


NEW_ELEMENT = """identifier: HUB.PUB.9001
name: {zh: 体验房号, en: trial room number}
short_name: trialRoomNo
object_class: 体验房
representation: 号
definition: 供体验入住的客房的编号。
type: string
format: an..20
status: draft
version: "1.0"
"""


async def test_a_data_element_is_registered_and_becomes_a_standard(site: CatalogueSite) -> None:
    """A draft by an editor, further by the authority, its file's other elements as they were; one that
    repeats another's name is refused with both named, and an editor makes no standard (R-A4)."""
    made = await send(site, EDITOR, "/elements", {"text": NEW_ELEMENT})
    twice = NEW_ELEMENT.replace("体验房号", "姓名").replace("trialRoomNo", "personTrialName")
    twice = twice.replace("9001", "9002").replace("object_class: 体验房\nrepresentation: 号\n", "")
    refused = await send(site, EDITOR, "/elements", {"text": twice})
    before = (await site.hub.desk.elements.text("trialRoomNo")).strip()
    recorded = NEW_ELEMENT.replace("status: draft", "status: recorded")
    qualified = NEW_ELEMENT.replace("status: draft", "status: qualified")
    states = [
        (await send(site, name, "/elements", {"text": text})).status_code
        for name, text in (
            (EDITOR, recorded),
            (EDITOR, qualified),
            (AUTHORITY, qualified),
            (AUTHORITY, recorded.replace("recorded", "retired")),
        )
    ]
    catalogue = await site.hub.desk.registry.catalogue()
    found = (await send(site, EDITOR, "/search?q=tyfh")).json()["elements"]

    assert (201, "draft") == (made.status_code, made.json()["status"])
    assert 422 == refused.status_code
    assert "personTrialName" not in catalogue.elements
    assert any("姓名" in fault["zh"] for fault in refused.json()["faults"])
    assert "definition: 供体验入住的客房的编号。" in before
    assert [201, 403, 201, 422] == states
    assert "qualified" == catalogue.elements["trialRoomNo"].status
    assert "trialRoomNo" in [each["short_name"] for each in found]
    done = await site.hub.desk.registry.done("element/trialRoomNo")
    assert [("赵编目", "draft"), ("赵编目", "recorded"), ("孙主管", "qualified")] == [
        (each.by, each.state) for each in done
    ]


async def test_what_an_element_would_touch_is_asked(site: CatalogueSite) -> None:
    """Each resource that binds it, with what would be different there; asking changes nothing."""
    before = await site.hub.desk.elements.text("satisfactionCode")
    told = await send(site, EDITOR, "/elements/impact", {"text": before + "note: 只是备注\n"})
    wrong = await send(site, EDITOR, "/elements/impact", {"text": "short_name: x"})

    assert (200, 422) == (told.status_code, wrong.status_code)
    (bound,) = told.json()["bound"]
    assert (NAME, 1, "published", ["satisfactionCode"]) == tuple(
        bound[key] for key in ("resource", "number", "state", "items")
    )
    assert ([], True, True) == (bound["differences"], bound["backward"], bound["forward"])
    assert {"integrated-platform.rating"} == {use["name"] for use in bound["uses"]}
    assert before == await site.hub.desk.elements.text("satisfactionCode")
