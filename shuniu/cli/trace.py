"""``shuniu trace ID``: everything that happened to a message, across hops. Exit 1 when unknown.

ID is a message, record or trace id, a case number, or an application number.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hub.trace import trace as rows_of
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.instance import open_store

__all__ = ["trace"]


def trace(asked: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False) -> None:
    settings = settings_for()

    def read() -> list[dict[str, object]]:
        store = open_store(settings)
        try:
            return [dict(row) for row in store.read_now(lambda c: rows_of(c, asked))]
        finally:
            store.close()

    rows = guarded(read, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": bool(rows), "asked": asked, "hops": rows})
    elif rows:
        print_table(
            ("time", "event", "resource", "subject", "route / service", "try", "said"),
            [
                (
                    f"{row['at']:%m-%d %H:%M:%S}",
                    row["event"],
                    row["resource"],
                    row["subject"],
                    row["route"] or row["source"],
                    row["attempt"] or "",
                    _said(row, settings.lang),
                )
                for row in rows
            ],
        )
    else:
        console.print(say("trace.unknown", {"asked": asked}, settings.lang))
    sys.exit(0 if rows else 1)


def _said(row: dict[str, object], lang: str) -> str:
    faults = row["faults"]
    if isinstance(faults, list) and faults:
        told = f"{faults[0]['at']} {say(faults[0]['code'], faults[0]['facts'], lang)}".strip()
        return told if len(faults) == 1 else f"{told} (+{len(faults) - 1})"
    return str(row["number"] or "")
