"""Resources as the official spreadsheet.

Careful    every cell is text: what begins with ``=`` stays text in whatever program opens the file
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from catalog.model import Catalogue, Item, Resource
from catalog.sheet.columns import COLUMNS, SHEET, TYPES, Column

__all__ = ["write_sheet"]

_LIKE_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")  # what programs would read as one character


def write_sheet(resources: Iterable[Resource], catalogue: Catalogue) -> bytes:
    """The xlsx file of *resources*, whose elements are those of *catalogue*."""
    book = Workbook(write_only=True)
    sheet: WriteOnlyWorksheet = book.create_sheet(SHEET)
    sheet.freeze_panes = "C2"
    sheet.append([_cell(sheet, column.title, bold=True) for column in COLUMNS])
    for resource in resources:
        for row in _rows(resource, catalogue):
            sheet.append([_cell(sheet, text) for text in row])
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _cell(sheet: Any, text: str, *, bold: bool = False) -> Any:
    if not text:
        return None
    cell = WriteOnlyCell(sheet, value=_LIKE_ESCAPED.sub("_x005F_", text))
    cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _rows(resource: Resource, catalogue: Catalogue) -> Iterator[list[str]]:
    own = _values(resource.model_dump(mode="json"), of_item=False)
    first = True
    for within, item in _flat(resource.items, ""):
        told = own if first else {"信息资源代码": resource.code}
        first = False
        told = told | _values(_item(item, within, catalogue), of_item=True)
        yield [told.get(column.title, "") for column in COLUMNS]


def _flat(items: tuple[Item, ...], within: str) -> Iterator[tuple[str, Item]]:
    for item in items:
        yield within, item
        yield from _flat(item.items, f"{within}/{item.wire_name}".lstrip("/"))


def _item(item: Item, within: str, catalogue: Catalogue) -> dict[str, Any]:
    told = item.model_dump(mode="json") | {"within": within, "wire_name": item.wire_name}
    element = catalogue.elements.get(item.element or "")
    if element is not None:
        told |= {"type": TYPES[element.type], "notation": element.format}
        told["name"] = told["name"] or element.name.model_dump()
    return told


def _values(told: dict[str, Any], *, of_item: bool) -> dict[str, str]:
    return {
        column.title: _text(column, _at(told, column.path))
        for column in COLUMNS
        if column.of_item is of_item
    }


def _at(told: Any, path: str) -> Any:
    for step in path.split("."):
        told = told.get(step) if told else None
    return told


def _text(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if column.words:
        return next(word for word, each in column.words.items() if each == value)
    if isinstance(value, list):
        return "、".join(value)
    return str(value)
