"""``shuniu failures list|show|retry|edit|discard``: the failure store, from the command line."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer

from hub.broker import Broker
from hub.envelope import decode_body
from hub.failure_desk import FailureDesk
from schemas.errors import Misconfigured
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.node import running_url
from shuniu.settings import Settings

__all__ = ["app", "discard", "edit", "listed", "retry", "show"]

T = TypeVar("T")
app = typer.Typer(help="Failures: look, retry, edit and retry, discard.", no_args_is_help=True)
Ids = Annotated[list[str], typer.Argument(metavar="ID...")]


@app.command("list")
def listed(
    *,
    state: Annotated[str, typer.Option(help="waiting, retrying, resolved, discarded")] = "waiting",
    group: Annotated[str, typer.Option(help="Fingerprint of one group.")] = "",
    as_json: AsJson = False,
) -> None:
    """Failures, newest first."""
    settings = settings_for()
    rows = _with_desk(settings, as_json, lambda desk: desk.listed(state, group))
    if as_json:
        print_json({"ok": True, "failures": [_shown(row) for row in rows]})
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
def show(
    failure_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False
) -> None:
    """One failure: every reason, and its body with personal data masked."""
    settings = settings_for()

    async def look(desk: FailureDesk) -> tuple[Mapping[Any, Any], Any]:
        row = await desk.row(failure_id)
        return row, desk.masked(row)

    row, body = _with_desk(settings, as_json, look)
    if as_json:
        print_json({"ok": True, "failure": _shown(row), "body": body})
        return
    for name, value in _shown(row).items():
        console.print(f"[bold]{name}[/bold]  {value}", highlight=False)
    console.print_json(orjson.dumps(body).decode())


@app.command()
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]")] = None,
    *,
    group: Annotated[str, typer.Option(help="All that wait in one group.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send failures on their way again; only the failed place is repeated."""
    settings = settings_for()

    async def send(desk: FailureDesk) -> Any:
        chosen = list(ids or [])
        if group or every:
            chosen += [row["id"] for row in await desk.listed("waiting", group)]
        return await desk.retry(chosen, _who())

    _sent(_with_desk(settings, as_json, send, broker=True), as_json)


@app.command()
def edit(
    failure_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    body: Annotated[Path | None, typer.Option(help="A JSON file with the whole body.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="item=value; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Correct a failure's body and retry it; the body is checked first, the original is kept."""
    settings = settings_for()

    async def mend(desk: FailureDesk) -> Any:
        row = await desk.row(failure_id)
        mended = decode_body(body.read_bytes()) if body else desk.body(row)
        for each in change or []:
            name, equals, value = each.partition("=")
            if not equals:
                raise Misconfigured("failure.set", "--set takes item=value", found=name[:64])
            mended[name] = value
        await desk.edit(failure_id, mended, _who())
        return [failure_id]

    _sent(_with_desk(settings, as_json, mend, broker=True), as_json)


@app.command()
def discard(
    ids: Ids,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the failure.")],
    as_json: AsJson = False,
) -> None:
    """Set failures aside for good."""
    settings = settings_for()
    _sent(
        _with_desk(settings, as_json, lambda desk: desk.discard(ids, reason, _who()), broker=True),
        as_json,
    )


def _with_desk(
    settings: Settings,
    as_json: bool,
    work: Callable[[FailureDesk], Awaitable[T]],
    *,
    broker: bool = False,
) -> T:
    async def at_desk() -> T:
        instance = Instance.of(settings)
        store = open_store(settings)
        try:
            desk = FailureDesk(store, instance.seal(), instance.plan(), None, now)
            if not broker:
                return await work(desk)
            # The running hub's own node when it is private: retrying never starts a broker.
            url = (
                settings.amqp_url or running_url(settings.home / "broker") or _not_running(settings)
            )
            mac = instance.mac()
            async with (
                Broker(url, name="failures", mac=mac) as opened,
                opened.publisher() as publisher,
            ):
                plan = instance.plan()
                return await work(FailureDesk(store, instance.seal(), plan, publisher, now))
        finally:
            store.close()

    return guarded(lambda: asyncio.run(at_desk()), as_json=as_json, lang=settings.lang)


def _not_running(settings: Settings) -> NoReturn:
    raise Misconfigured("broker.not-running", "No hub runs here", folder=str(settings.home))


def _sent(ids: Any, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "done": list(ids)})
    else:
        for each in ids:
            console.print(each)
        console.print(f"{len(ids)}")
    if not ids:
        raise typer.Exit(1)


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    hidden = ("sealed", "edited", "headers")
    told = {name: value for name, value in row.items() if name not in hidden}
    told["reasons"] = [
        {
            **fault,
            "zh": say(fault["code"], fault["facts"], "zh"),
            "en": say(fault["code"], fault["facts"], "en"),
        }
        for fault in row["faults"]
    ]
    return told


def _reason(row: Mapping[Any, Any], lang: str) -> str:
    if not row["faults"]:
        return str(row["code"])
    first = row["faults"][0]
    return f"{first['at']} {say(first['code'], first['facts'], lang)}".strip()


def _who() -> str:
    return getpass.getuser()
