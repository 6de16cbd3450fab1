"""``shuniu catalog``: the catalogue as files of other programs, and the official spreadsheet.

Promises   ``check`` is ``import`` without writing; an import with one error writes nothing, and what
           it writes takes effect only when the site is applied; with ``--as-draft`` it is drafts in the
           life cycle instead, which somebody reviews
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from catalog.derive.yaml_text import resource_yaml
from catalog.model import Catalogue
from catalog.sheet.mark import mark_sheet
from catalog.sheet.read import Reading, read_sheet
from schemas.errors import Rejected
from shuniu.cli.code_table import import_codes
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json
from shuniu.exports import Form, Wish, exported
from shuniu.settings import Settings
from shuniu.site import read_site
from shuniu.written import write_files

if TYPE_CHECKING:
    from catalog.pages.importing import Imported

__all__ = ["File", "Marked", "app", "check_file", "export_files", "import_file"]

app = typer.Typer(help="The catalogue: spreadsheet, schemas, declarations.", no_args_is_help=True)
app.command("codes")(import_codes)


File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An xlsx file.")]
Marked = Annotated[
    Path | None, typer.Option("--marked", help="Write the file here with its faults marked.")
]


@app.command("export")
def export_files(
    *,
    form: Annotated[Form, typer.Option("--format", help="What to write.")],
    output: Annotated[Path, typer.Option("--output", help="Folder to write to.")] = Path(),
    resource: Annotated[
        list[str] | None, typer.Option("--resource", help="Only this one; may be repeated.")
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="Only what this partner's system exchanges.")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Where partners reach the hub.")
    ] = None,
    invalid: Annotated[
        bool, typer.Option("--invalid", help="With sample: wrong records and their faults.")
    ] = False,
    dialect: Annotated[
        str, typer.Option("--dialect", help="Of ddl: postgresql, mysql, mariadb, oracle, sqlite …")
    ] = "postgresql",
    as_json: AsJson = False,
) -> None:
    """Write what is derived from the resources: one file for all, or a file for each."""
    settings = settings_for()

    def write() -> list[Path]:
        wish = Wish(
            resources=tuple(resource or ()),
            system=system or "",
            address=address or f"http://{settings.host}:{settings.port}",
            dialect=dialect,
            lang=settings.lang,
            invalid=invalid,
        )
        files = exported(form, wish, read_site(settings.site))
        return write_files({output / name: content for name, content in files.items()})

    written = guarded(write, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "files": written})
    else:
        for path in written:
            console.print(str(path), highlight=False)


@app.command("check")
def check_file(file: File, *, marked: Marked = None, as_json: AsJson = False) -> None:
    """Read an xlsx file and tell all that is wrong with it, at its cells. Exit 1 on an error."""
    settings = settings_for()
    _, reading = _read(settings, file, marked, as_json=as_json)
    _tell(reading, [], settings.lang, as_json=as_json)


@app.command("import")
def import_file(
    file: File,
    *,
    marked: Marked = None,
    as_draft: Annotated[
        bool, typer.Option("--as-draft", help="Drafts in the life cycle, no files of the site.")
    ] = False,
    person: Annotated[str, typer.Option("--as", help="With --as-draft: whose drafts.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """As check; where nothing is wrong, changed resources become declarations of the site."""
    settings = settings_for()
    if as_draft:
        _import_drafts(settings, file, person, marked, dry_run=dry_run, as_json=as_json)
    catalogue, reading = _read(settings, file, marked, as_json=as_json)
    files: dict[Path, bytes] = {}
    if reading.ok:
        for each in reading.resources:
            if catalogue.resources.get(each.resource) != each:
                place = catalogue.places.get(f"resource {each.resource}")
                path = settings.site / (place.file if place else f"resources/{each.resource}.yaml")
                files[path] = resource_yaml(each).encode()
    if dry_run:
        _tell(reading, list(files), settings.lang, as_json=as_json)
    written = guarded(lambda: write_files(files), as_json=as_json, lang=settings.lang)
    _tell(reading, written, settings.lang, as_json=as_json)


def _import_drafts(
    settings: Settings,
    file: Path,
    person: str,
    marked: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> NoReturn:
    from shuniu.cli.sheet_drafts import drafted

    def work() -> Imported:
        done = asyncio.run(drafted(settings, file, person, dry_run=dry_run))
        if marked is not None:
            marks = mark_sheet(file.read_bytes(), done.reading.faults, settings.lang)
            write_files({marked: marks})
        if done.faults:
            raise Rejected(done.faults[0].code, "Nothing was drafted", faults=done.faults)
        return done

    done = guarded(work, as_json=as_json, lang=settings.lang)
    told = [f"{each.resource}/{each.number}" for each in done.drafts]
    _tell(done.reading, told, settings.lang, as_json=as_json)


def _read(
    settings: Settings, file: Path, marked: Path | None, *, as_json: bool
) -> tuple[Catalogue, Reading]:
    def read() -> tuple[Catalogue, Reading]:
        catalogue = read_site(settings.site).catalogue
        content = file.read_bytes()
        reading = read_sheet(content, catalogue)
        if marked is not None:
            write_files({marked: mark_sheet(content, reading.faults, settings.lang)})
        return catalogue, reading

    return guarded(read, as_json=as_json, lang=settings.lang)


def _tell(reading: Reading, written: Sequence[Path | str], lang: str, *, as_json: bool) -> NoReturn:
    faults = [
        {
            "cell": fault.cell,
            "severity": fault.severity,
            "code": fault.code,
            "zh": fault.say("zh"),
            "en": fault.say("en"),
        }
        for fault in reading.faults
    ]
    if as_json:
        told = {"ok": reading.ok, "resources": len(reading.resources)}
        print_json(told | {"faults": faults, "written": written})
    else:
        for each in faults:
            console.print(f"{each['cell']}: {each['severity']}: {each[lang]}", highlight=False)
        console.print(f"{len(reading.resources)} resources, {len(faults)} faults")
        for path in written:
            console.print(str(path), highlight=False)
    sys.exit(0 if reading.ok else 1)
