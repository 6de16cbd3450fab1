"""``shuniu routes apply|list|show|rollback|preview``: the declarations as releases, applied while running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

import hub.preview
from hub.releases import listed, live_number, loaded, plan_of, running_processes
from hub.store import Store
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.releases import apply_checked, differs
from shuniu.site import release_texts

__all__ = ["app", "apply", "listing", "preview", "rollback", "show"]

T = TypeVar("T")
ALIVE = timedelta(seconds=15)
SHOWN_DIGEST = 12
app = typer.Typer(help="Releases of the declarations: apply, list, show, roll back.")
Number = Annotated[int, typer.Argument(metavar="N", help="The release.")]


@app.command()
def apply(
    *, note: Annotated[str, typer.Option(help="Why; kept with it.")] = "", as_json: AsJson = False
) -> None:
    """Check the site folder and make it the live release, without a restart."""

    def work(instance: Instance, store: Store) -> int:
        return apply_checked(store, release_texts(instance.settings.site), note)

    _told(_with_store(work, as_json=as_json), as_json=as_json)


@app.command()
def rollback(number: Number, *, as_json: AsJson = False) -> None:
    """Apply the texts of an older release again, under a new number."""

    def work(_: Instance, store: Store) -> int:
        older = store.read_now(lambda c: loaded(c, number))
        return apply_checked(store, older.texts, f"rollback {number}")

    _told(_with_store(work, as_json=as_json), as_json=as_json)


@app.command("list")
def listing(*, as_json: AsJson = False) -> None:
    """All releases, newest first, and which one every process runs."""

    def work(instance: Instance, store: Store) -> dict[str, Any]:
        live = store.read_now(live_number)
        since = now() - ALIVE
        processes = store.read_now(lambda c: running_processes(c, since))
        return {
            "live": live,
            "releases": [dict(row) for row in store.read_now(listed)],
            "processes": [dict(row) for row in processes],
            "agree": all(row["release"] == live for row in processes),
            "site_differs": differs(instance, store),
        }

    found = _with_store(work, as_json=as_json)
    if as_json:
        print_json({"ok": True, **found})
        return
    print_table(
        ("", "release", "at", "by", "note", "digest"),
        [
            (
                "●" if row["number"] == found["live"] else "",
                row["number"],
                row["at"].isoformat(timespec="seconds"),
                row["by"],
                row["note"],
                row["digest"][:SHOWN_DIGEST],
            )
            for row in found["releases"]
        ],
    )
    for row in found["processes"]:
        console.print(f"{row['id']}  {row['release']}  {row['code']}", highlight=False)
    if not found["agree"]:
        console.print("[yellow]processes differ / 各进程版本不一致[/yellow]")
    if found["site_differs"]:
        console.print("[yellow]site folder differs / 配置目录与当前发布不同[/yellow]")


@app.command()
def show(number: Number, *, as_json: AsJson = False) -> None:
    """One release: what it changed against the one before."""

    def work(_: Instance, store: Store) -> tuple[Any, dict[str, list[str]]]:
        release = store.read_now(lambda c: loaded(c, number))
        before = store.read_now(lambda c: loaded(c, number - 1)).texts if number > 1 else {}
        files = sorted({*before, *release.texts})
        changes = {
            file: _difference(file, before.get(file, ""), release.texts.get(file, ""))
            for file in files
            if before.get(file) != release.texts.get(file)
        }
        return release, changes

    release, changes = _with_store(work, as_json=as_json)
    if as_json:
        told = {name: getattr(release, name) for name in ("number", "digest", "at", "by", "note")}
        print_json({"ok": True, **told, "files": sorted(release.texts), "changes": changes})
        return
    console.print(f"{release.number}  {release.at}  {release.by}  {release.note}", highlight=False)
    for lines in changes.values():
        for line in lines:
            console.print(line, highlight=False, markup=False)


@app.command()
def preview(
    *,
    site: Annotated[Path | None, typer.Option(help="The draft; else the site folder.")] = None,
    since: Annotated[datetime | None, typer.Option(help="UTC; else the last day.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Messages at most, the newest.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Run recorded messages through a draft; tell what would change. Nothing is sent."""

    def work(instance: Instance, store: Store) -> hub.preview.Preview:
        live = store.read_now(lambda c: loaded(c, live_number(c) or 0))
        draft = plan_of(release_texts(site or instance.settings.site))
        start = since.replace(tzinfo=UTC) if since else now() - timedelta(days=1)
        rows = store.read_now(lambda c: hub.preview.recorded(c, start, limit))
        ids = [row["message_id"] for row in rows]
        edited = store.read_now(lambda c: hub.preview.edited_bodies(c, ids))
        return hub.preview.preview(rows, edited, instance.seal(), plan_of(live.texts), draft)

    found = _with_store(work, as_json=as_json)
    if as_json:
        print_json({"ok": True, **asdict(found)})
        return
    print_table(
        ("message", "route", "system", "change", "items", "code"),
        [
            (c.message_id, c.route, c.system, c.what, " ".join(c.items), c.code)
            for c in found.changes
        ],
    )
    console.print(f"{found.messages} messages, {len(found.changes)} changes")


def _difference(file: str, before: str, after: str) -> list[str]:
    return list(unified_diff(before.splitlines(), after.splitlines(), file, file, lineterm=""))


def _with_store(work: Callable[[Instance, Store], T], *, as_json: bool) -> T:
    settings = settings_for()

    def opened() -> T:
        store = open_store(settings)
        try:
            return work(Instance.of(settings), store)
        finally:
            store.close()

    return guarded(opened, as_json=as_json, lang=settings.lang)


def _told(number: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "release": number})
    else:
        console.print(f"{number}")
