"""``shuniu kit SYSTEM``: one folder, or one archive, for a partner's engineer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json
from shuniu.kit.build import DIALECTS, KitWish, build_kit, zipped
from shuniu.site import read_site
from shuniu.written import write_files

__all__ = ["kit"]


def kit(
    system: Annotated[str, typer.Argument(help="Code of the partner's system.")],
    *,
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", help="It will send this one, in the catalogue's own words."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="Folder to write to.")] = Path(),
    address: Annotated[
        str | None, typer.Option("--address", help="Where the partner reaches the hub.")
    ] = None,
    dialect: Annotated[
        list[str] | None, typer.Option("--dialect", help="Of the partner's database.")
    ] = None,
    grant: Annotated[
        list[str] | None, typer.Option("--grant", help="With this grant it will fetch.")
    ] = None,
    archive: Annotated[
        bool, typer.Option("--zip", help="One archive instead of a folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Guide, DDL, schemas, OpenAPI, programs that run, test data, self-check; no secrets."""
    settings = settings_for()

    def write() -> list[Path]:
        wish = KitWish(
            system=system,
            resources=tuple(resource or ()),
            address=address or f"http://{settings.host}:{settings.port}",
            site=settings.site,
            dialects=tuple(dialect or DIALECTS),
            grants=tuple(grant or ()),
        )
        folder = f"kit-{system}"
        made = build_kit(wish, read_site(settings.site))
        if archive:
            return write_files({output / f"{folder}.zip": zipped(made, folder)})
        return write_files({output / folder / path: content for path, content in made.items()})

    written = guarded(write, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "files": written})
    else:
        for path in written:
            console.print(str(path), highlight=False)
