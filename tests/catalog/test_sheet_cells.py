"""Cells as programs write them: shared and formatted strings, numbers, dates, formulas, blanks."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from zipfile import ZipFile

import pytest
from openpyxl import Workbook

from catalog.sheet.cells import Cell, sheet_rows

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def package(cells: str, *, strings: str = "", formats: str = "", space: str = MAIN) -> BytesIO:
    """The least that is an xlsx file, with one row of *cells*."""
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{OFFICE}"><sheets><sheet name="一"'
        ' sheetId="1" r:id="rId7"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}">'
        f'<Relationship Id="rId7" Type="{OFFICE}/worksheet" Target="/xl/worksheets/one.xml"/>'
        f'<Relationship Id="rId8" Type="{OFFICE}/sharedStrings" Target="strings.xml"/>'
        f'<Relationship Id="rId9" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/worksheets/one.xml": f'<worksheet xmlns="{space}"><sheetData><row>{cells}</row>'
        "</sheetData></worksheet>",
        "xl/strings.xml": f'<sst xmlns="{space}">{strings}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{space}">{formats}</styleSheet>',
    }
    content = BytesIO()
    with ZipFile(content, "w") as made:
        for name, text in parts.items():
            made.writestr(name, text)
    return content


def read(content: BytesIO, columns: int = 9) -> dict[int, Cell]:
    rows = sheet_rows(content, "一", columns=columns)
    assert rows is not None
    return next(rows).cells


@pytest.mark.parametrize("space", [MAIN, STRICT])
def test_a_text_is_all_that_is_read_of_it(space: str) -> None:
    """Shared, formatted in parts, in place, or a formula's; not how it is pronounced."""
    strings = (
        "<si><t>办件</t></si><si><r><rPr><b/></rPr><t>受理</t></r><r><t>时间</t></r>"
        "<rPh sb='0' eb='2'><t>shouli</t></rPh></si><si><t>一_x000A_二_x005F_x000A__xD800_</t></si>"
    )
    cells = (
        '<c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>2</v></c><c r="E1" t="inlineStr"><is><t>'
        "就地</t></is></c><c/><c t='str'><f>A1</f><v>办件</v></c>"
    )
    found = read(package(cells, strings=strings, space=space))

    assert {
        0: Cell("text", "办件"),
        1: Cell("text", "受理时间"),
        2: Cell("text", "一\n二_x000A__xD800_"),
        4: Cell("text", "就地"),
        6: Cell("formula", "办件"),
    } == found


def test_what_is_no_text_says_so() -> None:
    """Numbers as they are written, dates by their style, truth values and errors."""
    formats = (
        '<numFmts><numFmt numFmtId="170" formatCode="yyyy&quot;年&quot;m"/></numFmts><cellXfs>'
        '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="2"/></cellXfs>'
    )
    cells = (
        "<c><v>3</v></c><c s='1'><v>45000</v></c><c s='2'><v>45000</v></c><c s='3'><v>1.5</v></c>"
        "<c t='b'><v>1</v></c><c t='e'><v>#N/A</v></c><c t='d'><v>2026-01-01</v></c>"
    )

    assert ["number", "date", "date", "number", "truth", "error", "date"] == [
        cell.kind for cell in read(package(cells, formats=formats)).values()
    ]


def test_another_programs_file_reads_alike() -> None:
    """One that a library has written, wider than what is asked for."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "一"
    sheet.append(["甲", 12, None, date(2026, 1, 2), True, "远"])
    content = BytesIO()
    book.save(content)

    assert {0: "text", 1: "number", 3: "date", 4: "truth"} == {
        n: cell.kind for n, cell in read(content, columns=5).items()
    }
    assert sheet_rows(content, "二", columns=5) is None


@pytest.mark.parametrize("cell", ['<c r="1A"><v>1</v></c>', '<c t="s"><v>9</v></c>'])
def test_a_broken_sheet_is_told_as_such(cell: str) -> None:
    """A place that is none, a string that is not there."""
    with pytest.raises((ValueError, IndexError)):
        read(package(cell))
