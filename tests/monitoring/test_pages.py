"""The console over HTTP: what each page says, without a script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from monitoring.ports import Snapshot
from schemas.errors import Fault
from schemas.receipt import Event
from tests.monitoring.fixtures.city import City
from tests.monitoring.fixtures.site import NOON, Site, a_broken_panel, a_busy_city, served


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with served(a_busy_city(minutes=3)) as made:
        yield made


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as made:
        yield made


async def _token(client: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get("/failures")).text)
    assert found
    return found[1]


async def test_the_front_page_is_whole_without_a_script(client: httpx.AsyncClient) -> None:
    """Figures, map, failures and the ledger stand in the first answer."""
    text = (await client.get("/")).text

    for expected in (
        "今日接入",
        "数据流向",
        "消防监督管理系统",
        "对方系统未在规定时间内应答",
        "送达",
    ):
        assert expected in text
    assert "路由已停" in text  # the halted route is named, with its reason
    assert "签名、应用标识或时间戳不正确" in text


async def test_a_failure_at_intake_is_named_by_its_sender(client: httpx.AsyncClient) -> None:
    """There, no system was reached yet: the sender is the place."""
    text = (await client.get("/panels/failures")).text

    assert "接入 · " in text
    assert "数字市场监管综合业务平台" in text


async def test_a_broken_panel_leaves_the_page_standing() -> None:
    """One service's bug is that service's."""
    async with (
        served(a_busy_city(minutes=1), panels=[a_broken_panel()]) as site,
        httpx.AsyncClient(base_url=site.url, timeout=30) as client,
    ):
        answer = await client.get("/")

    assert 200 == answer.status_code
    assert "暂时读不到这部分数据" in answer.text
    assert "数据流向" in answer.text


async def test_a_database_that_is_away_is_said_on_each_panel(
    site: Site, client: httpx.AsyncClient
) -> None:
    """The page itself still comes."""
    site.city.away = True

    answer = await client.get("/")

    assert 200 == answer.status_code
    assert answer.text.count("暂时读不到这部分数据") >= 3
    assert 503 == (await client.get("/failures")).status_code


async def test_a_fresh_hub_looks_intended() -> None:
    """No streams, no failures, no ledger: each says so."""

    class Empty(City):
        async def snapshot(self) -> Snapshot:
            return Snapshot(places=(), streams={}, routes=())

    async with (
        served(Empty(NOON)) as site,
        httpx.AsyncClient(base_url=site.url, timeout=30) as client,
    ):
        text = (await client.get("/")).text

    for expected in ("尚未配置数据流", "没有待处理的失败件", "还没有流水"):
        assert expected in text


async def test_a_case_number_finds_its_journey(site: Site, client: httpx.AsyncClient) -> None:
    """And an application's number finds those of all its items."""
    number = site.city.apply(NOON - timedelta(minutes=30))
    cases = {hop.subject for hop in site.city.hops if hop.subject.startswith(f"{number}-")}

    text = (await client.get("/trace", params={"q": f" {number} "})).text

    assert len(cases) >= 3
    assert all(case in text for case in cases)
    assert "一件事申请" in text
    assert "按条件不送" in text


async def test_a_message_shows_its_body_masked(site: Site, client: httpx.AsyncClient) -> None:
    """With the names of its items; the certificate number stays covered."""
    message = next(h for h in site.city.hops if h.event == Event.MESSAGE_PUBLISHED)

    text = (await client.get(f"/messages/{message.message_id}")).text

    assert "申请人名称" in text
    assert "1301＊＊" in text
    assert message.digest[:16] in text


async def test_an_unknown_number_says_so(client: httpx.AsyncClient) -> None:
    """As a page, whatever was typed."""
    asked = "<script>alert(1)</script>"

    found = await client.get("/trace", params={"q": asked})
    message = await client.get("/messages/none")

    assert "没有找到相关记录" in found.text
    assert asked not in found.text
    assert 404 == message.status_code
    assert "/" == (await client.get("/trace?q=")).headers["location"]


