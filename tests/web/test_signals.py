"""Signals reach every page, once, and end when the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.web.pages import serving
from web.signals import Signals


@pytest.fixture
async def signals() -> AsyncIterator[tuple[Signals, str]]:
    made = Signals(pause_s=0.05, heartbeat_s=0.2)
    async with serving(Starlette(routes=[Route("/signals", made.stream)])) as (url, _):
        yield made, f"{url}/signals"
        made.close()


async def _next(lines: AsyncIterator[str], start: str) -> str:
    """The next line that begins with *start*."""
    async with asyncio.timeout(5):
        async for line in lines:
            if line.startswith(start):
                return line
    pytest.fail(f"the stream ended without {start!r}")


async def test_words_in_quick_succession_are_one_event(signals: tuple[Signals, str]) -> None:
    """A page that is slow gets the words it missed together, each once."""
    made, url = signals
    async with httpx.AsyncClient() as client, client.stream("GET", url) as answer:
        lines = answer.aiter_lines()
        await _next(lines, "event: hello")

        for word in ("flow", "failures", "flow", "flow"):
            made.announce(word)

        assert "text/event-stream" in answer.headers["content-type"]
        await _next(lines, "event: changed")
        assert "data: failures flow" == await _next(lines, "data:")


async def test_a_quiet_stream_says_that_it_lives(signals: tuple[Signals, str]) -> None:
    """Proxies cut streams that say nothing for a minute."""
    _, url = signals
    async with httpx.AsyncClient() as client, client.stream("GET", url) as answer:
        assert ": still here" == await _next(answer.aiter_lines(), ":")


async def test_closing_ends_every_stream_at_once(signals: tuple[Signals, str]) -> None:
    """A server that stops does not wait for its readers; late comers are sent away."""
    made, url = signals
    async with httpx.AsyncClient() as client:
        async with client.stream("GET", url) as answer:
            lines = answer.aiter_lines()
            await _next(lines, "event: hello")

            made.close()

            async with asyncio.timeout(5):
                async for _ in lines:
                    pass
        assert 503 == (await client.get(url)).status_code


async def test_a_reader_that_left_is_forgotten(signals: tuple[Signals, str]) -> None:
    """Pages come and go all day; none may leave a set of words behind."""
    made, url = signals
    async with httpx.AsyncClient() as client, client.stream("GET", url) as answer:
        await _next(answer.aiter_lines(), "event: hello")
        assert 1 == made.readers

    async with asyncio.timeout(5):
        while made.readers:
            await asyncio.sleep(0.01)
