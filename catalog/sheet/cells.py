"""The cells of one sheet of an xlsx file as text, row by row, in bounded memory.

Standard   ECMA-376 part 1, 18.2-18.4 and 18.8 (sheets, shared strings, styles), transitional or strict
Promises   no formula is reckoned, no link followed, no document type or entity read
Careful    a date is a number with a style: that it is one is told by its *kind*, not made of it
Not here   whether the package is harmless: `catalog.sheet.package`; what cells mean: `catalog.sheet.read`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from posixpath import join, normpath
from typing import IO, Literal, NamedTuple
from zipfile import ZipFile

from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

__all__ = [
    "Book",
    "Cell",
    "Kind",
    "SheetRow",
    "column_number",
    "find_sheet",
    "named",
    "sheet_rows",
    "tree_of",
]

Kind = Literal["text", "number", "truth", "date", "formula", "error"]
_BOOK = "xl/workbook.xml"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_KINDS: Mapping[str, Kind] = {"b": "truth", "e": "error", "d": "date"}


class Cell(NamedTuple):
    """*text*: of a formula, its cached result or ""."""

    kind: Kind
    text: str


class SheetRow(NamedTuple):
    """*number* from 1; *cells* by column, from 0; those that are empty are not there."""

    number: int
    cells: dict[int, Cell]


class Book(NamedTuple):
    """Paths in the package: of one sheet, and of what all share."""

    sheet: str
    strings: str | None
    styles: str | None


def sheet_rows(content: BytesIO, name: str, *, columns: int) -> Iterator[SheetRow] | None:
    """
    The rows of the sheet called *name*, up to *columns* wide; None where there is no such sheet.

    Raises `KeyError`, `ValueError`, `zipfile.BadZipFile` and `lxml.etree.XMLSyntaxError`, now or on
    the way, for what is no xlsx file.
    """
    package = ZipFile(content)
    book = find_sheet(package, name)
    return None if book is None else _rows(package, book, columns)


def find_sheet(package: ZipFile, name: str) -> Book | None:
    """The parts of the sheet called *name*; raises as `sheet_rows`."""
    sheets = tree_of(package.read(_BOOK)).iterfind("{*}sheets/{*}sheet")
    sheet = next((each for each in sheets if each.get("name") == name), None)
    if sheet is None:
        return None
    parts = _parts(package)
    here = next((str(value) for key, value in sheet.items() if str(key).endswith("}id")), "")
    return Book(parts[here], parts.get("sharedStrings"), parts.get("styles"))


def tree_of(part: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(part, parser)


def named(beside: etree._Element, name: str) -> str:
    """The tag *name* in the name space of *beside*: there are a transitional and a strict one."""
    return f"{{{etree.QName(beside).namespace}}}{name}"


def _events(stream: IO[bytes], tag: str) -> Iterator[etree._Element]:
    """Every element *tag*, whole; what was seen is let go of."""
    walk = etree.iterparse(
        stream,
        events=("end",),
        tag=f"{{*}}{tag}",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
    )
    for _, element in walk:
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _parts(package: ZipFile) -> dict[str, str]:
    """Parts of the book by relation id, and by the last word of the relation's type."""
    found: dict[str, str] = {}
    for relation in tree_of(package.read("xl/_rels/workbook.xml.rels")):
        target = relation.get("Target", "")
        path = target[1:] if target.startswith("/") else normpath(join("xl", target))
        found[relation.get("Id", "")] = path
        found.setdefault(relation.get("Type", "").rpartition("/")[2], path)
    return found


def _strings(package: ZipFile, part: str | None) -> list[str]:
    if part is None:
        return []
    with package.open(part) as stream:
        return [_rich(each) for each in _events(stream, "si")]


def _rich(element: etree._Element) -> str:
    """The text of plain or formatted runs, without how it is pronounced."""
    told: list[str] = []
    for part in element:
        tag = _local(part)
        if tag == "t":
            told.append(part.text or "")
        elif tag == "r":
            told += (each.text or "" for each in part if _local(each) == "t")
    text = "".join(told)
    return _ESCAPED.sub(_unescaped, text) if "_x" in text else text


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    is_character = code in {9, 10, 13} or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
    return chr(code) if is_character else found[0]


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _date_styles(package: ZipFile, part: str | None) -> frozenset[str]:
    """The numbers of those cell styles that show a number as a date."""
    if part is None:
        return frozenset()
    styles = tree_of(package.read(part))
    own = {
        each.get("numFmtId", ""): each.get("formatCode", "")
        for each in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    return frozenset(
        str(n)
        for n, style in enumerate(styles.iterfind("{*}cellXfs/{*}xf"))
        if is_date_format(_format(style.get("numFmtId", "0"), own))
    )


def _format(number: str, own: Mapping[str, str]) -> str:
    if number in own:
        return own[number]
    return BUILTIN_FORMATS.get(int(number), "General") if number.isdecimal() else "General"


def _rows(package: ZipFile, book: Book, columns: int) -> Iterator[SheetRow]:
    strings, dates = _strings(package, book.strings), _date_styles(package, book.styles)
    number = 0
    with package, package.open(book.sheet) as stream:
        for row in _events(stream, "row"):
            number = int(row.get("r") or number + 1)
            cells: dict[int, Cell] = {}
            column = -1
            for each in row:
                column = column_number(each, column)
                if column < columns and (cell := _cell(each, strings, dates)) is not None:
                    cells[column] = cell
            yield SheetRow(number, cells)


def column_number(cell: etree._Element, before: int) -> int:
    """From 0; where the cell does not tell, it is the one after *before*."""
    place = cell.get("r")
    if place is None:
        return before + 1
    found = _PLACE.fullmatch(place)
    if found is None:
        raise ValueError(place)
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return column - 1


def _cell(element: etree._Element, strings: list[str], dates: frozenset[str]) -> Cell | None:
    value: str | None = None
    is_formula = False
    inline: etree._Element | None = None
    for part in element:
        tag = _local(part)
        if tag == "v":
            value = part.text
        elif tag == "f":
            is_formula = True
        elif tag == "is":
            inline = part
    if is_formula:
        return Cell("formula", value or "")
    kind = element.get("t", "n")
    if kind == "inlineStr":
        return None if inline is None else Cell("text", _rich(inline))
    if value is None:
        return None
    if kind == "s":
        return Cell("text", strings[int(value)])
    if kind == "n":
        return Cell("date", value) if element.get("s") in dates else Cell("number", value)
    return Cell(_KINDS.get(kind, "text"), value)
