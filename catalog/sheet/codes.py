"""A code table in a spreadsheet: the first sheet, by its headings.

Not here   what the rows must be: `catalog.code_table`
"""

from __future__ import annotations

from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from lxml.etree import XMLSyntaxError
from openpyxl import load_workbook

from catalog.code_table import CodeRow, rows_of
from catalog.sheet.package import checked
from schemas.errors import Rejected

__all__ = ["read_codes"]


def read_codes(content: bytes) -> tuple[CodeRow, ...]:
    """Raises `Rejected`: ``codes.unreadable``, and what `rows_of` and `checked` raise."""
    package = checked(content)
    try:
        book = load_workbook(package, read_only=True, data_only=True)
        return rows_of(book.worksheets[0].iter_rows(values_only=True))
    except (KeyError, ValueError, IndexError, ParseError, BadZipFile, XMLSyntaxError) as error:
        raise Rejected("codes.unreadable", "Not an xlsx file", why=type(error).__name__) from error
