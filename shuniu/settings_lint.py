"""What in systems' settings would fail when their connectors are opened: checked with the connector's own model.

Form       findings as of `routes.lint`, each with its file and line
Careful    addresses and secrets are known where the hub runs alone: a value that refers to one is stood in for, and what
           is wrong with it is not told here
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from routes.lint.finding import Finding, Notebook, Page
from routes.model import SystemDeclaration
from routes.site import Declarations
from schemas.errors import Misconfigured
from shuniu.plugins import connector_kind

__all__ = ["lint_settings"]

STANDS_IN = {"address://": "http://stands-in.invalid", "secret://": "stands-in", "site://": "/"}


def lint_settings(declarations: Declarations) -> list[Finding]:
    """One finding for each setting of each system that does not fit."""
    book = Notebook(declarations)
    for name, declared in declarations.systems.items():
        _check(declared, book.page("system", name))
    return sorted(book.findings, key=lambda each: (each.file, each.line, each.code))


def _check(declared: SystemDeclaration, page: Page) -> None:
    try:
        kind = connector_kind(declared)
    except Misconfigured as error:
        page.error(error.code, ("connector",), **error.facts)
        return
    try:
        kind.settings_model.model_validate(_stood_in(declared.settings))
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            where = _place(declared.settings, each["loc"])
            if _refers(declared.settings, where):
                continue
            setting = ".".join(map(str, each["loc"])) or "settings"
            page.error(
                "connector.settings",
                ("settings", *where),
                system=declared.system,
                setting=setting,
                said=each["msg"],
            )


def _stood_in(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _stood_in(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_stood_in(each) for each in value]
    if not isinstance(value, str):
        return value
    return next((other for mark, other in STANDS_IN.items() if value.startswith(mark)), value)


def _place(settings: Any, told: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where in the file *told* is: the names of a union's branches are none of its keys."""
    found: list[str | int] = []
    node = settings
    for step in told:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            continue
        found.append(step)
    return tuple(found)


def _refers(settings: Any, where: tuple[str | int, ...]) -> bool:
    node = settings
    for step in where:
        node = node[step]
    return isinstance(node, str) and node.startswith(tuple(STANDS_IN))
