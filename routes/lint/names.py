"""Names, files, code tables and settings: each declaration for itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from pydantic import JsonValue

from routes.lint.fields import nearest
from routes.lint.finding import Notebook, Page, Where
from routes.site import Declarations
from routes.values import Value

__all__ = ["check_names"]

FOLDERS = {"system": "systems", "intake": "intakes", "route": "routes"}
_SECRET = re.compile(r"(.*_)?(secret|password|passwd|token|private_key|api_key|app_key)")
_PASSWORD_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@:\s]*:[^/@\s]+@")


def check_names(declarations: Declarations, book: Notebook) -> None:
    for kind, folder in FOLDERS.items():
        declared = getattr(declarations, folder)
        for name in declared:
            page = book.page(kind, name)
            if page.file and PurePosixPath(page.file).stem != name:
                wanted = f"{folder}/{name}.yaml"
                page.error("lint.file-name", (kind,), name=name, wanted=wanted)
            if kind != "system" and not declared[name].examples:
                page.error("lint.no-examples", (kind,), name=name)
    for intake in declarations.intakes.values():
        if intake.system not in declarations.systems:
            page = book.page("intake", intake.intake)
            near = nearest(intake.system, declarations.systems)
            page.error("lint.unknown-system", ("intake",), system=intake.system, near=near)
    for system in declarations.systems.values():
        page = book.page("system", system.system)
        _check_secrets(system.settings, page, ("settings",))
    _check_tables(declarations, book)


def _check_secrets(setting: JsonValue | object, page: Page, where: Where) -> None:
    if isinstance(setting, dict):
        for key, value in setting.items():
            here = (*where, str(key))
            if isinstance(value, str) and _is_secret(str(key), value):
                page.error("lint.secret-in-clear", here, setting=str(key))
            _check_secrets(value, page, here)
    elif isinstance(setting, list):
        for n, value in enumerate(setting):
            _check_secrets(value, page, (*where, n))


def _is_secret(key: str, value: str) -> bool:
    if value.startswith("secret://"):
        return False
    return bool(_SECRET.fullmatch(key.lower()) or _PASSWORD_IN_URL.match(value))


def _check_tables(declarations: Declarations, book: Notebook) -> None:
    used = set(_used_tables(declarations))
    for name, table in declarations.tables.items():
        page = book.page("table", name)
        where = _place(declarations, page.file, name)
        stem = PurePosixPath(page.file).stem
        if page.file and name.partition(".")[0] != stem:
            page.error("lint.file-name", where, name=name, wanted=f"tables/{stem}.yaml: {stem}.…")
        if name not in used:
            page.warning("lint.unused-table", where, table=name)
        if table.code_list is None:
            continue
        codes = declarations.catalogue.code_lists.get(table.code_list)
        if codes is None:
            near = nearest(table.code_list, declarations.catalogue.code_lists)
            here = (*where, "code_list")
            page.error("lint.unknown-code-list", here, code_list=table.code_list, near=near)
            continue
        for theirs, ours in table.to_ours.items():
            if ours not in codes.codes:
                here = (*where, "to_ours", theirs)
                page.error("lint.unknown-code", here, value=ours, code_list=codes.name)
        for ours in table.to_theirs:
            if ours not in codes.codes:
                here = (*where, "to_theirs", ours)
                page.error("lint.unknown-code", here, value=ours, code_list=codes.name)


def _place(declarations: Declarations, file: str, name: str) -> Where:
    """A table's place in its file, which holds several: in their order."""
    beside = [
        other
        for other in declarations.tables
        if (text := declarations.texts.get(f"table {other}")) and text.file == file
    ]
    return ("tables", beside.index(name)) if name in beside else ()


def _used_tables(declarations: Declarations) -> Iterator[str]:
    for intake in declarations.intakes.values():
        for publish in intake.publish:
            yield from _tables_of(publish.operation)
            if publish.sequence is not None:
                yield from _tables_of(publish.sequence)
            for value in publish.map.values():
                yield from _tables_of(value)
    for route in declarations.routes.values():
        for to in route.to:
            for value in to.map.values():
                yield from _tables_of(value)


def _tables_of(value: Value) -> Iterator[str]:
    if value.codes is not None:
        yield value.codes
    for part in value.parts():
        yield from _tables_of(part)
    for inner in (value.map or {}).values():
        yield from _tables_of(inner)
