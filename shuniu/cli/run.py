"""``shuniu run``: the hub. All roles in one process by default, or some of many."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Annotated, Any

import typer

from schemas.errors import Misconfigured
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded
from shuniu.demo.children import until_parent_ends
from shuniu.hub_process import ALL_ROLES, run_hub
from shuniu.settings import Settings

__all__ = ["run", "until_stopped"]


def run(
    *,
    role: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(ALL_ROLES)}; repeatable.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply the site folder first, where it differs.")
    ] = False,
    watched: Annotated[bool, typer.Option("--watched", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    settings = settings_for()

    def work() -> None:
        roles = role or list(ALL_ROLES)
        if unknown := sorted(set(roles) - set(ALL_ROLES)):
            raise Misconfigured("run.role", "No such role", role=unknown[0])
        hub = partial(run_hub, settings, roles, apply_site=apply)
        asyncio.run(_run(settings, hub, watched=watched, quiet=as_json))

    guarded(work, as_json=as_json, lang=settings.lang)


async def _run(
    settings: Settings,
    run: Callable[[], Coroutine[Any, Any, None]],
    *,
    watched: bool,
    quiet: bool,
) -> None:
    hub = asyncio.create_task(run())
    if not (watched or quiet):
        console.print(f"http://{settings.host}:{settings.port}/")
    await until_stopped(hub, watched=watched)


async def until_stopped(work: asyncio.Task[None], *, watched: bool) -> None:
    """Let *work* run until a signal or, *watched*, the end of the parent; then cancel it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ends: list[asyncio.Task[object]] = [asyncio.create_task(_ended(stop.wait()))]
    if watched:
        ends.append(asyncio.create_task(_ended(until_parent_ends())))
    await asyncio.wait((work, *ends), return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    if not work.done():
        work.cancel()
    try:
        await work
    except asyncio.CancelledError:
        return


async def _ended(waiting: Awaitable[object]) -> object:
    return await waiting
