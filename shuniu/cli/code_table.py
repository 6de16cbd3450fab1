"""``shuniu catalog codes``: a code table of a standard, from a file into the site.

Promises   a file with one fault writes nothing; all faults are told, each at its row
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from catalog.code_table import CodeRow, check_rows, csv_text, read_csv
from catalog.model import CodeList, Names
from catalog.sheet.codes import read_codes
from schemas.errors import Misconfigured, Rejected
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json
from shuniu.site import read_site
from shuniu.written import write_files

__all__ = ["import_codes"]

DECLARED = """\
# yaml-language-server: $schema=../../schema/code-lists.schema.json
code_lists:
  - name: {name}
    title: {{zh: {zh}, en: {en}}}
    standard: {standard}
    table: {name}.csv
"""


def import_codes(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV (UTF-8) or xlsx.")],
    *,
    name: Annotated[str, typer.Option("--name", help="Of the code list, e.g. industry-class.")],
    title: Annotated[str, typer.Option("--title", help="Its title in Chinese.")],
    english: Annotated[str, typer.Option("--english", help="Its title in English.")],
    standard: Annotated[str, typer.Option("--standard", help="Where it is taken from.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a code table in: headings code, name, and if there are any english, parent."""
    settings = settings_for()

    def work() -> tuple[tuple[CodeRow, ...], list[Path]]:
        rows = _read(file)
        if faults := check_rows(rows):
            raise Rejected("codes.faulty", "The table cannot be used", faults=faults)
        made = _declared(name, title, english, standard)
        place = read_site(settings.site).catalogue.places.get(f"code list {made.name}")
        own = f"codes/{made.name}.yaml"
        if place is not None and place.file.replace("\\", "/") != own:
            raise Misconfigured("codes.declared", "Declared already", name=name, file=place.file)
        texts = {own: _text(made), f"codes/{made.name}.csv": csv_text(rows)}
        files = {settings.site / path: text.encode() for path, text in texts.items()}
        return rows, [] if dry_run else write_files(files)

    rows, paths = guarded(work, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "codes": len(rows), "written": paths})
    else:
        console.print(say("codes.read", {"count": len(rows)}, settings.lang))
        for path in paths:
            console.print(str(path), highlight=False)


def _read(file: Path) -> tuple[CodeRow, ...]:
    content = file.read_bytes()
    if file.suffix.lower() == ".xlsx":
        return read_codes(content)
    try:
        return read_csv(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Rejected("codes.unreadable", "Not UTF-8", why="UTF-8") from error


def _declared(name: str, title: str, english: str, standard: str) -> CodeList:
    try:
        return CodeList(
            name=name,
            title=Names(zh=title, en=english),
            standard=standard,
            table=f"{name}.csv",
        )
    except ValueError as error:
        raise Misconfigured("codes.name", "No name for a code list", name=name[:64]) from error


def _text(made: CodeList) -> str:
    """Texts that people type are quoted as JSON, which is YAML."""

    def quoted(text: str) -> str:
        return orjson.dumps(text).decode()

    return DECLARED.format(
        name=made.name,
        zh=quoted(made.title.zh),
        en=quoted(made.title.en),
        standard=quoted(made.standard or ""),
    )
