"""The official spreadsheet on the pages: checked, given back marked, confirmed (R-A5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest
import pytest_asyncio
from openpyxl import load_workbook
from playwright.async_api import Browser, expect

from catalog.pages.people import COOKIE
from catalog.pages.sheets import MOST_BYTES, UPLOAD
from catalog.sheet.columns import COLUMNS, SHEET
from catalog.sheet.write import write_sheet
from hub.registry.uploads import KEPT, MOST_OF_ONE
from shuniu.clock import now
from tests.catalog.pages.site import CatalogueSite, served
from tests.web.pages import chromium, watched
from web.guard import CSRF_COOKIE

# One worker starts the browser for all of them, instead of each for its share.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("browser")]
EDITOR, OTHER = "赵编目", "周编目"
NAME, ANOTHER = "caseRating", "caseStep"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CatalogueSite]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with served(folder) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


async def sheet_of(
    site: CatalogueSite, column: str, value: str, *, name: str = NAME
) -> tuple[bytes, str]:
    """The live resource's, with *value* in the first row that has something there; and its cell."""
    catalogue = await site.hub.desk.registry.catalogue()
    book = load_workbook(BytesIO(write_sheet([catalogue.resources[name]], catalogue)))
    sheet = book[SHEET]
    number = next(n for n, each in enumerate(COLUMNS, 1) if each.title == column)
    cell = next(
        row[number - 1] for row in sheet.iter_rows(min_row=2) if row[number - 1].value is not None
    )
    cell.value = value
    made = BytesIO()
    book.save(made)
    return made.getvalue(), cell.coordinate


async def send(
    site: CatalogueSite, content: bytes, *, name: str = EDITOR, token: str = "token"
) -> httpx.Response:
    cookies = {COOKIE: quote(name), CSRF_COOKIE: "token"}
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies, timeout=30) as client:
        return await client.post(
            UPLOAD, data={"csrf": token}, files={"file": ("目录.xlsx", content)}
        )


async def get(site: CatalogueSite, path: str, name: str = EDITOR) -> httpx.Response:
    cookies = {COOKIE: quote(name), CSRF_COOKIE: "token"}
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies, timeout=30) as client:
        return await client.get(path)


async def post(site: CatalogueSite, path: str, name: str = EDITOR) -> httpx.Response:
    cookies = {COOKIE: quote(name), CSRF_COOKIE: "token"}
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies, timeout=30) as client:
        return await client.post(path, data={"csrf": "token"}, timeout=30)


async def test_a_sheet_is_checked_mended_and_kept(
    browser: Browser, site: CatalogueSite, tmp_path: Path
) -> None:
    """By keyboard and pointer: the fault at its cell, the same file marked there; mended, confirmed, and
    only then a draft. Nothing is asked of another host."""
    wrong, cell = await sheet_of(site, "更新周期", "每世纪")
    right, _ = await sheet_of(site, "信息资源摘要", "窗口服务的评价结果，供改进服务")
    (tmp_path / "wrong.xlsx").write_bytes(wrong)
    (tmp_path / "right.xlsx").write_bytes(right)
    async with watched(browser) as seen:
        page = seen.page
        await page.goto(f"{site.url}{UPLOAD}")
        await page.get_by_label("当前人员").select_option(EDITOR)
        await page.get_by_role("button", name="切换").click()
        await page.goto(f"{site.url}{UPLOAD}")
        chooser = page.get_by_label("选择文件")
        await chooser.set_input_files(tmp_path / "wrong.xlsx")
        await chooser.focus()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#faults")).to_contain_text(cell)
        await expect(page.get_by_role("button", name="确认导入")).to_have_count(0)
        async with page.expect_download() as download:
            await page.get_by_role("link", name="下载标注文件").click()
        given_back = Path(await (await download.value).path()).read_bytes()
        marked = load_workbook(BytesIO(given_back))[SHEET][cell]
        await page.goto(f"{site.url}{UPLOAD}")
        await page.get_by_label("选择文件").set_input_files(tmp_path / "right.xlsx")
        await page.get_by_role("button", name="检查").click()
        await expect(page.locator("p.notice")).to_contain_text("1 份草稿")
        before = await site.hub.desk.registry.versions(NAME)
        await page.get_by_role("button", name="确认导入").click()
        await expect(page.locator("p.notice")).to_contain_text("已生成")

        assert marked.comment is not None
        assert "FFFFC7CE" == marked.fill.fgColor.rgb
        after = await site.hub.desk.registry.versions(NAME)
        assert [1] == [each.standing.number for each in before]
        assert {1: "published", 2: "draft"} == {
            each.standing.number: each.standing.state.value for each in after
        }
        assert [] == [url for url in seen.asked if not url.startswith(f"{site.url}/")]
        assert [] == seen.complaints


async def test_another_process_confirms_what_one_has_taken(site: CatalogueSite) -> None:
    """Two processes behind one address: a file that one has taken is shown, given back marked and
    confirmed by the other, once."""
    good, _ = await sheet_of(site, "信息资源摘要", "由另一个进程确认的摘要", name=ANOTHER)
    wrong, cell = await sheet_of(site, "是否必填", "对", name=ANOTHER)
    path, bad = [(await send(site, each)).headers["location"] for each in (good, wrong)]
    async with served(site.folder) as other:
        shown = await get(other, path)
        marked = await get(other, f"{bad}/marked.xlsx")
        confirmed = await post(other, path)
        again = await post(site, path)

    assert [200, 200, 404] == [each.status_code for each in (shown, confirmed, again)]
    assert "1 份草稿" in shown.text
    assert "已生成" in confirmed.text
    found = load_workbook(BytesIO(marked.content))[SHEET][cell]
    assert found.comment is not None


async def test_what_waits_is_bounded(site: CatalogueSite) -> None:
    """Of one person so many files wait; the oldest makes way, another's stays, and none waits long."""
    uploads, at = site.hub.desk.uploads, now()
    theirs = await uploads.put("other", b"x", at)
    mine = [
        await uploads.put("one", b"%d" % n, at + timedelta(seconds=n))
        for n in range(MOST_OF_ONE + 1)
    ]
    later = at + timedelta(seconds=9)

    assert [None, b"1", b"2", b"3"] == [await uploads.get(t, "one", later) for t in mine]
    assert b"x" == await uploads.get(theirs, "other", later)
    assert await uploads.get(theirs, "one", later) is None
    assert await uploads.get(mine[-1], "one", later + KEPT) is None


async def test_what_is_uploaded_is_bounded_and_its_owners(site: CatalogueSite) -> None:
    """Without the token, too large, no spreadsheet, or one that inflates without end: refused; and
    nobody else sees what somebody has uploaded."""
    good, _ = await sheet_of(site, "信息资源摘要", "另一个摘要")
    bomb = BytesIO()
    with ZipFile(bomb, "w", ZIP_DEFLATED) as package:
        for n in range(21):
            package.writestr(f"xl/{n}.bin", bytes(10_000_000))
    denied = await send(site, good, token="forged")
    large = await send(site, bytes(MOST_BYTES + 100_000))
    others = [await send(site, each) for each in (b"PK\3\4no zip", bomb.getvalue())]
    taken = await send(site, good)
    path = taken.headers["location"]

    assert [403, 413] == [denied.status_code, large.status_code]
    assert len(bomb.getvalue()) < MOST_BYTES
    assert [422, 422] == [each.status_code for each in others]
    assert [200, 404] == [(await get(site, path, name)).status_code for name in (EDITOR, OTHER)]
    assert 404 == (await get(site, f"{UPLOAD}/unknown/marked.xlsx")).status_code
