"""Tasks that are kept running under their names, and exchanged one by one while the others go on.

Promises   a task that fails because the broker or the database is away starts again by itself, ever
           more rarely; one that is to be exchanged has ended before its successor starts
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from schemas.errors import HubError

__all__ = ["Crew", "Work"]

AGAIN_FIRST_S, AGAIN_LAST_S, STEADY_S = 0.5, 30.0, 60.0
STOP_FIRST_S, STOP_AGAIN_S = 12.0, 0.5
log = structlog.get_logger("hub.engine")


@dataclass(frozen=True, slots=True)
class Work:
    """*made_of*: while it stays equal, the task goes on as it is."""

    run: Callable[[], Awaitable[None]]
    made_of: object = None


class Crew:
    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._works: dict[str, Work] = {}
        self._changing = asyncio.Lock()
        self._broken = asyncio.Event()
        self._closed = False

    async def keep(self, works: Mapping[str, Work]) -> None:
        """End what is not among *works* or is made of something else, then start what is new."""
        async with self._changing:
            if self._closed:
                return
            gone = [n for n, old in self._works.items() if not _same(old, works.get(n))]
            await _end([self._tasks[name] for name in gone])
            for name in gone:
                del self._tasks[name], self._works[name]
            for name, work in works.items():
                if name not in self._tasks:
                    self._start(name, work)

    async def broken(self) -> None:
        """Return when a task has ended by itself, which none should."""
        await self._broken.wait()

    async def close(self) -> None:
        # Not behind the lock: a change under way may itself be waiting for a task.
        self._closed = True
        await _end(list(self._tasks.values()))

    def _start(self, name: str, work: Work) -> None:
        if self._closed:
            return
        task = asyncio.create_task(_keep_running(name, work.run), name=name)
        task.add_done_callback(self._ended)
        self._tasks[name], self._works[name] = task, work

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._broken.set()


def _same(old: Work, new: Work | None) -> bool:
    return new is not None and old.made_of == new.made_of


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel *tasks*, and leave them time to finish what is under way. Then again, until they have
    ended: a library that swallows a cancelling would go on for ever."""
    pending, wait_s = set(tasks), STOP_FIRST_S
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=wait_s)
        wait_s = STOP_AGAIN_S


async def _keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    wait_s = AGAIN_FIRST_S
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await work()
        except Exception as raised:
            match _cause(raised):
                case HubError(code=code):
                    log.warning("role.failed", role=name, code=code, again_s=wait_s)
                case error:
                    kind = type(error).__name__
                    log.exception("role.broke", role=name, error=kind, again_s=wait_s)
        if loop.time() - started > STEADY_S:
            wait_s = AGAIN_FIRST_S
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, AGAIN_LAST_S)


def _cause(raised: Exception) -> Exception:
    """Of what several tasks of a role raised: a bug before a trouble, else the first."""
    if not isinstance(raised, ExceptionGroup):
        return raised
    causes = [_cause(each) for each in raised.exceptions]
    return next((each for each in causes if not isinstance(each, HubError)), causes[0])
