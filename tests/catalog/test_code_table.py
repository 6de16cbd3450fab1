"""Code tables from files: what is wrong is told at its row, what is right is a code list (R-A4)."""

from __future__ import annotations

from io import BytesIO

import pytest
from openpyxl import Workbook

from catalog.code_table import check_rows, csv_text, read_csv
from catalog.lint import lint
from catalog.read import read_catalogue
from catalog.sheet.codes import read_codes
from schemas.declarations import InvalidDeclaration
from schemas.errors import Rejected
from tests.catalog.a_catalogue import FILES

HEAD = "code,name,english,parent\n"
# Two levels of GB/T 4754, whose codes have one length each.
GOOD = HEAD + "C,制造业,Manufacturing,\n13,农副食品加工业,,C\n14,食品制造业,,C\n15,饮料制造业,,C\n"
LIST = "code_lists:\n  - {name: industry, title: {zh: 行业, en: industry}, table: industry.csv}\n"


def faults(text: str) -> list[tuple[str, str]]:
    return [(fault.at, fault.code) for fault in check_rows(read_csv(text))]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("13,重复,,C", [("6", "codes.duplicate")]),
        ("16,食品制造业,,C", [("6", "codes.duplicate-name")]),
        ("16,烟草制品业,,D", [("6", "codes.parent")]),
        ("16,烟草制品业,,16", [("6", "codes.round")]),
        (",烟草制品业,,C", [("6", "codes.blank")]),
        ("16,,,C", [("6", "codes.blank")]),
        ("1 6,烟草制品业,,C", [("6", "codes.form")]),
        ("x,,,y", [("6", "codes.blank"), ("6", "codes.parent")]),
    ],
)
def test_each_slip_is_told_at_its_row(line: str, found: list[tuple[str, str]]) -> None:
    """All of them at once; a sound table has none."""
    assert [] == faults(GOOD)
    assert found == faults(f"{GOOD}{line}\n")


def test_a_lost_leading_zero_is_found() -> None:
    """Spreadsheets make the number 1 of the code 01."""
    rows = "".join(f"{n:02},第{n}类,,\n" for n in range(2, 14))

    assert [("2", "codes.length")] == faults(f"{HEAD}1,第1类,,\n{rows}")
    assert [] == faults(HEAD + "".join(f"{n},第{n}类,,\n" for n in range(1, 14)))


def test_one_name_under_two_parents_is_none_too_many() -> None:
    """Both 北京 and 长春 have a 朝阳区."""
    table = HEAD + "1101,北京,,\n2201,长春,,\n110105,朝阳区,,1101\n220104,朝阳区,,2201\n"

    assert [] == faults(table)


def test_a_spreadsheet_is_read_like_csv() -> None:
    """Chinese headings, any order of columns, numbers as cells."""
    book = Workbook()
    sheet = book.worksheets[0]
    for line in (("名称", "上级代码", "代码"), ("制造业", None, "C"), ("食品制造业", "C", 14)):
        sheet.append(line)
    content = BytesIO()
    book.save(content)

    rows = read_codes(content.getvalue())

    assert [("C", "制造业", ""), ("14", "食品制造业", "C")] == [
        (each.code, each.name, each.parent) for each in rows
    ]
    assert [(each.code, each.name) for each in rows] == [
        (each.code, each.name) for each in read_csv(csv_text(rows))
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"code,name"])
def test_what_is_no_spreadsheet_is_refused(content: bytes) -> None:
    """As what it is, not as a programmer's report."""
    with pytest.raises(Rejected):
        read_codes(content)


def test_headings_are_needed() -> None:
    """A table without them would be guessed at."""
    with pytest.raises(Rejected) as caught:
        read_csv("C,制造业\n")

    assert "codes.headings" == caught.value.code


def test_a_site_reads_its_tables() -> None:
    """The list is as if its codes stood in the YAML; the linter finds nothing."""
    files = {**FILES, "codes/industry.yaml": LIST, "codes/industry.csv": GOOD}
    catalogue = read_catalogue(files)
    found = catalogue.code_lists["industry"]

    assert "食品制造业" == found.codes["14"]
    assert ("C", "Manufacturing") == (found.parents["14"], found.english["C"])
    assert [] == lint(catalogue)


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({}, ("codes/industry.yaml", 2)),
        ({"codes/industry.csv": f"{GOOD}13,重复,,C\n"}, ("codes/industry.csv", 6)),
    ],
)
def test_a_table_that_cannot_be_used_is_told(files: dict[str, str], place: tuple[str, int]) -> None:
    """Missing, or with a fault, at its file and line."""
    with pytest.raises(InvalidDeclaration) as caught:
        read_catalogue({**FILES, "codes/industry.yaml": LIST, **files})

    assert [place] == [(each.file, each.line) for each in caught.value.problems]
