"""The console in a real browser: live without reloading, by keyboard, in both languages and lights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from schemas.errors import Fault
from tests.monitoring.fixtures.site import Site, a_busy_city, served
from tests.web.pages import Watched, chromium, watched

# One worker starts the browser for all of them, instead of each for its share.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("browser")]
UNFOLD = "for (const each of document.querySelectorAll('details')) each.open = true"
CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with served(a_busy_city(minutes=3)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser: Browser) -> AsyncIterator[Watched]:
    async with watched(browser) as made:
        yield made


async def _open(seen: Watched, site: Site, path: str = "/") -> None:
    await seen.page.goto(site.url + path)
    await expect(seen.page.locator("#live.on")).to_be_visible()


async def test_nothing_leaves_the_origin_and_nothing_complains(seen: Watched, site: Site) -> None:
    """No page asks another host, and none breaks its own content security policy."""
    failure = next(iter(site.city.kept))
    message = site.city.hops[-1].message_id
    for path in ("/", "/routes", "/failures", f"/failures/{failure}", f"/messages/{message}"):
        await _open(seen, site, path)

    elsewhere = [url for url in seen.asked if not url.startswith(f"{site.url}/")]
    assert [] == elsewhere
    assert [] == seen.complaints


async def test_a_signal_brings_new_failures_without_a_reload(seen: Watched, site: Site) -> None:
    """The page that was loaded is still the same page afterwards."""
    await _open(seen, site)
    await seen.page.evaluate("window.sameAsBefore = true")

    site.city.fail("licences-to-platform", Fault("body.too-slow"), count=9)
    site.shell.signals.announce("failures")

    panel = seen.page.locator("#panel-failures")
    await expect(panel.get_by_text("报文未在规定时间内传完")).to_be_visible()
    assert await seen.page.evaluate("window.sameAsBefore")


async def test_a_refresh_keeps_what_a_person_is_doing(seen: Watched, site: Site) -> None:
    """Ticks and focus survive while rows come in above and go."""
    await _open(seen, site, "/failures")
    boxes = seen.page.locator("tbody input[name=id]")
    chosen = await boxes.nth(3).get_attribute("value")
    gone = await boxes.nth(0).get_attribute("value")
    await boxes.nth(3).check()
    await boxes.nth(3).focus()

    site.city.fail("licences-to-platform", Fault("body.too-slow"), count=2)
    await site.city.retry([str(gone)], "somebody else")
    site.shell.signals.announce("failures")

    await expect(seen.page.locator(f'input[value="{gone}"]')).to_have_count(0)
    same = seen.page.locator(f'input[name=id][value="{chosen}"]')
    await expect(same).to_be_checked()
    await expect(same).to_be_focused()


async def test_the_retry_button_of_a_cause_works(seen: Watched, site: Site) -> None:
    """One click: the failures go on their way, a sentence says so, the row leaves."""
    await _open(seen, site)
    row = seen.page.locator("#panel-failures tr", has_text="对方系统未在规定时间内应答")

    await row.get_by_role("button", name="重试").click()

    await expect(seen.page.locator(".toast")).to_have_text("已重新投递 17 件")
    await expect(row).to_have_count(0)
    assert 17 == len(site.city.retried[0][0])
    assert seen.page.url == f"{site.url}/"


async def test_a_failed_action_says_so(seen: Watched, site: Site) -> None:
    """The database is away: nothing is lost, and the row stays."""
    await _open(seen, site)
    site.city.away = True
    row = seen.page.locator("#panel-failures tr", has_text="对方系统未在规定时间内应答")

    await row.get_by_role("button", name="重试").click()

    await expect(seen.page.locator(".toast.bad")).to_have_text("枢纽数据库没有应答。")
    assert [] == site.city.retried
    await expect(row).to_be_visible()
    await expect(seen.page.locator("#panel-failures .stale")).to_be_visible()


async def test_chosen_failures_are_discarded_with_a_reason(seen: Watched, site: Site) -> None:
    """Tick, discard, say why."""
    await _open(seen, site, "/failures")
    await seen.page.locator("tbody input[name=id]").nth(0).check()
    await seen.page.locator("tbody input[name=id]").nth(1).check()

    await seen.page.get_by_role("button", name="作废所选").click()
    await seen.page.locator("textarea").fill("重复申报")
    await seen.page.get_by_role("button", name="确认作废 2 件").click()

    await expect(seen.page.locator(".notice")).to_have_text("已作废 2 件")
    discarded = [f for f in site.city.kept.values() if f.state == "discarded"]
    assert ["console: 重复申报"] * 2 == [failure.note for failure in discarded]


async def test_the_keyboard_goes_everywhere(seen: Watched, site: Site) -> None:
    """``?`` helps, ``/`` searches, j and k walk the rows, Enter opens, g goes home."""
    page = seen.page
    await _open(seen, site)

    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()

    for key in ("j", "j", "k"):
        await page.keyboard.press(key)
    await expect(page.locator("[data-href]").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/failures?group=*")

    await page.keyboard.press("g")
    await page.wait_for_url(f"{site.url}/")
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    case = next(hop.subject for hop in site.city.hops if "-" in hop.subject)
    await page.keyboard.type(case)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/trace?q=*")
    await expect(page.locator("h1")).to_have_text(case)


async def test_pointing_at_the_map_shows_what_hangs_together(seen: Watched, site: Site) -> None:
    """By mouse and by Tab; the line below says the figures."""
    page = seen.page
    await _open(seen, site)

    await page.locator('[data-node="stream:caseStep"]').hover()
    await expect(page.locator('.link.lit[data-to="stream:caseStep"]')).to_have_count(5)
    await expect(page.locator(".map-told")).to_contain_text("事项办理：每分钟发布")

    await page.locator('[data-node="to:fire-safety"]').focus()
    await expect(page.locator(".map-told")).to_contain_text("排队 38")


async def test_language_and_light_are_switched_and_kept(seen: Watched, site: Site) -> None:
    """From any page, and back to it."""
    page = seen.page
    await _open(seen, site, "/failures?state=resolved")

    await page.get_by_role("link", name="English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith("/failures?state=resolved")

    before = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    for expected in ("light", "dark"):
        await page.locator("#theme").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", expected)
    assert before != await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.goto(site.url)
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_row_does_not_run_away_from_the_pointer(seen: Watched, site: Site) -> None:
    """The running list rests while it is pointed at, and goes on afterwards."""
    await _open(seen, site)
    first = seen.page.locator("#panel-recent tbody tr").first
    before = await first.get_attribute("data-key")
    figure = seen.page.locator('[data-key="published"] b')
    count = await figure.text_content()
    await first.hover()

    site.city.apply(site.city.now)
    site.shell.signals.announce("flow")

    await expect(figure).not_to_have_text(str(count))  # the rest of the page goes on
    assert before == await first.get_attribute("data-key")
    await seen.page.mouse.move(5, 5)
    site.shell.signals.announce("flow")
    await expect(first).not_to_have_attribute("data-key", str(before))


@pytest.mark.parametrize("light", ["light", "dark"])
async def test_every_text_can_be_read(browser: Browser, site: Site, light: str) -> None:
    """WCAG 2.2 AA: a contrast of at least 4.5, computed from what the browser shows."""
    failure = next(iter(site.city.kept))
    case = next(hop.subject for hop in site.city.hops if "-" in hop.subject)
    async with watched(browser, dark=light == "dark") as seen:
        for path in ("/", "/routes", "/failures", f"/failures/{failure}", f"/trace?q={case}"):
            await _open(seen, site, path)
            assert [] == await seen.page.evaluate(CONTRAST), path


@pytest.mark.parametrize("width", [1024, 1440, 1920])
@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_no_page_is_wider_than_its_window(
    browser: Browser, site: Site, width: int, locale: str
) -> None:
    """Tables scroll within their panel; the page itself never sideways."""
    async with watched(browser, width=width, locale=locale) as seen:
        number = next(hop.subject for hop in site.city.hops if hop.subject)
        for path in ("/", "/routes", "/failures", f"/trace?q={number}"):
            await _open(seen, site, path)
            await seen.page.evaluate(UNFOLD)
            wide = await seen.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, path


async def test_reading_needs_no_script(browser: Browser, site: Site) -> None:
    """The figures, the map and the failures are there; so are the buttons."""
    async with watched(browser, scripts=False) as seen:
        await seen.page.goto(site.url)

        await expect(seen.page.locator(".node").first).to_be_visible()
        await expect(seen.page.get_by_text("对方系统未在规定时间内应答")).to_be_visible()
        await seen.page.get_by_role("button", name="重试").first.click()
        await expect(seen.page.locator(".notice")).to_have_text("已重新投递 17 件")


async def test_a_lost_connection_is_shown_and_mended(seen: Watched) -> None:
    """The dot says that figures are old; when the hub is back, all is asked again."""
    city = a_busy_city(minutes=1)
    async with served(city) as site:
        await _open(seen, site)
        await seen.page.evaluate("window.sameAsBefore = true")
    await expect(seen.page.locator("#live.lost")).to_contain_text("连接中断")

    city.fail("licences-to-platform", Fault("body.too-slow"), count=9)
    async with served(city, port=int(site.url.rpartition(":")[2])):
        await expect(seen.page.locator("#live.on")).to_be_visible()
        await expect(seen.page.get_by_text("报文未在规定时间内传完")).to_be_visible()
        assert await seen.page.evaluate("window.sameAsBefore")
