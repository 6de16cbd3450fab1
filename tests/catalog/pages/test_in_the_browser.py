"""The catalogue's pages in a real browser: search, review, grants; by keyboard, in both languages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from catalog.lifecycle.grants import Answer, Asked, Decision, Stage
from catalog.lifecycle.steps import Act
from tests.catalog.pages.site import CatalogueSite, served, text_of
from tests.web.pages import Watched, chromium, watched

# One worker starts the browser for all of them, instead of each for its share.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("browser")]
CONTRAST = (Path(__file__).parents[2] / "monitoring" / "contrast.js").read_text(encoding="utf-8")
EDITOR, REVIEWER, AUTHORITY = "赵编目", "钱审核", "孙主管"
NAME = "caseRating"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path) -> AsyncIterator[CatalogueSite]:
    async with served(tmp_path) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser: Browser) -> AsyncIterator[Watched]:
    async with watched(browser) as made:
        yield made


async def act_as(page: Page, name: str) -> None:
    await page.get_by_label("当前人员").select_option(name)
    await page.get_by_role("button", name="切换").click()
    await expect(page.get_by_label("当前人员")).to_have_value(name)


def changed(text: str) -> str:
    """The second version, with one optional item more."""
    head = text.replace("version: 1", "version: 2")
    return f"{head.rstrip()}\n  - {{element: taskName}}\n"


async def test_search_keeps_its_state_in_the_address(seen: Watched, site: CatalogueSite) -> None:
    """Initials and filters find; the address alone shows the same again; Enter opens a row."""
    page = seen.page
    await page.goto(f"{site.url}/catalogue")
    await page.get_by_role("search").get_by_label("检索").fill("xzcf")
    await page.get_by_label("共享类型").select_option("conditional")
    await page.get_by_role("button", name="检索").click()

    assert "q=xzcf" in page.url
    assert "share=conditional" in page.url
    first = page.locator("tr[data-href]").first
    await expect(first).to_contain_text("行政处罚信息")
    await page.reload()
    await expect(page.locator("tr[data-href]").first).to_contain_text("行政处罚信息")
    await page.keyboard.press("j")
    await expect(first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("行政处罚信息")


async def test_a_version_goes_through_review(seen: Watched, site: CatalogueSite) -> None:
    """Drafted, submitted, passed by its unit, seen with its impact, published by the authority; who
    has it is shown all the way, and the published version stays until then."""
    page = seen.page
    await page.goto(f"{site.url}/catalogue/draft?resource={NAME}")
    await act_as(page, EDITOR)
    await page.goto(f"{site.url}/catalogue/draft?resource={NAME}&as=text")
    await page.get_by_label("资源声明").fill(changed(text_of(NAME)))
    await page.get_by_role("button", name="保存编制稿").click()
    pending = page.locator("#pending")
    await expect(pending).to_contain_text("新增信息项")
    await expect(pending).to_contain_text("向后兼容是")
    await page.get_by_role("button", name="提交审核").click()
    await expect(pending).to_contain_text("待部门审核")
    await expect(pending).to_contain_text("0 个工作日/5")

    await act_as(page, REVIEWER)
    await page.goto(f"{site.url}/catalogue/tasks")
    await page.locator("tbody input[name=version]").check()
    await page.get_by_role("button", name="部门审核通过").click()
    await expect(page.get_by_role("status").filter(has_text="已办理 1 项")).to_be_visible()
    assert NAME in (await site.hub.desk.registry.catalogue()).resources
    live = (await site.hub.desk.registry.catalogue()).resources[NAME]
    assert 1 == live.version

    await act_as(page, AUTHORITY)
    await page.goto(f"{site.url}/catalogue/resources/{NAME}")
    await page.get_by_role("button", name="审核通过并发布").click()
    await expect(page.locator("body")).to_contain_text("仍在接收")
    live = (await site.hub.desk.registry.catalogue()).resources[NAME]
    assert 2 == live.version

    await page.get_by_role("link", name="版本对照").click()
    await expect(page.locator("tr.here")).to_contain_text("taskName")


async def test_a_return_needs_a_reason(seen: Watched, site: CatalogueSite) -> None:
    """Without one it is refused with a sentence; with one for an item it goes back, and says so."""
    page = seen.page
    versions = site.hub.versions
    editor = site.person(EDITOR)
    await versions.draft(changed(text_of(NAME)), editor)
    await page.goto(f"{site.url}/catalogue/resources/{NAME}")
    await act_as(page, EDITOR)
    await page.get_by_role("button", name="提交审核").click()
    await act_as(page, REVIEWER)
    await page.get_by_role("button", name="退回").click()
    await expect(page.get_by_role("alert")).to_contain_text("须写明理由")

    await page.goto(f"{site.url}/catalogue/resources/{NAME}")
    await page.get_by_text("逐项填写理由").click()
    await (
        page.locator("#acts label", has_text="taskName")
        .locator("input[name=why]")
        .fill("与事项名称重复")
    )
    await page.get_by_role("button", name="退回").click()
    await expect(page.locator("#pending")).to_contain_text("编制中")


async def test_many_are_reviewed_at_once(seen: Watched, site: CatalogueSite) -> None:
    """All are chosen by one key, and each is passed by itself; those of others are named in words."""
    page, versions = seen.page, site.hub.versions
    for name in (NAME, "caseStep"):
        await versions.draft(changed(text_of(name)), site.person(EDITOR))
        await versions.act(name, 2, Act.SUBMIT, site.person(EDITOR))
    await page.goto(f"{site.url}/catalogue/tasks")
    await act_as(page, REVIEWER)
    await page.goto(f"{site.url}/catalogue/tasks")
    await page.get_by_label("全选").press("Space")
    await page.get_by_role("button", name="部门审核通过").press("Enter")
    await expect(page.locator("p.notice")).to_contain_text("2")
    others = page.locator("section", has=page.get_by_role("heading", name="等他人办理"))
    await expect(others).to_contain_text("绩效评价")

    assert {"authority-review"} == {
        (await site.hub.desk.registry.version(name, 2)).standing.state.value
        for name in (NAME, "caseStep")
    }


async def test_an_application_becomes_a_grant(seen: Watched, site: CatalogueSite) -> None:
    """What does not conform is told at the form; then it is checked, agreed to in part, granted, and
    revoked with a reason; the route comes and goes with it."""
    page = seen.page
    await page.goto(f"{site.url}/catalogue/resources/caseStep/apply")
    await act_as(page, EDITOR)
    await page.get_by_label("接收系统").select_option("one-window")
    await page.get_by_label("接收接口或表").fill("/granted")
    await page.get_by_label("用途").fill("核对办件进展")
    await page.get_by_label("使用至").fill("2099-01-01")
    await page.locator("input[name=item][value=stepName]").check()
    await page.get_by_role("button", name="提交申请").click()
    told = page.get_by_role("alert")
    await expect(told).to_contain_text("须写明办理依据")
    await expect(told).to_contain_text("授权最长")
    await page.get_by_label("办理依据").fill("政务服务条例第八条")
    year = site.hub.desk.today.year
    await page.get_by_label("使用至").fill(f"{year + 1}-01-31")
    await page.get_by_role("button", name="提交申请").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"A{year}-000001")

    await act_as(page, AUTHORITY)
    await page.get_by_role("button", name="符合性审查通过").click()
    await expect(page.locator("body")).to_contain_text("待提供方答复")
    await act_as(page, REVIEWER)
    await page.locator("input[name=item][value=stepName]").uncheck()
    await page.get_by_role("button", name="同意").click()
    await expect(page.locator("body")).to_contain_text("部分授权")
    await page.get_by_role("link", name="授权与使用").click()
    await expect(page.locator("body")).to_contain_text("使用中")
    route = f"routes/grant-{year}-000001.yaml"
    assert route in (await site.hub.grants.releaser.live())[1]

    await page.get_by_label("理由").fill("用途变更")
    await page.get_by_role("button", name="收回").click()
    await expect(page.locator("body")).to_contain_text("已收回")
    assert route not in (await site.hub.grants.releaser.live())[1]


async def test_a_returned_application_is_mended(seen: Watched, site: CatalogueSite) -> None:
    """The applicant sees why, finds what he asked, changes it and submits it again (R-C8); what is
    not shared cannot be chosen."""
    page, grants, year = seen.page, site.hub.grants, site.hub.desk.today.year
    asked = Asked(
        resource="caseStep",
        system="one-window",
        call="/granted",
        purpose="核对办件进展",
        legal_basis="政务服务条例第八条",
        items=("caseNo", "stepName"),
        way="interface",
        until=date(year + 1, 1, 31),
    )
    made = await grants.apply(asked, site.person(EDITOR))
    why = Answer(reason="请说明具体用途")
    await grants.decide(made.number, Decision.RETURN, site.person(AUTHORITY), why)

    await page.goto(f"{site.url}/catalogue/applications/{made.number}")
    await expect(page.get_by_role("link", name="补正")).to_have_count(0)
    await act_as(page, EDITOR)
    await page.get_by_role("link", name="补正").click()
    await expect(page.locator(".notice")).to_contain_text("请说明具体用途")
    await expect(page.get_by_label("用途")).to_have_value("核对办件进展")
    await expect(page.locator("input[name=item][value=stepName]")).to_be_checked()
    await page.get_by_label("用途").fill("无")
    await page.get_by_role("button", name="再次提交").click()
    await expect(page.get_by_role("alert")).to_contain_text("须写明用途")
    await page.get_by_label("用途").fill("在窗口答复申请人的进度询问")
    await page.locator("input[name=item][value=stepName]").uncheck()
    await page.get_by_role("button", name="再次提交").click()

    await expect(page.locator("body")).to_contain_text("待符合性审查")
    await expect(page.locator("body")).to_contain_text("在窗口答复申请人的进度询问")
    now = await site.hub.desk.registry.application(made.number)
    assert (Stage.CONFORMITY, ("caseNo",)) == (now.stage, now.asked.items)


async def test_an_element_tells_all_of_itself(seen: Watched, site: CatalogueSite) -> None:
    """State, version, words of its name, type in words, and everywhere it is used, drafts too."""
    page = seen.page
    await site.hub.versions.draft(changed(text_of(NAME)), site.person(EDITOR))
    await page.goto(f"{site.url}/catalogue/elements/taskName")
    await expect(page.locator("tr", has_text="办理中的版本")).to_contain_text("绩效评价")
    await page.goto(f"{site.url}/catalogue/elements/certTypeCode")
    await expect(page.locator("tr", has_text="certNumber")).to_contain_text("按它区分号码的种类")
    await expect(page.locator("body")).to_contain_text("字符型")
    await page.goto(f"{site.url}/catalogue/elements/citizenId")
    body = page.locator("body")
    for told in (
        "标准",
        "版本 1.0",
        "公民 对象类词 · 身份 特性词 · 号码 表示词",
        "还没有资源使用它",
    ):
        await expect(body).to_contain_text(told)


async def test_an_elements_change_shows_what_it_touches_first(
    seen: Watched, site: CatalogueSite
) -> None:
    """Which resources, routes and partners, and what would no longer be valid there; only the text whose
    impact was shown is taken, by keyboard too; one that nobody uses needs no second look."""
    page, name = seen.page, "caseNo"
    before = await site.hub.desk.elements.text(name)
    wider = before.replace("an..50", "an..60").replace(
        f"short_name: {name}", f"short_name: {name}\nversion: '2.0'"
    )
    assert "an..60" in wider
    await page.goto(f"{site.url}/catalogue/element-draft?element={name}&as=text")
    await act_as(page, AUTHORITY)
    await page.goto(f"{site.url}/catalogue/element-draft?element={name}&as=text")
    field = page.get_by_label("数据元声明")
    await field.fill(wider)
    await page.get_by_role("button", name="登记数据元").press("Enter")
    impact = page.get_by_role("region", name="修改的影响")
    await expect(impact).to_contain_text("结果送达")
    await expect(impact).to_contain_text("dispatches-to-integrated-platform")
    await expect(impact).to_contain_text("影响使用方")
    assert before == await site.hub.desk.elements.text(name)

    await field.fill(wider.replace("an..60", "an..70"))
    await page.get_by_role("button", name="确认修改").click()
    await expect(page.get_by_role("region", name="修改的影响")).to_be_visible()
    assert before == await site.hub.desk.elements.text(name)
    await page.get_by_role("button", name="确认修改").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("办件编号")
    await expect(page.locator("body")).to_contain_text("an..70")


async def test_a_guide_looks_like_one(seen: Watched, site: CatalogueSite) -> None:
    """Reached from the resource's page; its own style is let in, and nothing else is asked for."""
    await seen.page.goto(f"{site.url}/catalogue/resources/{NAME}")
    await seen.page.get_by_role("link", name="对接指南").click()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("绩效评价对接指南")
    cell = seen.page.locator("td", has_text="satisfactionCode").first
    await expect(cell).to_have_css("border-top-style", "solid")

    assert [] == [url for url in seen.asked if not url.startswith(f"{site.url}/")]
    assert [] == seen.complaints


