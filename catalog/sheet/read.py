"""The official spreadsheet read: resources, and everything that is wrong, each at its cell.

Promises   a dry run and an import are this one function; all faults at once; no formula is taken
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zipfile import BadZipFile

import orjson
from lxml.etree import XMLSyntaxError
from openpyxl.utils import get_column_letter
from pydantic import ValidationError

from catalog.lint import Finding, lint
from catalog.lint.finding import nearest
from catalog.model import Catalogue, Item, Resource
from catalog.sheet.cells import Cell, sheet_rows
from catalog.sheet.columns import COLUMNS, SHEET, TYPES, Column, index_of
from catalog.sheet.package import checked
from schemas.errors import Fact, Facts, Rejected
from schemas.texts import say

__all__ = ["MOST_ROWS", "CellFault", "Reading", "read_sheet"]

MOST_ROWS = 100_000
_MOST_CHARACTERS = 32_767
_MOST_DEEP = 8
_NEEDED = {
    of_item: tuple(each for each in COLUMNS if each.needed and each.of_item is of_item)
    for of_item in (False, True)
}
_EMPTY = {
    of_item: dict.fromkeys(each.path for each in COLUMNS if each.of_item is of_item)
    for of_item in (False, True)
}
# Where a finding of the linter about a resource or an item belongs; else its code, or its short name.
_PATHS = {
    "catalog.condition-missing": "share.condition",
    "catalog.condition-idle": "share.condition",
    "catalog.ground-missing": "share.condition",
    "catalog.open-unshared": "share.open",
    "catalog.open-condition-idle": "share.open_condition",
    "catalog.item-looser": "share.type",
    "catalog.personal-shared": "share.type",
    "catalog.duplicate-name": "name.zh",
    "catalog.provider-code": "provider_code",
    "catalog.published": "published",
    "catalog.short-name-plural": "resource",
}


@dataclass(frozen=True, slots=True, order=True)
class CellFault:
    """What is wrong in one cell. Rows count from 1, columns too."""

    row: int
    column: int
    code: str
    facts: Facts = field(default_factory=dict, compare=False)
    severity: str = "error"

    @property
    def cell(self) -> str:
        return f"{get_column_letter(self.column)}{self.row}"

    def say(self, lang: str) -> str:
        return say(self.code, self.facts, lang)


@dataclass(frozen=True, slots=True)
class Reading:
    """*resources* are only to be used where no fault is an error."""

    resources: tuple[Resource, ...]
    faults: tuple[CellFault, ...]

    @property
    def ok(self) -> bool:
        return all(fault.severity != "error" for fault in self.faults)


def read_sheet(content: bytes, catalogue: Catalogue) -> Reading:
    """Read an xlsx file against the elements of *catalogue*. Raises `Rejected` for none at all."""
    reader = _Reader(catalogue)
    for number, cells in _rows(content):
        reader.take(number, cells)
    return reader.finish()


def _rows(content: bytes) -> Iterator[tuple[int, dict[int, Cell]]]:
    """The rows that hold something, after the headings."""
    try:
        rows = sheet_rows(checked(content), SHEET, columns=len(COLUMNS))
        if rows is None:
            raise Rejected("sheet.no-sheet", "No such sheet", sheet=SHEET)
        first = next(rows, None)
        titles = first.cells if first and first.number == 1 else {}
        for n, column in enumerate(COLUMNS):
            if n not in titles or titles[n].text.strip() != column.title:
                raise Rejected("sheet.heading", "Wrong heading", title=column.title, number=n + 1)
        for row in rows:
            if not row.cells:
                continue
            if row.number > MOST_ROWS:
                raise Rejected("sheet.too-large", "Too many rows", limit=MOST_ROWS)
            yield row.number, row.cells
    except (KeyError, ValueError, IndexError, StopIteration, XMLSyntaxError, BadZipFile) as error:
        raise Rejected("sheet.unreadable", "Not an xlsx file") from error


@dataclass(slots=True)
class _Draft:
    """A resource as far as it is read; its items in their rows."""

    row: int
    told: dict[str, Any]
    items: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    codes: list[tuple[int, str | None]] = field(default_factory=list)


_Within = dict[str, list[tuple[int, dict[str, Any]]]]
"""Rows of items by the path of the group that they stand in."""


class _Reader:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._drafts: list[_Draft] = []
        self._faults: dict[tuple[int, int], CellFault] = {}

    def take(self, row: int, cells: Mapping[int, Cell]) -> None:
        own = self._values(row, cells, of_item=False)
        if own["resource"] or own["name.zh"]:
            self._needed(row, own, of_item=False)
            self._drafts.append(_Draft(row, _tree(own)))
        elif not self._drafts:
            self._fault(row, "resource", "sheet.empty", of_item=False, title="数据流名称")
            return
        self._drafts[-1].codes.append((row, own["code"]))
        item = self._values(row, cells, of_item=True)
        self._needed(row, item, of_item=True)
        within = str(item.pop("within") or "")
        if within.count("/") >= _MOST_DEEP:
            self._fault(row, "within", "sheet.too-deep", of_item=True, most=_MOST_DEEP)
            return
        self._drafts[-1].items.append((row, within, item))

    def finish(self) -> Reading:
        made: dict[str, tuple[_Draft, Resource]] = {}
        for draft in self._drafts:
            resource = self._resource(draft)
            if resource is None:
                continue
            if resource.resource in made:
                facts = {"name": resource.resource}
                self._fault(draft.row, "resource", "sheet.twice", of_item=False, **facts)
                continue
            made[resource.resource] = (draft, resource)
        resources = {name: resource for name, (_, resource) in made.items()}
        site = self._catalogue
        # The site's other resources stand first: what is given twice is told of the sheet's.
        others = {name: each for name, each in site.resources.items() if name not in resources}
        for finding in lint(Catalogue(site.elements, others | resources, site.code_lists)):
            kind, _, place = finding.place.partition(" ")
            name, _, item = place.partition(" ")
            if kind == "resource" and name in made:
                self._found(finding, made[name][0], item)
        for draft in self._drafts:
            self._check_codes(draft)
        return Reading(tuple(resources.values()), tuple(sorted(self._faults.values())))

    def _values(self, row: int, cells: Mapping[int, Cell], *, of_item: bool) -> dict[str, Any]:
        told: dict[str, Any] = dict(_EMPTY[of_item])
        for n, cell in cells.items():
            column = COLUMNS[n]
            if column.of_item is of_item:
                told[column.path] = self._value(row, n, cell, column)
        return told

    def _value(self, row: int, n: int, cell: Cell, column: Column) -> Any:
        text = cell.text.strip()
        if cell.kind == "formula":
            return self._at(row, n, "sheet.formula", {})
        if len(text) > _MOST_CHARACTERS or cell.kind in {"error", "date"}:
            return self._at(row, n, "sheet.not-text", {"title": column.title})
        if column.words and text and text not in column.words:
            near = nearest(text, column.words)
            facts: Facts = {"value": text[:40], "allowed": "、".join(column.words), "near": near}
            return self._at(row, n, "sheet.word", facts)
        return column.words.get(text, text) if text else None

    def _needed(self, row: int, told: Mapping[str, Any], *, of_item: bool) -> None:
        for column in _NEEDED[of_item]:
            if told[column.path] is None:
                self._fault(row, column.path, "sheet.empty", of_item=of_item, title=column.title)

    def _resource(self, draft: _Draft) -> Resource | None:
        told = {key: value for key, value in draft.told.items() if value is not None}
        told["version"] = self._number(draft.row, "version", told.get("version"), of_item=False)
        if isinstance(told.get("related"), str):
            told["related"] = [each for each in told["related"].split("、") if each]
        within: _Within = {}
        for row, inside, item in draft.items:
            within.setdefault(inside, []).append((row, item))
        told["items"] = self._items(within, "")
        self._orphans(draft)
        try:
            return Resource.model_validate_json(orjson.dumps(told))
        except ValidationError as error:
            for each in error.errors():
                self._invalid(draft.row, each["loc"], of_item=False)
            return None

    def _items(self, rows: _Within, path: str) -> list[dict[str, Any]]:
        """The items of the group at *path*, without those that cannot be read."""
        made = [self._item(rows, row, path, told) for row, told in rows.get(path, ())]
        return [each for each in made if each]

    def _item(self, rows: _Within, row: int, within: str, told: dict[str, Any]) -> dict[str, Any]:
        name = str(told["wire_name"] or "")
        path = f"{within}/{name}".lstrip("/")
        inner = self._items(rows, path) if name else []
        is_group = bool(inner) or name[:1].isupper()
        made = {"group" if is_group else "element": name, "required": bool(told["required"])}
        made |= {"items": inner} if is_group else {}
        made["max_occurs"] = self._occurs(row, told["max_occurs"])
        names = {"zh": told["name.zh"], "en": told["name.en"]}
        element = self._catalogue.elements.get(name)
        if element is None or names != element.name.model_dump():
            made["name"] = names if all(names.values()) else None
        if element is not None:
            self._same(row, "type", told["type"], TYPES[element.type])
            self._same(row, "notation", told["notation"], element.format)
        share = {key[6:]: told[key] for key in told if key.startswith("share.")}
        share = {key: value for key, value in share.items() if value is not None}
        made |= {"share": share} if share else {}
        made |= {"note": told["note"]} if told["note"] else {}
        try:
            Item.model_validate_json(orjson.dumps({**made, "items": []}))
        except ValidationError as error:
            for each in error.errors():
                self._invalid(row, each["loc"], of_item=True)
            return {}
        return made

    def _check_codes(self, draft: _Draft) -> None:
        """The rows of a resource have one code: whichever most of them have."""
        (usual, _), *_ = Counter(code for _, code in draft.codes).most_common(1)
        for row, code in draft.codes:
            if code != usual:
                self._fault(row, "code", "sheet.other-code", of_item=False, value=str(usual))

    def _orphans(self, draft: _Draft) -> None:
        groups = {f"{within}/{told['wire_name']}".lstrip("/") for _, within, told in draft.items}
        for row, within, _ in draft.items:
            if within and within not in groups:
                near = nearest(within, groups)
                self._fault(row, "within", "sheet.no-group", of_item=True, value=within, near=near)

    def _same(self, row: int, path: str, found: Any, wanted: str) -> None:
        if found is not None and found != wanted:
            facts = {"value": str(found)[:40], "wanted": wanted}
            self._fault(row, path, "sheet.not-the-elements", of_item=True, **facts)

    def _occurs(self, row: int, text: Any) -> int | str:
        return "N" if text == "N" else self._number(row, "max_occurs", text, of_item=True)

    def _number(self, row: int, path: str, text: Any, *, of_item: bool) -> int:
        found = str(text or "")
        if found.isascii() and found.isdecimal() and 0 < len(found) < 7 and int(found) > 0:
            return int(found)
        self._fault(row, path, "sheet.number", of_item=of_item, value=found[:40])
        return 1

    def _invalid(self, row: int, loc: tuple[int | str, ...], *, of_item: bool) -> None:
        steps = [str(step) for step in loc if isinstance(step, str)]
        known = {column.path for column in COLUMNS if column.of_item is of_item}
        path = next((p for p in (".".join(steps[:2]), steps[0]) if p in known), None)
        default = "wire_name" if of_item else "code"
        self._fault(row, path or default, "sheet.form", of_item=of_item)

    def _found(self, finding: Finding, draft: _Draft, item: str) -> None:
        rows = [row for row, _, told in draft.items if told["wire_name"] == item]
        of_item = bool(item and rows)
        path = _PATHS.get(finding.code, "wire_name" if of_item else "code")
        if finding.code == "catalog.placeholder":
            said = str(finding.facts["field"])
            path = "share.condition" if said == "share" else said
        elif finding.code in {"catalog.key-missing", "catalog.key-optional"}:
            path = str(finding.facts["role"])
        elif of_item and path == "resource":
            path = "wire_name"
        n = index_of(path, of_item=of_item)
        self._at(
            rows[-1] if of_item else draft.row, n, finding.code, finding.facts, finding.severity
        )

    def _fault(self, row: int, path: str, code: str, /, *, of_item: bool, **facts: Fact) -> None:
        self._at(row, index_of(path, of_item=of_item), code, facts)

    def _at(self, row: int, n: int, code: str, facts: Facts, severity: str = "error") -> None:
        """The first thing told of a cell is kept: what follows from it is no news."""
        self._faults.setdefault((row, n), CellFault(row, n + 1, code, facts, severity))


def _tree(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``share.type`` and its like as groups, without what is empty."""
    made: dict[str, Any] = {"code": flat["code"]}
    for path, value in flat.items():
        head, dot, rest = path.partition(".")
        if dot and value is not None:
            made.setdefault(head, {})[rest] = value
        elif not dot:
            made[head] = value
    return made
