"""The catalogue of a site, read from its texts.

Promises   every problem of every file is told at once, with file and line
Not here   whether the declarations fit each other: `catalog.lint`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from catalog.code_table import filled
from catalog.model import (
    Catalogue,
    CodeList,
    CodeListFile,
    DataElement,
    ElementFile,
    Item,
    Place,
    Resource,
)
from schemas.declarations import InvalidDeclaration, Problem, parse
from schemas.errors import Rejected
from schemas.texts import say

__all__ = ["read_catalogue"]

T = TypeVar("T")


def read_catalogue(files: Mapping[str, str]) -> Catalogue:
    """Read *files*: path below the site (``elements/…``, ``codes/…``, ``resources/…``,
    ``earlier/…``) to text.

    Files of other folders are passed over. Raises `InvalidDeclaration` with every problem found.
    """
    reading = _Reading()
    for file, text in sorted(files.items()):
        try:
            reading.read(file, text)
        except InvalidDeclaration as error:
            reading.problems += error.problems
    earlier = reading.in_order()
    reading.fill_tables()
    if reading.problems:
        raise InvalidDeclaration(reading.problems)
    return Catalogue(
        reading.elements, reading.resources, reading.code_lists, reading.places, earlier
    )


@dataclass(slots=True)
class _Reading:
    elements: dict[str, DataElement] = field(default_factory=dict)
    code_lists: dict[str, CodeList] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    earlier: list[tuple[str, Resource]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)

    def read(self, file: str, text: str) -> None:
        match file.replace("\\", "/").partition("/")[0]:
            case "elements":
                for element in parse(text, ElementFile, file=file).elements:
                    name = element.short_name
                    place = Place(file, _line(text, "short_name", name))
                    self._keep(self.elements, "element", name, element, place)
            case "codes" if file.endswith(".csv"):
                self.tables[file.replace("\\", "/")] = text
            case "codes":
                for code_list in parse(text, CodeListFile, file=file).code_lists:
                    place = Place(file, _line(text, "name", code_list.name))
                    self._keep(self.code_lists, "code list", code_list.name, code_list, place)
            case "resources":
                resource = parse(text, Resource, file=file)
                name = resource.resource
                place = Place(file, _line(text, "resource", name))
                self._keep(self.resources, "resource", name, resource, place)
                self._places_of_items(resource.items, name, file, text)
            case "earlier":
                self.earlier.append((file, parse(text, Resource, file=file)))
            case _:
                pass

    def fill_tables(self) -> None:
        """The codes of those lists that are kept as a table."""
        for name, declared in self.code_lists.items():
            if declared.table is None:
                continue
            file, place = f"codes/{declared.table}", self.places[f"code list {name}"]
            text = self.tables.get(file)
            if text is None:
                said = f"there is no file {file!r}"
                self.problems.append(Problem(place.file, place.line, 1, name, said))
                continue
            try:
                self.code_lists[name] = filled(declared, text)
            except Rejected as error:
                self.problems += [
                    Problem(file, int(fault.at or 1), 1, name, say(fault.code, fault.facts, "en"))
                    for fault in error.faults
                ]

    def in_order(self) -> dict[str, tuple[Resource, ...]]:
        """Versions before the present one of their resource, the newest first."""
        found: dict[str, list[Resource]] = {}
        for file, each in sorted(self.earlier, key=lambda pair: -pair[1].version):
            now = self.resources.get(each.resource)
            if now is None or each.version >= now.version:
                said = f"version {each.version} is not earlier than what is published"
                self.problems.append(Problem(file, 1, 1, each.resource, said))
            found.setdefault(each.resource, []).append(each)
        return {name: tuple(versions) for name, versions in found.items()}

    def _keep(self, kept: dict[str, T], kind: str, name: str, value: T, place: Place) -> None:
        key = f"{kind} {name}"
        if name in kept:
            first = self.places[key]
            said = f"{kind} {name!r} is declared already in {first.file}, line {first.line}"
            self.problems.append(Problem(place.file, place.line, 1, name, said))
            return
        kept[name] = value
        self.places[key] = place

    def _places_of_items(
        self, items: tuple[Item, ...], resource: str, file: str, text: str
    ) -> None:
        for item in items:
            line = _line(text, "element|group", item.wire_name)
            self.places.setdefault(f"resource {resource} {item.wire_name}", Place(file, line))
            self._places_of_items(item.items, resource, file, text)


def _line(text: str, key: str, name: str) -> int:
    """The first line that says so. YAML knows more ways to write it; then the file's first."""
    return _lines(text, key).get(name, 1)


@lru_cache(maxsize=16)
def _lines(text: str, key: str) -> Mapping[str, int]:
    said = re.compile(rf"(?<![\w-])(?:{key}): [\"']?([\w-]+)")
    found: dict[str, int] = {}
    for line, written in enumerate(text.split("\n"), 1):
        for name in said.findall(written):
            found.setdefault(name, line)
    return found
