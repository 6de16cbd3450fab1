"""``shuniu front-db capture``: a partner's tables read now, once, by hand. Exit 1 where a table could not be read."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from schemas.texts import say
from shuniu.cli.front_db import app
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json, print_table
from shuniu.front_capture import TableCaptured, capture_tables
from shuniu.instance import Instance

__all__ = ["capture"]


@app.command("capture")
def capture(
    *,
    system: Annotated[str, typer.Option("--system", help="Whose tables are read.")],
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Which of them; may be repeated. None: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a partner's tables now, once, and hand on what is new; safe beside a hub that runs."""
    settings = settings_for()
    found = guarded(
        lambda: asyncio.run(capture_tables(Instance.of(settings), system, table or ())),
        as_json=as_json,
        lang=settings.lang,
    )
    failed = any(each.error for each in found)
    if as_json:
        print_json({"ok": not failed, "tables": [_told(each) for each in found]})
    else:
        print_table(
            ("table", "mode", "read", "sent", "stands"),
            [(e.table, e.mode, e.read, e.sent, _stands(e)) for e in found],
        )
        for each in found:
            if each.error:
                print(f"{each.table}: {say(each.error.code, each.error.facts, settings.lang)}")
    sys.exit(1 if failed else 0)


def _stands(each: TableCaptured) -> str:
    figures = {**each.rows, **(each.stands.figures if each.stands else {})}
    return ", ".join(f"{name} {value}" for name, value in sorted(figures.items()))


def _told(each: TableCaptured) -> dict[str, Any]:
    error = each.error
    said: dict[str, Any] = {"table": each.table, "mode": each.mode}
    said |= {"read": each.read, "sent": each.sent}
    said["rows"] = dict(each.rows)
    said["figures"] = dict(each.stands.figures) if each.stands else {}
    if error:
        lines = {lang: say(error.code, error.facts, lang) for lang in ("zh", "en")}
        said["error"] = {"code": error.code, **lines}
    return said
