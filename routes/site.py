"""All declarations of a site together, read from their texts.

Promises   every problem of every file is told at once, each with file, line and column
Careful    a name declared twice is a problem of the second file
Not here   whether the declarations fit each other: `routes.lint`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from catalog.model import Catalogue
from routes.model import (
    CodeTable,
    CodeTableFile,
    IntakeDeclaration,
    RouteDeclaration,
    SystemDeclaration,
)
from routes.values import Spoken
from schemas.declarations import InvalidDeclaration, Problem, parse

__all__ = ["Declarations", "Text", "read_declarations"]

M = TypeVar("M", bound=Spoken)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Text:
    """A file as it was read: its path below the site, and what it says."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Declarations:
    """
    What a site declares, by name; *tables* holds single code tables, whatever file they are in.

    *texts* tells where each was read, by ``system …``, ``intake …``, ``route …`` or ``table …``.
    """

    catalogue: Catalogue = field(default_factory=Catalogue)
    systems: Mapping[str, SystemDeclaration] = field(default_factory=dict)
    intakes: Mapping[str, IntakeDeclaration] = field(default_factory=dict)
    routes: Mapping[str, RouteDeclaration] = field(default_factory=dict)
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    texts: Mapping[str, Text] = field(default_factory=dict)


def read_declarations(files: Mapping[str, str], catalogue: Catalogue) -> Declarations:
    """
    Read *files* (path below the site: YAML); those of other folders are passed over.

    Raises `InvalidDeclaration` with every problem found.
    """
    return _Reading(files).read(catalogue)


class _Reading:
    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._problems: list[Problem] = []
        self._texts: dict[str, Text] = {}

    def read(self, catalogue: Catalogue) -> Declarations:
        systems: dict[str, SystemDeclaration] = {}
        intakes: dict[str, IntakeDeclaration] = {}
        routes: dict[str, RouteDeclaration] = {}
        tables: dict[str, CodeTable] = {}
        for file, system in self._parsed("systems", SystemDeclaration):
            self._keep(systems, "system", system.system, system, file)
        for file, intake in self._parsed("intakes", IntakeDeclaration):
            self._keep(intakes, "intake", intake.intake, intake, file)
        for file, route in self._parsed("routes", RouteDeclaration):
            self._keep(routes, "route", route.route, route, file)
        for file, together in self._parsed("tables", CodeTableFile):
            for table in together.tables:
                self._keep(tables, "table", table.table, table, file)
        if self._problems:
            raise InvalidDeclaration(self._problems)
        return Declarations(catalogue, systems, intakes, routes, tables, self._texts)

    def _parsed(self, folder: str, model: type[M]) -> list[tuple[str, M]]:
        found = []
        for file, text in sorted(self._files.items()):
            if file.replace("\\", "/").split("/")[0] != folder:
                continue
            try:
                found.append((file, parse(text, model, file=file)))
            except InvalidDeclaration as error:
                self._problems += error.problems
        return found

    def _keep(self, kept: dict[str, T], kind: str, name: str, declared: T, file: str) -> None:
        key = f"{kind} {name}"
        if name in kept:
            first = self._texts[key].file
            said = f"{kind} {name!r} is declared already in {first}"
            self._problems.append(Problem(file, 1, 1, kind, said))
            return
        kept[name] = declared
        self._texts[key] = Text(file, self._files[file])
