"""A program's side of `bench.children`: read the spec, say ``ready``, wait for ``go``, be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Coroutine
from typing import Any

__all__ = ["begin", "read_spec", "say", "until_stopped"]


def read_spec() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    return told


def say(line: str) -> None:
    print(line, flush=True)


def begin() -> None:
    """Say that all is set up, and block until it may begin."""
    say("ready")
    sys.stdin.readline()


async def until_stopped(work: Coroutine[Any, Any, object]) -> None:
    """Run *work* until our input ends; what it raises before that is raised."""
    stopped = asyncio.ensure_future(_end_of_input())
    working = asyncio.ensure_future(work)
    await asyncio.wait((stopped, working), return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
        await stopped
        return
    # Cancelled again while it lasts: a library may swallow a cancelling.
    while not working.done():
        working.cancel()
        await asyncio.wait((working,), timeout=0.5)
    with contextlib.suppress(asyncio.CancelledError):
        working.result()


async def _end_of_input() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
