"""Data elements and resources made field by field in a real browser, with the keyboard alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from catalog.model import Resource
from schemas.declarations import parse
from tests.catalog.pages.site import CatalogueSite, served
from tests.web.pages import Watched, chromium, watched

# One worker starts the browser for all of them, instead of each for its share.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("browser")]
EDITOR = "赵编目"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CatalogueSite]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with served(folder) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser: Browser) -> AsyncIterator[Watched]:
    async with watched(browser) as made:
        yield made


async def opened(page: Page, address: str) -> None:
    """The page at *address*, for an editor."""
    await page.goto(address)
    await page.get_by_label("当前人员").select_option(EDITOR)
    await page.get_by_role("button", name="切换").press("Enter")
    await expect(page.get_by_label("当前人员")).to_have_value(EDITOR)
    await page.goto(address)


async def typed(page: Page, *values: str) -> None:
    """Into the field that has the focus and those after it, each reached by Tab; "" leaves one as it is."""
    for value in values:
        if value:
            await page.keyboard.insert_text(value)
        await page.keyboard.press("Tab")


async def test_an_element_is_made_by_keyboard(seen: Watched, site: CatalogueSite) -> None:
    """From field to field; what is missing is told at its field, which has the focus; another line for
    kinds comes without leaving the page; Enter registers."""
    page = seen.page
    await opened(page, f"{site.url}/catalogue/element-draft")
    await page.get_by_label("标识符").focus()
    await typed(page, "HUB.ZZZ.0001", "检验室名称", "laboratory name")
    await page.keyboard.insert_text("laboratoryName")
    await page.keyboard.press("Enter")

    await expect(page.get_by_label("定义")).to_be_focused()
    await expect(page.locator("small.t-bad")).to_have_text("必须填写。")
    await page.keyboard.insert_text("检验室的名称。")
    await page.get_by_role("button", name="再加一行").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("代码 2")).to_be_focused()
    await expect(page.get_by_label("定义")).to_have_value("检验室的名称。")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=1)).to_have_text("检验室名称", timeout=20_000)
    made = (await site.hub.desk.registry.catalogue()).elements["laboratoryName"]
    assert ("HUB.ZZZ.0001", "检验室的名称。") == (made.identifier, made.definition)
    assert all("422" in each for each in seen.complaints)


async def test_a_resource_is_made_by_keyboard(seen: Watched, site: CatalogueSite) -> None:
    """From field to field; rows are added, moved into a group and above one another from within them, and
    keep the focus; what a row is called stands beside it as it is typed."""
    page = seen.page
    await opened(page, f"{site.url}/catalogue/draft")
    await page.get_by_label("数据流名称").focus()
    await typed(page, "inspection", "307013/000901", "检验", "inspection", "检验的记录。", "", "")
    await typed(page, "ZD 工业、交通")
    for _ in range(2):
        await page.keyboard.press("ArrowDown")
    await page.get_by_label("共享类型", exact=True).focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.get_by_label("业务主键").focus()
    await typed(page, "caseNo")

    await page.get_by_label("第 1 行：数据元短名").focus()
    await page.keyboard.insert_text("regionCode")
    await expect(page.locator("[data-told]").first).to_have_text("行政区划代码")
    await page.keyboard.press("Alt+Shift+Enter")
    await expect(page.get_by_label("第 2 行：数据元短名")).to_be_focused()
    await typed(page, "caseNo")
    await page.keyboard.press("Space")
    await page.keyboard.press("Alt+Shift+ArrowUp")
    await expect(page.get_by_label("第 1 行：数据元短名")).to_have_value("caseNo")
    await expect(page.get_by_label("第 1 行：必填")).to_be_focused()

    await page.get_by_role("button", name="加复合项").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("第 3 行：复合项短名")).to_be_focused()
    await page.keyboard.insert_text("Place")
    await page.get_by_label("中文名称").last.focus()
    await typed(page, "地点")
    await page.keyboard.insert_text("place")
    await page.keyboard.press("Alt+Shift+Enter")
    await expect(page.get_by_label("第 4 行：数据元短名")).to_be_focused()
    await page.keyboard.insert_text("address")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=1)).to_have_text("检验", timeout=20_000)
    made = parse((await site.hub.desk.registry.version("inspection", 1)).text, Resource, file="r")
    assert ["caseNo", "regionCode", "Place"] == [each.wire_name for each in made.items]
    assert ([True, False, False], "地点") == (
        [each.required for each in made.items],
        made.items[2].name and made.items[2].name.zh,
    )
    assert ["address"] == [each.element for each in made.items[2].items]
    assert [] == seen.complaints
