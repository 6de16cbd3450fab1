"""``shuniu front-db status``, and what lets a table go on that stands still: ``go-on``, ``accept``."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer

from front_db.books import Capture, let_go_on, standing
from front_db.contract import Keeps
from front_db.drift import Drift, drifts
from front_db.drift import accept as accept_shape
from front_db.profile import ReadTable
from front_db.upkeep import beats, table_status
from front_db.windows import is_open, opens_at
from schemas.errors import Rejected
from schemas.texts import say
from shuniu.cli.front_db import Resources, Shape, Side, Sides, System, Url, app, target_for
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.clock import now
from shuniu.front_db import in_one
from shuniu.instance import open_store
from shuniu.settings import Settings

__all__ = ["accept", "go_on", "status"]


@app.command("status")
def status(
    *,
    system: System = "",
    resource: Resources = None,
    url: Url = "",
    side: Sides = Side.OUT,
    keeps: Shape = Keeps.EVERY,
    as_json: AsJson = False,
) -> None:
    """How the tables stand: rows by state, refused by reason, batches, heartbeats, switch."""
    settings = settings_for()
    target = target_for(settings, system, resource, url, side, keeps, as_json=as_json)
    stated = [each for each in target.tables if each.described.control.state]
    standard = any(each.described.standard for each in stated)
    tables = [
        guarded(
            lambda each=each: in_one(  # type: ignore[misc] # mypy gives a lambda's default no type
                target,
                lambda connection: table_status(
                    connection, each.described, each.table, target.beside
                ),
            ),
            as_json=as_json,
            lang=settings.lang,
        )
        for each in stated
    ]
    captured = guarded(lambda: _captures(settings, system), as_json=as_json, lang=settings.lang)
    seen = (
        guarded(
            lambda: in_one(target, lambda connection: beats(connection, target.beside)),
            as_json=as_json,
            lang=settings.lang,
        )
        if standard
        else {}
    )
    changed = guarded(lambda: _drifts(settings, system), as_json=as_json, lang=settings.lang)
    if as_json:
        shapes = [asdict(each) for each in changed]
        told = {"tables": [asdict(each) for each in tables], "beats": seen, "shapes": shapes}
        told["limits"] = [_limits(each) for each in target.reads if _limited(each)]
        print_json({"ok": True, **told, "captures": [asdict(each) for each in captured]})
        return
    print_table(
        ("table", "rows", "oldest new", "refused", "batches", ""),
        [
            (
                each.table,
                _listed(each.rows),
                each.oldest or "",
                _listed(each.refused),
                _listed(each.batches),
                "paused" if each.paused else "",
            )
            for each in tables
        ],
    )
    if limited := [_limits(each) for each in target.reads if _limited(each)]:
        print_table(tuple(limited[0]), [list(each.values()) for each in limited])
    for side_name, at in seen.items():
        console.print(f"{side_name}: {at}", highlight=False)
    if captured:
        print_table(
            ("table", "mode", "figures", "as of"),
            [(c.table, c.mode, _listed(c.figures), str(c.at)) for c in captured],
        )
    for capture in captured:
        if error := capture.still():
            print(f"{capture.table}: {say(error.code, error.facts, settings.lang)}")
        if why := capture.figures.get("log_lost_why"):
            facts = {"table": capture.table, "at": capture.figures.get("log_lost_at")}
            said = say(f"log-lost.{why}", {}, settings.lang)
            print(say("front-db.log-lost", {**facts, "why": said}, settings.lang))
    for drift in changed:
        said = "front-db.lost" if drift.lost else "front-db.grown"
        facts = {"table": drift.table, "changes": "; ".join(drift.lost or drift.grown)}
        print(say(said, facts, settings.lang))


@app.command("go-on")
def go_on(
    *,
    system: Annotated[str, typer.Option("--system", help="Of which system.")],
    table: Annotated[str, typer.Option("--table", help="The table that stands still.")],
    as_json: AsJson = False,
) -> None:
    """Let a table go on that stands still: what was found there is right, and shall be told."""
    settings = settings_for()

    def let() -> None:
        with closing(open_store(settings)) as store:
            if store.write_now(lambda connection: let_go_on(connection, system, table)):
                return
            found = store.read_now(lambda connection: standing(connection, system))
        still = next((each.still() for each in found if each.table == table), None)
        raise still or Rejected("front-db.not-still", "It does not", system=system, table=table)

    guarded(let, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "system": system, "table": table})
    else:
        print(say("front-db.goes-on", {"table": table}, settings.lang))


def _captures(settings: Settings, system: str) -> list[Capture]:
    """The system's tables of which the hub keeps how far they are read."""
    if not system:
        return []
    with closing(open_store(settings)) as store:
        return store.read_now(lambda connection: standing(connection, system))


def _drifts(settings: Settings, system: str) -> list[Drift]:
    """The system's tables whose shape has changed since it was first seen."""
    if not system:
        return []
    with closing(open_store(settings)) as store:
        return store.read_now(lambda connection: drifts(connection, system))


@app.command("accept")
def accept(
    *,
    system: Annotated[str, typer.Option("--system", help="Of which system.")],
    table: Annotated[str, typer.Option("--table", help="The table that has changed.")],
    as_json: AsJson = False,
) -> None:
    """Let a table go on that is stopped because its shape has changed: it is right as it is now."""
    settings = settings_for()

    def accepted() -> None:
        with closing(open_store(settings)) as store:
            if not store.write_now(lambda c: accept_shape(c, system, table, now())):
                raise Rejected("front-db.not-stopped", "It is not", system=system, table=table)

    guarded(accepted, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "system": system, "table": table})
    else:
        print(say("front-db.accepted", {"table": table}, settings.lang))


def _limited(each: ReadTable) -> bool:
    return bool(each.hours or each.rows_per_minute)


def _limits(each: ReadTable) -> dict[str, Any]:
    """When it may be read and how much of it, and whether it is its time now."""
    at = now()
    return {
        "table": each.table,
        "hours": ", ".join(each.hours),
        "rows_per_minute": each.rows_per_minute,
        "open": is_open(each.hours, at),
        "opens_at": opens_at(each.hours, at).isoformat(timespec="minutes"),
    }


def _listed(counts: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
