"""``shuniu failures …``: the failure store, from the command line.

Form       ``list show`` look, ``rehearse`` tries without effect, ``retry edit redirect`` send again,
           ``discard restore`` set aside and take back; ``job …`` are retries with canaries and a
           brake (`shuniu.cli.retry_jobs`)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hub.envelope import decode_body
from hub.rehearsal import Rehearsed
from hub.retry_policy import Policy
from monitoring.failure_api import shown
from schemas.errors import Fault, Misconfigured
from schemas.texts import say
from shuniu.cli import retry_jobs
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

__all__ = [
    "app",
    "discard",
    "edit",
    "listed",
    "redirect",
    "rehearse",
    "restore",
    "retry",
    "show",
]

app = typer.Typer(help="Failures: look, rehearse, retry, edit, redirect, discard, restore.")
app.add_typer(retry_jobs.app, name="job")
Ids = Annotated[list[str], typer.Argument(metavar="ID...")]
Id = Annotated[str, typer.Argument(metavar="ID")]


@app.command("list")
def listed(
    *,
    state: Annotated[
        str, typer.Option(help="waiting, retrying, resolved, discarded, redirected")
    ] = "waiting",
    group: Annotated[str, typer.Option(help="Fingerprint of one group.")] = "",
    stage: Stage = "",
    route: OnRoute = "",
    system: System = "",
    resource: Resource = "",
    code: Code = "",
    after: Annotated[str, typer.Option(help="Those listed after the failure of this id.")] = "",
    as_json: AsJson = False,
) -> None:
    """Failures, newest first, five hundred at a time."""
    settings = settings_for()
    chosen = chosen_by(
        None, group=group, stage=stage, route=route, system=system, resource=resource, code=code
    )
    rows = at_desk(
        settings, lambda open_: open_.desk.listed(state, chosen, after=after), as_json=as_json
    )
    if as_json:
        print_json({"ok": True, "failures": [shown.failure(row) for row in rows]})
        return
    print_table(
        ("id", "stage", "route", "resource", "subject", "tries", "reason", "group"),
        [
            (
                row["id"],
                row["stage"],
                row["route"] or row["source"],
                row["resource"],
                row["subject"],
                row["attempts"],
                _reason(row, settings.lang),
                row["fingerprint"],
            )
            for row in rows
        ],
    )
    console.print(f"{len(rows)}")


@app.command()
def show(failure_id: Id, *, as_json: AsJson = False) -> None:
    """One failure: every reason, its body with personal data masked, and all that was done."""
    settings = settings_for()

    told = at_desk(
        settings,
        lambda open_: shown.failure_with_history(open_.desk, failure_id),
        as_json=as_json,
    )
    if as_json:
        print_json({"ok": True, **told})
        return
    for name, value in told["failure"].items():
        console.print(f"[bold]{name}[/bold]  {value}", highlight=False)
    for each in told["acts"]:
        console.print(f"{each['at']}  {each['by']}  {each['act']}  {each['reason']}")
    for name in ("original", "body", "mapped"):
        console.print(f"[bold]{name}[/bold]")
        console.print_json(orjson.dumps(told[name]).decode())


@app.command()
def retry(
    ids: OptionalIds = None,
    *,
    group: Group = "",
    every: Every = False,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Send failures on their way again, at once; only the failed place is repeated. For many,
    `failures job start` is kinder: it tries a few first."""
    settings = settings_for()

    async def send(open_: Opened) -> Sequence[str]:
        if ids and not (group or every):
            return await open_.desk.retry(ids, who(), reason)
        chosen = chosen_by(ids, group=group, every=every)
        job = await open_.jobs.start(chosen, Policy.at_once(), by=who(), reason=reason)
        sent: list[str] = []
        while page := await open_.jobs.rows(job.id, after=len(sent)):
            sent += [row["failure_id"] for row in page]
        return sent

    _sent(at_desk(settings, send, as_json=as_json), as_json)