@pytest.mark.parametrize("dark", [False, True])
async def test_pages_are_legible_and_keep_to_themselves(
    browser: Browser, site: CatalogueSite, *, dark: bool
) -> None:
    """Contrast holds in both lights; no page asks another host or breaks its own policy; in English
    no Chinese sentence of ours is left in the headings."""
    await site.hub.versions.draft(changed(text_of(NAME)), site.person(EDITOR))
    paths = (
        "",
        "?q=企业",
        "/stock",
        "/tasks",
        f"/resources/{NAME}",
        "/elements/uscc",
        "/elements/certTypeCode",
        f"/resources/{NAME}/compare",
        "/resources/caseStep/apply",
        "/draft?as=text",
        "/draft?resource=itemCase",
        "/element-draft?element=uscc&as=text",
        "/element-draft?element=certNumber",
        "/import",
    )
    async with watched(browser, dark=dark, locale="en-US" if dark else "zh-CN") as seen:
        for path in paths:
            await seen.page.goto(f"{site.url}/catalogue{path}")
            await expect(seen.page.locator("#live.on")).to_be_visible()
            weak = await seen.page.evaluate(CONTRAST)
            assert [] == weak, path

        assert [] == [url for url in seen.asked if not url.startswith(f"{site.url}/")]
        assert [] == seen.complaints
