"""``shuniu replay --resource R --since T``: recorded messages sent once more; backfill.

With ``--route`` or ``--service`` to one queue, else to all that follow the stream. ``--resume ID``
goes on with a replay that was interrupted; ``--list`` shows them.
"""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import asdict
from typing import Annotated, Any

import typer

from hub.broker import Broker
from hub.replay import Replay, Wanted
from hub.store.replays import Job, listed
from schemas.errors import Misconfigured, Rejected
from shuniu.cli.options import AsJson, moment, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.node import running_url
from shuniu.settings import Settings

__all__ = ["replay"]


def replay(
    *,
    resource: Annotated[str, typer.Option(help="Of which resource.")] = "",
    since: Annotated[str, typer.Option(help="2026-11-01T00:00, or 30m, 2h, 7d ago.")] = "",
    until: Annotated[str, typer.Option(help="Likewise; now if not told.")] = "",
    route: Annotated[str, typer.Option(help="To this route alone.")] = "",
    service: Annotated[str, typer.Option(help="To this service alone.")] = "",
    from_step: Annotated[str, typer.Option(help="intake, stream, route.")] = "",
    source: Annotated[str, typer.Option(help="history, ledger, auto.")] = "auto",
    pace: Annotated[float, typer.Option(min=0, help="Messages a second; 0: no limit.")] = 0.0,
    resume: Annotated[str, typer.Option(help="Go on with this replay.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Replays, newest first.")] = False,
    as_json: AsJson = False,
) -> None:
    settings = settings_for()

    def wanted() -> Wanted:
        at = now()
        step = _step(from_step, route, service)
        return Wanted(
            resource=resource,
            since=moment(since, at),
            until=moment(until, at) if until else at,
            step=step,
            place=route or service,
            source=source,
            by=getpass.getuser(),
        )

    if show:
        _print_list(
            guarded(lambda: _listed(settings), as_json=as_json, lang=settings.lang), as_json
        )
        return

    async def work(engine: Replay) -> dict[str, Any]:
        if dry_run:
            found, kept = await engine.count(wanted())
            return {"ok": True, "messages": found, "replayable": kept}
        job = await (engine.resume(resume) if resume else engine.begin(wanted()))
        if not as_json:
            console.print(job.id)
        return {"ok": True, "replay": asdict(await engine.run(job, pace=pace))}

    told = guarded(
        lambda: asyncio.run(_with_engine(settings, work)), as_json=as_json, lang=settings.lang
    )
    if as_json:
        print_json(told)
    else:
        shown = told.get("replay", told)
        for name, value in shown.items():
            console.print(f"[bold]{name}[/bold]  {value}", highlight=False)


def _step(from_step: str, route: str, service: str) -> str:
    if route and service:
        raise Rejected("replay.step", "One place at a time", step="route, service", source="")
    named = "route" if route else "service" if service else ""
    if named and from_step not in ("", "route", named):
        raise Rejected("replay.step", "The place tells the step", step=from_step, source="")
    return named or from_step or "stream"


async def _with_engine(settings: Settings, work: Any) -> dict[str, Any]:
    instance = Instance.of(settings)
    url = settings.amqp_url or running_url(settings.home / "broker")
    if url is None:
        # The running hub's own node: a replay never starts a broker.
        raise Misconfigured("broker.not-running", "No hub runs here", folder=str(settings.home))
    store = open_store(settings)
    try:
        async with Broker(url, name="replay", mac=instance.mac()) as broker:
            engine = Replay(broker, store, instance.seal(), instance.plan(), now)
            told: dict[str, Any] = await work(engine)
            return told
    finally:
        store.close()


def _listed(settings: Settings) -> list[Job]:
    store = open_store(settings)
    try:
        return list(store.read_now(listed))
    finally:
        store.close()


def _print_list(jobs: list[Job], as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "replays": [asdict(job) for job in jobs]})
        return
    columns = ("id", "resource", "since", "until", "step", "place", "state", "sent", "by")
    rows = [[getattr(job, name) for name in columns] for job in jobs]
    print_table(columns, rows)
