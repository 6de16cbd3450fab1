"""``shuniu front-db load``: another system's table into one of a system's own, by pages."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from front_db.bulk import Place
from front_db.bulk_run import Loaded
from shuniu.cli.front_db import app
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.front_load import load_tables
from shuniu.instance import Instance

__all__ = ["load"]


@app.command("load")
def load(
    *,
    system: Annotated[str, typer.Option("--system", help="Whose tables are filled.")],
    name: Annotated[
        list[str] | None, typer.Option("--load", help="Which of its loads; none: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load another system's table into one of this system's, by pages; goes on where it stopped."""
    settings = settings_for()

    def told(which: str, place: Place) -> None:
        if not as_json:
            console.print(f"{which}: {place.rows} rows, {place.aside} aside", highlight=False)

    done = guarded(
        lambda: load_tables(Instance.of(settings), system, tuple(name or ()), told),
        as_json=as_json,
        lang=settings.lang,
    )
    if as_json:
        print_json({"ok": True, "loads": {each: _shown(found) for each, found in done.items()}})
    else:
        heads = ("load", "rows", "pages", "left aside", "s")
        print_table(
            heads,
            [
                (each, found.rows, found.pages, found.left, f"{found.took_s:.1f}")
                for each, found in done.items()
            ],
        )


def _shown(found: Loaded) -> dict[str, Any]:
    """With the reasons of the first rows that were left aside; no value is quoted."""
    aside = [
        {"row": each.row_id, "codes": [fault.code for fault in each.faults]} for each in found.aside
    ]
    return {
        "rows": found.rows,
        "pages": found.pages,
        "left": found.left,
        "took_s": round(found.took_s, 3),
        "aside": aside,
    }