@app.command()
def edit(
    failure_id: Id,
    *,
    body: Annotated[Path | None, typer.Option(help="A JSON file with the whole body.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="item=value; repeatable.")
    ] = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Correct a failure's body and retry it; the body is checked first, the original is kept."""
    settings = settings_for()

    async def mend(open_: Opened) -> Sequence[str]:
        row = await open_.desk.row(failure_id)
        mended = decode_body(_read(body)) if body else open_.desk.body(row)
        for each in change or []:
            name, equals, value = each.partition("=")
            if not equals:
                raise Misconfigured("failure.set", "--set takes item=value", found=name[:64])
            mended[name] = value
        await open_.desk.edit(failure_id, mended, who(), reason)
        return [failure_id]

    _sent(at_desk(settings, mend, as_json=as_json), as_json)


@app.command()
def redirect(
    failure_id: Id,
    *,
    route: Annotated[str, typer.Option(help="Deliver it on this route instead.")] = "",
    kind: Annotated[str, typer.Option(help="Through intake again, as this kind of record.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept with the failure.")],
    as_json: AsJson = False,
) -> None:
    """Send a failure elsewhere; whether it is taken there is checked first."""
    settings = settings_for()

    async def send(open_: Opened) -> Sequence[str]:
        return [await open_.desk.redirect(failure_id, who(), reason, route=route, kind=kind)]

    _sent(at_desk(settings, send, as_json=as_json), as_json)


@app.command()
def discard(
    ids: Ids,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the failure.")],
    as_json: AsJson = False,
) -> None:
    """Set failures aside; `restore` takes it back."""
    settings = settings_for()
    work = at_desk(settings, lambda open_: open_.desk.discard(ids, reason, who()), as_json=as_json)
    _sent(work, as_json)


@app.command()
def restore(
    ids: Ids,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the failure.")],
    as_json: AsJson = False,
) -> None:
    """What was discarded waits again; so does what an ended retry sent without an outcome."""
    settings = settings_for()
    work = at_desk(settings, lambda open_: open_.desk.restore(ids, reason, who()), as_json=as_json)
    _sent(work, as_json)


@app.command()
def rehearse(
    ids: OptionalIds = None,
    *,
    group: Group = "",
    stage: Stage = "",
    route: OnRoute = "",
    system: System = "",
    resource: Resource = "",
    code: Code = "",
    every: Every = False,
    as_json: AsJson = False,
) -> None:
    """What a retry would do by today's declarations; nothing is sent or changed. Exits 1 where
    something would fail."""
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
    found = at_desk(settings, lambda open_: open_.desk.rehearse(chosen), as_json=as_json)
    counted = Counter(each.would for each in found)
    if as_json:
        told = [shown.rehearsed(each) for each in found]
        print_json({"ok": not counted["fail"], "counts": counted, "failures": told})
    else:
        print_table(
            ("id", "would", "where", "reason"),
            [
                (
                    each.failure_id,
                    each.would,
                    ", ".join(f"{leg.place}: {leg.would}" for leg in each.legs),
                    _first_reason(each, settings.lang),
                )
                for each in found
            ],
        )
        console.print("  ".join(f"{would}: {many}" for would, many in sorted(counted.items())))
    if counted["fail"]:
        raise typer.Exit(1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured("failure.file", "Cannot be read", file=str(path)) from error


def _sent(ids: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json({"ok": bool(ids), "done": list(ids)})
    else:
        for each in ids:
            console.print(each)
        console.print(f"{len(ids)}")
    if not ids:
        raise typer.Exit(1)


def _first_reason(each: Rehearsed, lang: str) -> str:
    faults: list[Fault] = [*each.faults, *(fault for leg in each.legs for fault in leg.faults)]
    return f"{faults[0].at} {say(faults[0].code, faults[0].facts, lang)}".strip() if faults else ""


def _reason(row: Mapping[Any, Any], lang: str) -> str:
    if not row["faults"]:
        return str(row["code"])
    first = row["faults"][0]
    return f"{first['at']} {say(first['code'], first['facts'], lang)}".strip()
