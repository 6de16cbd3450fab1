"""``shuniu demo``: generated guest-house applications through the hub, with simulated partners.

With ``--exit`` it ends when every message has come to rest, and exits 0 only if the ledger and the
partners' own stores agree that none is lost, doubled or failed.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from functools import partial
from typing import Annotated, Any

import typer
from rich.live import Live

from schemas.errors import Misconfigured
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json
from shuniu.cli.progress import progress_table, summary_table
from shuniu.demo.flow import Demo, open_demo
from shuniu.demo.reckoning import LedgerCounts, Summary
from shuniu.settings import Settings

__all__ = ["demo"]

SWITCHES = (
    "hang_for_s",
    "error_every",
    "slow_s",
    "malformed_every",
    "duplicate_every",
    "out_of_order",
    "refuse_every",
    "half_answer_every",
    "lose_answer_every",
)


def demo(
    *,
    cases: Annotated[int, typer.Option(min=1, max=100_000, help="Applications to make.")] = 40,
    leave: Annotated[bool, typer.Option("--exit", help="End when all has come to rest.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on submitting until stopped.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="SYSTEM:SWITCH=NUMBER, e.g. fire-safety:hang_for_s=20; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same cases.")] = 1,
    speed: Annotated[float, typer.Option(help="How fast partners answer; 1 is calm.")] = 1.0,
    within: Annotated[float, typer.Option(help="Longest wait for rest, seconds.")] = 900.0,
    as_json: AsJson = False,
) -> None:
    settings = settings_for()
    summary = guarded(
        lambda: asyncio.run(
            _demo(settings, cases, _faults(fault or []), leave, keep, seed, speed, within, as_json)
        ),
        as_json=as_json,
        lang=settings.lang,
    )
    if summary is None:
        return
    if as_json:
        print_json(summary.shown())
    else:
        console.print(summary_table(summary, settings.lang))
        for difference in summary.differences:
            console.print(f"  {difference}", style="red", markup=False)
    sys.exit(0 if summary.accounted else 1)


async def _demo(
    settings: Settings,
    cases: int,
    faults: dict[str, dict[str, Any]],
    leave: bool,
    keep: bool,
    seed: int,
    speed: float,
    within: float,
    as_json: bool,
) -> Summary | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_demo(settings, seed=seed, speed=speed) as running:
        if not as_json:
            console.print(say("demo.address", {"address": running.address}, settings.lang))
        started = time.monotonic()
        await running.submit(cases, faults)
        working = asyncio.create_task(_watch(running, cases, within, started, as_json, keep))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            return None
        summary = await working
        if not leave and not as_json:
            console.print(summary_table(summary, settings.lang))
            console.print(say("demo.stays", {"address": running.address}, settings.lang))
            await stopping
            return None
        stopping.cancel()
        return summary


async def _watch(
    running: Demo, cases: int, within: float, started: float, as_json: bool, keep: bool
) -> Summary:
    submitted = cases
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            show = partial(_show, live, running, submitted, started, quiet=as_json)
            await running.rest(submitted, within, show)
            if not keep:
                return await running.summary(submitted, time.monotonic() - started)
            # A moving demo: a few more whenever the last have come to rest.
            await running.partners.submit(cases)
            submitted += cases


def _show(
    live: Live, running: Demo, submitted: int, started: float, counts: LedgerCounts, *, quiet: bool
) -> None:
    if not quiet:
        live.update(progress_table(counts, submitted, time.monotonic() - started, running))


def _faults(told: list[str]) -> dict[str, dict[str, Any]]:
    faults: dict[str, dict[str, Any]] = {}
    for each in told:
        system, colon, switch = each.partition(":")
        name, equals, value = switch.partition("=")
        try:
            if not (colon and equals and name in SWITCHES):
                raise ValueError
            faults.setdefault(system, {})[name] = float(value) if "." in value else int(value)
        except ValueError as error:
            raise Misconfigured(
                "demo.fault", "--fault takes SYSTEM:SWITCH=NUMBER", switches=", ".join(SWITCHES)
            ) from error
    return faults
