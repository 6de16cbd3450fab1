"""Signals: "this has changed", sent to every open page (server-sent events), which then asks again.

A signal is a word such as ``failures``; it carries no content, so nothing can leak through it, and
a page that missed one is mended by the next. Each page has a *set* of words waiting for it: that
is its queue, bounded by the number of different words however slow the page is.

Standard   HTML Living Standard, 9.2 Server-sent events
Units      seconds
Promises   a page is told within `PAUSE_S`, and not more often than that; every stream ends at once
           on `Signals.close`, so that a shutting server does not wait for its readers
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

__all__ = ["Signals"]

PAUSE_S, HEARTBEAT_S = 1.0, 15.0
MOST_READERS, MOST_WORDS = 1000, 64
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class _Reader:
    def __init__(self) -> None:
        self.words: set[str] = set()
        self.woken = asyncio.Event()


class Signals:
    """One per server. Call everything on its event loop."""

    def __init__(self, *, pause_s: float = PAUSE_S, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._pause_s, self._heartbeat_s = pause_s, heartbeat_s
        self._readers: set[_Reader] = set()
        self._closed = asyncio.Event()

    @property
    def readers(self) -> int:
        """How many pages listen now."""
        return len(self._readers)

    def announce(self, *words: str) -> None:
        """Tell every page that *words* have changed. Never waits, never fails."""
        for reader in self._readers:
            if len(reader.words) < MOST_WORDS:
                reader.words.update(words)
                reader.woken.set()

    def close(self) -> None:
        """End every stream; call it when the server is asked to stop, before it waits."""
        self._closed.set()
        for reader in self._readers:
            reader.woken.set()

    async def stream(self, request: Request) -> Response:
        """The endpoint. A reader too many gets 503 and falls back to asking by the clock."""
        if self._closed.is_set() or self.readers >= MOST_READERS:
            return PlainTextResponse("", 503, {"retry-after": "30"})
        del request
        return StreamingResponse(self._told(), media_type="text/event-stream", headers=HEADERS)

    async def _told(self) -> AsyncIterator[str]:
        reader = _Reader()
        self._readers.add(reader)
        try:
            yield "retry: 3000\nevent: hello\ndata: 1\n\n"
            while not self._closed.is_set():
                try:
                    async with asyncio.timeout(self._heartbeat_s):
                        await reader.woken.wait()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if reader.words:
                    yield _event(reader.words)
                reader.words.clear()
                reader.woken.clear()
                await self._rest()
        finally:
            self._readers.discard(reader)

    async def _rest(self) -> None:
        """Let what comes in quick succession become one event."""
        try:
            async with asyncio.timeout(self._pause_s):
                await self._closed.wait()
        except TimeoutError:
            return


def _event(words: Iterable[str]) -> str:
    return f"event: changed\ndata: {' '.join(sorted(words))}\n\n"
