"""Processes forked from one that has imported the hub: they begin in milliseconds, not in a second."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess
from typing import Any

__all__ = ["ended", "forked", "running"]

# What they import, imported before.
IMPORTED = "tests.imported"


async def ended(process: ForkServerProcess, within_s: float = 30.0) -> int:
    """The exit code of *process*, which is to end by itself; minus a signal that ended it."""
    await asyncio.to_thread(process.join, within_s)
    assert process.exitcode is not None, "it goes on"
    return process.exitcode


@asynccontextmanager
async def running(work: Callable[..., Any], *arguments: Any) -> AsyncIterator[ForkServerProcess]:
    """As `forked`; killed where the block ends before it."""
    process = forked(work, *arguments)
    try:
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()


def forked(work: Callable[..., Any], *arguments: Any) -> ForkServerProcess:
    """*work* of *arguments* in a process of its own, started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([IMPORTED])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process
