"""What stands around every page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.web.pages import serving
from web.guard import CSRF_COOKIE, CSRF_FIELD, CSRF_HEADER, MOST_BYTES
from web.shell import Shell, form_of


async def _page(request: Request) -> Response:
    return HTMLResponse(request.scope["state"]["csrf"])


async def _taken(request: Request) -> Response:
    return JSONResponse({"form": form_of(request), "body": (await request.body()).decode()})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    shell = Shell()
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/act", _taken, methods=["POST"]),
            Route("/in/partner/x", _taken, methods=["POST"]),
            *shell.routes(),
        ],
        middleware=shell.middleware(),
        exception_handlers=shell.exception_handlers(),
    )
    async with serving(app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as made:
        yield made


async def test_every_answer_forbids_other_origins(client: httpx.AsyncClient) -> None:
    """Pages, and answers to what does not exist, alike."""
    for path in ("/", "/nowhere"):
        headers = (await client.get(path)).headers

        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "nosniff" == headers["x-content-type-options"]
        assert "no-store" == headers["cache-control"]


async def test_a_post_with_the_page_s_token_passes(client: httpx.AsyncClient) -> None:
    """And its fields are read once, for the page to use."""
    token = (await client.get("/")).text

    answer = await client.post("/act", data={CSRF_FIELD: token, "id": ["a", "b"], "reason": ""})

    assert ["a", "b"] == answer.json()["form"]["id"]
    assert [""] == answer.json()["form"]["reason"]
    assert "id=a&id=b" in answer.json()["body"]


async def test_json_passes_with_the_token_in_a_header(client: httpx.AsyncClient) -> None:
    """Larger than a form may be, since bodies are edited so; and refused without the header."""
    token = (await client.get("/")).text
    large = {"body": "x" * 100_000}

    answer = await client.post("/act", json=large, headers={CSRF_HEADER: token})
    without = await client.post("/act", json={CSRF_FIELD: token})
    endless = await client.post(
        "/act", json={"body": "x" * 3_000_000}, headers={CSRF_HEADER: token}
    )

    assert len(answer.json()["body"]) > 100_000
    assert (403, 413) == (without.status_code, endless.status_code)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, "guess"),
        ({"origin": "https://evil.example"}, ""),
        ({"origin": "null"}, ""),
        ({"sec-fetch-site": "cross-site"}, ""),
        ({"sec-fetch-site": "same-site"}, ""),
    ],
)
async def test_a_post_from_elsewhere_reaches_nobody(
    client: httpx.AsyncClient, headers: dict[str, str], token: str
) -> None:
    """Without our token, or from another site even with it."""
    right = (await client.get("/")).text

    answer = await client.post("/act", data={CSRF_FIELD: token or right}, headers=headers)

    assert 403 == answer.status_code


async def test_a_first_post_without_any_cookie_is_refused(client: httpx.AsyncClient) -> None:
    """The token of a cookie that was not sent proves nothing, the empty one least of all."""
    assert 403 == (await client.post("/act", data={CSRF_FIELD: ""})).status_code


async def test_the_cookie_is_not_for_scripts_nor_other_sites(client: httpx.AsyncClient) -> None:
    """It is set with a page, and only when there is none yet."""
    first, second = await client.get("/"), await client.get("/")

    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"{CSRF_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "set-cookie" not in second.headers


async def test_a_form_too_large_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    """Whatever is behind the most that a form may have."""
    token = (await client.get("/")).text

    answer = await client.post("/act", data={CSRF_FIELD: token, "x": "a" * MOST_BYTES})

    assert 413 == answer.status_code


@pytest.mark.parametrize(
    ("accept", "shown"),
    [("text/html", "text/html; charset=utf-8"), ("application/json", "application/problem+json")],
)
async def test_a_person_is_told_why(client: httpx.AsyncClient, accept: str, shown: str) -> None:
    """On a page of ours, or to the script that sent the form in the background: in words, and what to do."""
    token = (await client.get("/")).text
    headers = {"accept": accept, "accept-language": "en"}

    large = {CSRF_FIELD: token, "x": "a" * MOST_BYTES}
    too_large = await client.post("/act", data=large, headers=headers)
    unproven = await client.post("/act", data={CSRF_FIELD: "old"}, headers=headers)

    assert [shown, shown] == [each.headers["content-type"] for each in (too_large, unproven)]
    assert f"at most {MOST_BYTES // 1024} KB" in too_large.text
    assert "reload the page" in unproven.text


async def test_doors_for_machines_are_left_alone(client: httpx.AsyncClient) -> None:
    """Partners sign their requests; they have no cookies, and send JSON of any size."""
    answer = await client.post("/in/partner/x", content=b'{"a": 1}')

    assert '{"a": 1}' == answer.json()["body"]
