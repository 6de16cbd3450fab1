"""The same file with what is wrong in it: coloured cells, each with a comment that tells the repair.

Standard   ECMA-376 part 1, 18.3 and 18.8 (cells, styles)
Promises   all else in the file stays as it was, but for marks of an earlier check: those are taken away
Not here   comments as parts of the package: `catalog.sheet.notes`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from lxml import etree
from openpyxl.utils import get_column_letter

from catalog.sheet.cells import column_number, find_sheet, named, tree_of
from catalog.sheet.columns import SHEET
from catalog.sheet.notes import note_parts
from catalog.sheet.package import checked
from catalog.sheet.read import CellFault
from schemas.errors import Rejected

__all__ = ["mark_sheet"]

_COLOURS = {"error": "FFFFC7CE", "warning": "FFFFEB9C"}


def mark_sheet(content: bytes, faults: Iterable[CellFault], lang: str = "zh") -> bytes:
    """
    *content*, an xlsx file that `read_sheet` has read, with *faults* marked in *lang*.

    Raises `Rejected` (``sheet.no-sheet``) for another file.
    """
    told = sorted(faults)
    with ZipFile(checked(content)) as package:
        book = find_sheet(package, SHEET)
        if book is None or book.styles is None:
            raise Rejected("sheet.no-sheet", "No such sheet", sheet=SHEET)
        styles = _Styles(tree_of(package.read(book.styles)))
        sheet = tree_of(package.read(book.sheet))
        by_row: dict[int, dict[int, CellFault]] = defaultdict(dict)
        for fault in told:
            by_row[fault.row][fault.column - 1] = fault
        _mark_rows(sheet, by_row, styles)
        notes = {fault.cell: fault.say(lang) for fault in told}
        parts = note_parts(package, book.sheet, sheet, notes)
        parts |= {book.sheet: _bytes(sheet), book.styles: _bytes(styles.tree)}
        return _with_parts(package, parts)


def _bytes(tree: etree._Element) -> bytes:
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8", standalone=True)


def _with_parts(package: ZipFile, parts: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as made:
        for name in dict.fromkeys((*package.namelist(), *parts)):
            made.writestr(name, parts[name] if name in parts else package.read(name))
    return buffer.getvalue()


def _mark_rows(
    sheet: etree._Element, faults: Mapping[int, Mapping[int, CellFault]], styles: _Styles
) -> None:
    number = 0
    for row in sheet.iterfind("{*}sheetData/{*}row"):
        number = int(row.get("r") or number + 1)
        wanted = dict(faults.get(number, {}))
        column = -1
        for cell in list(row):
            column = column_number(cell, column)
            fault = wanted.pop(column, None)
            if fault is not None:
                cell.set("s", styles.coloured(cell.get("s", "0"), fault.severity))
            elif cell.get("s") in styles.marked:
                cell.set("s", styles.plain(cell.get("s", "0")))
        for column, fault in wanted.items():
            _add_cell(row, column, fault, styles)


def _add_cell(row: etree._Element, column: int, fault: CellFault, styles: _Styles) -> None:
    """A cell where the row has none, in its place among those that it has."""
    cell = etree.Element(named(row, "c"), r=fault.cell)
    cell.set("s", styles.coloured("0", fault.severity))
    before = -1
    at = len(row)
    for n, each in enumerate(row):
        before = column_number(each, before)
        if before > column:
            at = n
            break
    # Cells after it that do not tell their place would else move.
    for each in list(row)[at:]:
        if each.get("r") is None:
            each.set("r", f"{get_column_letter(before + 1)}{fault.row}")
            before += 1
    row.insert(at, cell)


class _Styles:
    """The cell styles of a book, to which those of our two colours are added as they are needed."""

    def __init__(self, tree: etree._Element) -> None:
        self.tree = tree
        self._fills = _of(tree, "fills")
        self._styles = _of(tree, "cellXfs")
        self._made: dict[tuple[str, str], str] = {}
        ours = {
            str(n)
            for n, fill in enumerate(self._fills)
            for colour in fill.iterfind("{*}patternFill/{*}fgColor")
            if colour.get("rgb") in _COLOURS.values()
        }
        self.marked = {
            str(n) for n, style in enumerate(self._styles) if style.get("fillId") in ours
        }
        """The styles by which an earlier check has marked cells."""
        self._fill_of = {name: self._add_fill(colour) for name, colour in _COLOURS.items()}

    def coloured(self, style: str, severity: str) -> str:
        """The number of *style* with the colour of *severity*."""
        return self._variant(style, self._fill_of[severity])

    def plain(self, style: str) -> str:
        return self._variant(style, "0")

    def _variant(self, style: str, fill: str) -> str:
        if (style, fill) not in self._made:
            # A style that the book does not have is shown as the first by every program.
            known = style.isdecimal() and int(style) < len(self._styles)
            made = deepcopy(self._styles[int(style) if known else 0])
            made.set("fillId", fill)
            made.set("applyFill", "1")
            self._made[style, fill] = _appended(self._styles, made)
        return self._made[style, fill]

    def _add_fill(self, colour: str) -> str:
        fill = etree.Element(named(self._fills, "fill"))
        pattern = etree.SubElement(fill, named(fill, "patternFill"), patternType="solid")
        etree.SubElement(pattern, named(fill, "fgColor"), rgb=colour)
        return _appended(self._fills, fill)


def _of(tree: etree._Element, name: str) -> etree._Element:
    found = tree.find(f"{{*}}{name}")
    if found is None:
        raise Rejected("sheet.unreadable", "Not an xlsx file")
    return found


def _appended(inside: etree._Element, element: etree._Element) -> str:
    """The number of *element*, from 0, now that it stands last *inside*."""
    inside.append(element)
    inside.set("count", str(len(inside)))
    return str(len(inside) - 1)
