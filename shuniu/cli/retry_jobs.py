"""``shuniu failures job start|list|show|pause|resume|cancel``: retries with canaries and a brake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import typer

from hub.retry_policy import CANARIES, Policy
from monitoring.failure_api import shown
from schemas.errors import Misconfigured
from shuniu.cli.desk import (
    Code,
    Every,
    Group,
    OnRoute,
    Opened,
    OptionalIds,
    Resource,
    Stage,
    System,
    Why,
    at_desk,
    chosen_by,
    who,
)
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, print_json, print_table

__all__ = ["app", "cancel", "listed", "pause", "resume", "show", "start"]

app = typer.Typer(help="Retries as jobs: step by step, paced, stopped when too much fails.")
JobId = Annotated[str, typer.Argument(metavar="JOB")]
ROWS = ("pinned", "claimed", "staged", "sent", "done", "failed", "skipped")


@app.command()
def start(
    ids: OptionalIds = None,
    *,
    group: Group = "",
    stage: Stage = "",
    route: OnRoute = "",
    system: System = "",
    resource: Resource = "",
    code: Code = "",
    every: Every = False,
    steps: Annotated[
        str, typer.Option(help="Rows in each of the first steps; the rest goes by thousands.")
    ] = ",".join(map(str, CANARIES)),
    pace: Annotated[float, typer.Option(help="Rows a second; 0: as fast as it goes.")] = 0.0,
    stop_share: Annotated[
        float, typer.Option(help="Stop where more than this share of a step fails.")
    ] = 0.2,
    timeout: Annotated[
        float, typer.Option(help="Seconds after which no outcome counts as a failure.")
    ] = 300.0,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Pin the failures that wait now and fit, and send them step by step."""
    settings = settings_for()
    chosen = chosen_by(
        ids,
        group=group,
        stage=stage,
        route=route,
        system=system,
        resource=resource,
        code=code,
        every=every,
    )

    async def begin(open_: Opened) -> dict[str, Any]:
        policy = Policy(
            steps=_counts(steps),
            pace_per_s=pace,
            stop_share=stop_share,
            step_timeout_s=timeout,
        )
        started = await open_.jobs.start(chosen, policy, by=who(), reason=reason)
        return await open_.jobs.one(started.id)

    _shown(at_desk(settings, begin, as_json=as_json), as_json)


@app.command("list")
def listed(
    *,
    state: Annotated[
        str, typer.Option(help="running, paused, stopped, cancelled, done; none: all.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Retry jobs, newest first."""
    settings = settings_for()
    jobs = at_desk(settings, lambda open_: open_.jobs.listed(state), as_json=as_json)
    if as_json:
        print_json({"ok": True, "jobs": jobs})
        return
    print_table(
        ("id", "at", "by", "state", "total", *ROWS),
        [
            (
                *(job[name] for name in ("id", "at", "by", "state", "total")),
                *(job["rows"].get(name, 0) for name in ROWS),
            )
            for job in jobs
        ],
    )


@app.command()
def show(
    job_id: JobId,
    *,
    state: Annotated[str, typer.Option(help="Only rows in this state.")] = "",
    after: Annotated[int, typer.Option(help="Rows after this number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """One job with its rows, a thousand at a time, and who did what with it."""
    settings = settings_for()

    async def look(open_: Opened) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        job = await open_.jobs.one(job_id)
        rows = await open_.jobs.rows(job_id, state=state, after=after)
        return job, [shown.job_row(row) for row in rows]

    job, rows = at_desk(settings, look, as_json=as_json)
    if as_json:
        print_json({"ok": True, "job": job, "rows": rows})
        return
    _shown(job, as_json=False)
    print_table(
        ("n", "failure", "step", "state", "reason"),
        [
            (row["n"], row["failure_id"], row["step"], row["state"], row[settings.lang])
            for row in rows
        ],
    )


@app.command()
def pause(job_id: JobId, *, reason: Why = "", as_json: AsJson = False) -> None:
    """Send no more for now; what is on its way is followed."""
    _changed(job_id, lambda open_: open_.jobs.pause(job_id, by=who(), reason=reason), as_json)


@app.command()
def resume(job_id: JobId, *, reason: Why = "", as_json: AsJson = False) -> None:
    """Go on; after a stop, with the next step."""
    _changed(job_id, lambda open_: open_.jobs.resume(job_id, by=who(), reason=reason), as_json)


@app.command()
def cancel(job_id: JobId, *, reason: Why = "", as_json: AsJson = False) -> None:
    """End it for good; what was not sent waits as before."""
    _changed(job_id, lambda open_: open_.jobs.cancel(job_id, by=who(), reason=reason), as_json)


def _changed(job_id: str, change: Callable[[Opened], Awaitable[None]], as_json: bool) -> None:
    async def work(open_: Opened) -> dict[str, Any]:
        await change(open_)
        return await open_.jobs.one(job_id)

    _shown(at_desk(settings_for(), work, as_json=as_json), as_json)


def _shown(job: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "job": job})
        return
    for name, value in job.items():
        if name != "acts":
            console.print(f"[bold]{name}[/bold]  {value}", highlight=False)
    for each in job["acts"]:
        console.print(f"{each['at']}  {each['by']}  {each['act']}  {each['reason']}")


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise Misconfigured("retry.steps", "Not numbers", found=text[:64]) from error
