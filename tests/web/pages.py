"""A tiny application within the shell, on a real socket; and a real browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from starlette.applications import Starlette

__all__ = ["CHROMIUM", "Watched", "chromium", "serving", "watched"]

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A machine under load: longer than any page takes, shorter than a test may.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@asynccontextmanager
async def serving(app: Starlette, *, port: int = 0) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """Serve on the loopback until the block ends."""
    bound = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve(sockets=[bound]))
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}", server
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The machine's own Chromium; pages without outside network are all it may show."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watched:
    """A page, and all that it complained of or asked elsewhere."""

    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def watched(
    browser: Browser,
    *,
    locale: str = "zh-CN",
    dark: bool = False,
    scripts: bool = True,
    width: int = 1440,
) -> AsyncIterator[Watched]:
    """A fresh profile with one page."""
    context = await browser.new_context(
        locale=locale,
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        viewport={"width": width, "height": 900},
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    made = Watched(page, context)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: made.complaints.append(said.text) if said.type == "error" else None,
    )
    page.on("request", lambda request: made.asked.append(request.url))
    try:
        yield made
    finally:
        await context.close()