async def test_routes_are_filtered_by_system_and_stream(client: httpx.AsyncClient) -> None:
    """What a click on the map leads to; trouble stands first."""
    everything = (await client.get("/routes")).text
    fire = (await client.get("/routes", params={"system": "fire-safety"})).text
    steps = (await client.get("/routes", params={"stream": "caseStep"})).text

    first_row = everything[everything.index("<tbody>") :][:200]
    assert "已停" in first_row
    assert "items-to-fire-safety" in fire
    assert "items-to-one-window" not in fire
    assert 'data-key="route-steps-to-library"' in steps
    assert 'data-key="route-results-to-library"' not in steps


async def test_one_failure_is_retried_by_its_button(site: Site, client: httpx.AsyncClient) -> None:
    """Without a script: a form, and a page that says what was done."""
    (failure_id,) = site.city.fail("steps-to-library", Fault("target.timeout"))
    token = await _token(client)

    answer = await client.post("/failures/retry", data={"csrf": token, "id": failure_id})

    assert "/failures?retried=1" == answer.headers["location"]
    assert "retrying" == site.city.kept[failure_id].state
    assert [((failure_id,), "console")] == site.city.retried
    assert "已重新投递 1 件" in (await client.get("/failures?retried=1")).text


async def test_a_whole_cause_is_retried(site: Site, client: httpx.AsyncClient) -> None:
    """And the answer to a script is a sentence in its language."""
    groups = await site.city.groups()
    token = await _token(client)

    answer = await client.post(
        "/failures/retry",
        data={"csrf": token, "group": groups[0].fingerprint},
        headers={"accept": "application/json", "accept-language": "en"},
    )

    assert {"said": "17 sent on their way again", "count": 17} == answer.json()


async def test_discarding_asks_for_a_reason_first(site: Site, client: httpx.AsyncClient) -> None:
    """A second step, which is the confirmation; a blank reason is none."""
    (failure_id,) = site.city.fail("steps-to-library", Fault("target.timeout"))
    form = {"csrf": await _token(client), "id": failure_id}

    asked = await client.post("/failures/discard", data=form)
    blank = await client.post("/failures/discard", data={**form, "reason": "  "})
    assert "waiting" == site.city.kept[failure_id].state
    done = await client.post("/failures/discard", data={**form, "reason": "测试数据"})

    assert "作废原因" in asked.text
    assert 400 == blank.status_code
    assert "作废失败件必须填写原因" in blank.text
    assert "/failures?discarded=1" == done.headers["location"]
    assert "console: 测试数据" == site.city.kept[failure_id].note
    discarded = (await client.get("/failures", params={"state": "discarded"})).text
    assert failure_id in discarded


async def test_nothing_chosen_does_nothing(site: Site, client: httpx.AsyncClient) -> None:
    """Neither retry nor discard."""
    token = await _token(client)

    retried = await client.post("/failures/retry", data={"csrf": token})
    discarded = await client.post("/failures/discard", data={"csrf": token, "reason": "x"})

    assert "/failures?retried=0" == retried.headers["location"]
    assert "没有选中任何失败件" in discarded.text
    assert [] == site.city.retried


async def test_a_failure_shows_every_reason(site: Site, client: httpx.AsyncClient) -> None:
    """With the place of each, and the way to its journey."""
    failure = next(iter(site.city.kept.values()))

    text = (await client.get(f"/failures/{failure.id}")).text

    assert "对方系统未在规定时间内应答" in text
    assert failure.code in text
    assert f"/messages/{failure.message_id}" in text
    assert 400 == (await client.get("/failures/none")).status_code


@pytest.mark.parametrize("state", ["waiting", "retrying", "discarded", "resolved", "bogus"])
async def test_every_state_has_its_list(client: httpx.AsyncClient, state: str) -> None:
    """An empty one says that it is; an unknown one is the first."""
    answer = await client.get("/failures", params={"state": state})

    assert 200 == answer.status_code
    assert "失败件" in answer.text


@pytest.mark.parametrize("path", ["/", "/routes", "/failures", "/trace?q=none"])
async def test_english_pages_have_no_chinese_left(client: httpx.AsyncClient, path: str) -> None:
    """But for the link that leads back to Chinese."""
    text = (await client.get(path, headers={"accept-language": "en"})).text
    shown = re.sub(r'<a class="tool" [^>]*>中文</a>', "", text)

    assert [] == re.findall(r"[\u4e00-\u9fff]+", shown)
