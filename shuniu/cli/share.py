"""``shuniu front-db share``: views and accounts of those who were granted the way of a database."""

from __future__ import annotations

from typing import Annotated

import typer

from schemas.errors import Misconfigured
from shuniu.cli.front_db import Url, app
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json, print_table
from shuniu.clock import now
from shuniu.granted_views import Over
from shuniu.instance import Instance, open_store
from shuniu.shares import database_in_line, share_script

__all__ = ["share"]


@app.command("share", help="Views of those who were granted the way of a database.")
def share(
    *,
    number: Annotated[str, typer.Argument(help="Of a grant: print its script.")] = "",
    dialect: Annotated[str, typer.Option(help="postgresql, mariadb, mysql.")] = "postgresql",
    over: Annotated[
        Over, typer.Option("--over", help="out: the provider's table; in: the one the hub fills.")
    ] = Over.OUT,
    end: Annotated[bool, typer.Option("--end", help="The script that takes it away.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Give grantees their views: print one grant's script, or bring a database in line with all."""
    settings = settings_for()
    instance = Instance.of(settings)
    store, seal = guarded(
        lambda: (open_store(settings), instance.seal()), as_json=as_json, lang=settings.lang
    )
    try:
        if number:
            said = guarded(
                lambda: share_script(
                    store, seal, number, dialect=dialect, over=over, end=end, at=now()
                ),
                as_json=as_json,
                lang=settings.lang,
            )
            if as_json:
                print_json({"ok": True, "grant": number, "dialect": dialect, "script": said})
            else:
                print(said, end="")
            return
        granted, ended = guarded(
            lambda: database_in_line(store, seal, _named(url), over=over, at=now()),
            as_json=as_json,
            lang=settings.lang,
        )
    finally:
        store.close()
    if as_json:
        print_json({"ok": True, "granted": granted, "ended": ended})
    else:
        rows = [(each, "granted") for each in granted] + [(each, "ended") for each in ended]
        print_table(("grant", "now"), rows)


def _named(url: str) -> str:
    if not url:
        raise Misconfigured("share.no-target", "Neither grant nor database is named")
    return url
