"""The shell: assets, choices, panels in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from schemas.errors import Rejected, Transient
from tests.web.pages import serving
from web import shell as shell_module
from web.assets import Assets
from web.shell import Link, Panel, Shell


async def _bug(_: Request) -> Response:
    raise ZeroDivisionError


async def _away(_: Request) -> Response:
    raise Transient("store.down", "The database does not answer")


async def _slow(_: Request) -> Response:
    await asyncio.Event().wait()
    return PlainTextResponse("never")


async def _refused(_: Request) -> Response:
    raise Rejected("failure.unknown", "No such failure", id="<b>x</b>")


def _panel(key: str) -> Panel:
    endpoint = {"bug": _bug, "away": _away, "slow": _slow}[key]
    return Panel(key=key, title="console.recent", endpoint=endpoint, page=f"/{key}")


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(shell_module, "PANEL_S", 0.1)
    shell = Shell()
    panels = [_panel("bug"), _panel("away"), _panel("slow")]
    links = [Link(title="console.overview", url="/")]
    app = Starlette(
        routes=[
            Route("/broken", _bug),
            Route("/refused", _refused),
            Route("/away-page", _away),
            *shell.routes(panels, links),
        ],
        middleware=shell.middleware(),
        exception_handlers=shell.exception_handlers(),
    )
    async with serving(app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as made:
        yield made


@pytest.mark.parametrize("key", ["bug", "away", "slow"])
async def test_a_panel_in_trouble_says_so(client: httpx.AsyncClient, key: str) -> None:
    """Whatever its service does, the page around it stands and tells what it cannot show."""
    answer = await client.get(f"/panels/{key}")

    assert 503 == answer.status_code
    assert "暂时读不到这部分数据" in answer.text
    assert "ZeroDivisionError" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nowhere", 404, "没有这个页面"),
        ("/refused", 400, "没有编号为"),
        ("/away-page", 503, "枢纽数据库没有应答"),
        ("/broken", 500, "页面出错"),
    ],
)
async def test_errors_are_pages(
    client: httpx.AsyncClient, path: str, status: int, said: str
) -> None:
    """With the layout around them, a sentence in them, and nothing of our insides."""
    answer = await client.get(path)

    assert status == answer.status_code
    assert said in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "枢纽</b>" in answer.text
    assert "Traceback" not in answer.text
    assert "<b>x</b>" not in answer.text


async def test_a_program_gets_errors_as_json(client: httpx.AsyncClient) -> None:
    """In both languages, and in the reader's, for the page's own script."""
    by_path = await client.get("/api/nothing")
    by_wish = await client.get(
        "/away-page", headers={"accept": "application/json", "accept-language": "en"}
    )

    assert (404, "web.not-found") == (by_path.status_code, by_path.json()["code"])
    assert "没有这个页面" == by_path.json()["said"]
    assert (503, "store.down") == (by_wish.status_code, by_wish.json()["code"])
    assert by_wish.json()["en"] == by_wish.json()["said"]


async def test_a_shared_panel_is_rendered_once_for_a_language() -> None:
    """However many ask; and it holds nobody's token, for all will see it."""
    asked: list[str] = []

    async def endpoint(request: Request) -> Response:
        asked.append(str(request.scope.get("state", {}).get("csrf", "")))
        return shell.render(request, "web:trouble.html", code=str(len(asked)))

    shell = Shell(shared_s=60)
    panel = Panel(key="one", title="console.recent", endpoint=endpoint, shared=True)
    app = Starlette(routes=shell.routes([panel]), middleware=shell.middleware())
    async with serving(app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as client:
        for _ in range(2):
            await client.get("/panels/one")
        chinese = await client.get("/panels/one")
        english = await client.get("/panels/one", headers={"accept-language": "en"})

    assert ["", ""] == asked
    assert "<code>1</code>" in chinese.text
    assert "This cannot be read just now" in english.text


async def test_navigation_shows_links_and_the_pages_of_panels(client: httpx.AsyncClient) -> None:
    """A service's page is reached from everywhere."""
    text = (await client.get("/nowhere")).text

    assert 'href="/away"' in text
    assert "总览" in text


async def test_a_choice_is_kept_in_a_cookie(client: httpx.AsyncClient) -> None:
    """Language and appearance, until chosen otherwise."""
    english = await client.get("/language/en", params={"back": "/nowhere?q=1"})
    await client.get("/theme/dark")

    assert "/nowhere?q=1" == english.headers["location"]
    text = (await client.get("/nowhere")).text
    assert '<html lang="en" data-theme="dark">' in text
    assert "There is no such page" in text


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
async def test_a_choice_leads_back_to_our_own_pages_only(
    client: httpx.AsyncClient, back: str
) -> None:
    """An open redirect would lend our name to others."""
    assert "/" == (await client.get("/theme/dark", params={"back": back})).headers["location"]


async def test_an_unknown_choice_is_not_kept(client: httpx.AsyncClient) -> None:
    """Only what we know goes into a cookie."""
    assert "set-cookie" not in (await client.get("/language/fr")).headers


async def test_assets_are_kept_for_ever_under_their_content_s_name(
    client: httpx.AsyncClient,
) -> None:
    """A browser asks for each version once."""
    url = Assets().url("shuniu.css")

    answer = await client.get(url)

    assert "immutable" in answer.headers["cache-control"]
    assert "text/css; charset=utf-8" == answer.headers["content-type"]
    assert 404 == (await client.get("/assets/shuniu.000000000000.css")).status_code
    assert 404 == (await client.get("/assets/..%2fshell.py")).status_code
