"""The official spreadsheet: a faithful round trip, and each planted fault found at its cell."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from catalog.sheet.columns import COLUMNS, SHEET
from catalog.sheet.mark import mark_sheet
from catalog.sheet.package import LARGEST_INFLATED_BYTES
from catalog.sheet.read import read_sheet
from catalog.sheet.write import write_sheet
from schemas.errors import Rejected
from tests.catalog.a_catalogue import reference_site, small

SITE = reference_site()
SMALL = small()


def number_of(title: str) -> int:
    return 1 + next(n for n, column in enumerate(COLUMNS) if column.title == title)


def changed(content: bytes, changes: dict[tuple[int, str], str | int | None]) -> bytes:
    """The file with cells (row, heading) put to other values, as a person would with any program."""
    book = load_workbook(BytesIO(content))
    for (row, title), value in changes.items():
        book[SHEET].cell(row, number_of(title)).value = value
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_the_reference_site_comes_back_equal() -> None:
    """All resources of the tenders, written by us and read again."""
    reading = read_sheet(write_sheet(SITE.resources.values(), SITE), SITE)

    assert () == reading.faults
    assert tuple(SITE.resources.values()) == reading.resources


def test_groups_and_lists_come_back_equal() -> None:
    """Items within items, and how often they occur."""
    reading = read_sheet(write_sheet(SMALL.resources.values(), SMALL), SMALL)

    assert () == reading.faults
    assert tuple(SMALL.resources.values()) == reading.resources


# Row 2 begins the resource; its items follow in the order of `a_catalogue`.
PLANTED: dict[tuple[int, str], tuple[str | int | None, str]] = {
    (2, "信息资源代码"): ("907013/900001", "catalog.resource-code"),
    (2, "信息资源名称"): ("待定", "catalog.placeholder"),
    (2, "信息资源英文名称"): ("TODO", "catalog.placeholder"),
    (2, "版本"): ("二", "sheet.number"),
    (2, "信息资源分类"): ("暂无", "catalog.placeholder"),
    (2, "信息资源提供方"): ("无", "catalog.placeholder"),
    (2, "提供方代码"): ("91350100", "catalog.provider-code"),
    (2, "信息资源摘要"): ("……", "catalog.placeholder"),
    (2, "共享条件"): ("待补充", "catalog.placeholder"),
    (2, "开放条件"): ("依申请开放。", "catalog.open-condition-idle"),
    (2, "发布日期"): ("2026-02-30", "catalog.published"),
    (2, "主键信息项"): ("caseNumber", "catalog.key-missing"),
    (2, "区划信息项"): ("certTypeCode", "catalog.key-optional"),
    (2, "备注"): ("同上", "catalog.placeholder"),
    (2, "数据格式"): ("an..11", "sheet.not-the-elements"),
    (3, "信息资源代码"): ("307013/900002", "sheet.other-code"),
    (3, "是否必填"): ("对", "sheet.word"),
    (4, "数据类型"): ("日期型", "sheet.not-the-elements"),
    (4, "最大出现次数"): ("0", "sheet.number"),
    (5, "信息项短名"): ("stepNumber", "catalog.unknown-element"),
    (6, "信息项名称"): ("=1+1", "sheet.formula"),
    (7, "信息项短名"): (None, "sheet.empty"),
    (8, "信息项共享类型"): ("共享", "sheet.word"),
    (8, "信息项英文名称"): (None, "sheet.empty"),
    (9, "是否必填"): (None, "sheet.empty"),
    (12, "信息项短名"): ("caseNo", "catalog.duplicate-item"),
    (13, "信息项名称"): ('=HYPERLINK("http://example.com")', "sheet.formula"),
    (14, "最大出现次数"): ("n", "sheet.number"),
    (16, "信息项名称"): (None, "sheet.empty"),
    (18, "所属复合项"): ("Materials", "sheet.no-group"),
}


def test_thirty_planted_faults_are_found_each_at_its_cell() -> None:
    """All at once, and no false alarm on what is right."""
    # The twice-told item is told twice whole: with the format of its element.
    changes: dict[tuple[int, str], str | int | None] = {(12, "数据格式"): "an3..10"}
    changes |= {place: value for place, (value, _) in PLANTED.items()}
    content = changed(write_sheet(SMALL.resources.values(), SMALL), changes)
    reading = read_sheet(content, SMALL)
    wanted = {(row, number_of(title)): code for (row, title), (_, code) in PLANTED.items()}

    assert 30 == len(wanted)
    assert wanted == {(fault.row, fault.column): fault.code for fault in reading.faults}
    assert not reading.ok
    marked = load_workbook(BytesIO(mark_sheet(content, reading.faults)))[SHEET]
    for fault in reading.faults:
        cell = marked.cell(fault.row, fault.column)
        assert cell.comment
        assert fault.say("zh") == cell.comment.text
        assert "solid" == cell.fill.patternType
    told = {(c.row, c.column) for row in marked.iter_rows() for c in row if c.comment}
    assert wanted.keys() == told


def test_text_that_looks_like_a_formula_stays_text() -> None:
    """A note of ``=cmd…`` runs in nobody's spreadsheet program."""
    resource = SMALL.resources["caseAcceptance"].model_copy(update={"note": "=1+1"})
    content = write_sheet([resource], SMALL)

    cell = load_workbook(BytesIO(content))[SHEET].cell(2, number_of("备注"))
    assert ("=1+1", "s") == (cell.value, cell.data_type)
    assert (resource,) == read_sheet(content, SMALL).resources


def zipped(name: str, text: bytes) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=1) as package:
        package.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: b"", "sheet.unreadable"),
        (lambda: b"a,b\n1,2\n", "sheet.unreadable"),
        (lambda: zipped("a.txt", b"no workbook"), "sheet.unreadable"),
        (lambda: zipped("a.xml", bytes(LARGEST_INFLATED_BYTES + 1)), "sheet.too-large"),
        (lambda: zipped("a.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a/>'), "sheet.unreadable"),
        (
            lambda: changed(write_sheet([], SMALL), {(1, "版本"): "版次"}),
            "sheet.heading",
        ),
    ],
)
def test_what_is_no_such_spreadsheet_is_refused(make: Callable[[], bytes], code: str) -> None:
    """Before it is opened: bombs, document types, other files."""
    with pytest.raises(Rejected) as caught:
        read_sheet(make(), SMALL)

    assert code == caught.value.code


def test_many_resources_are_read_whole() -> None:
    """Two thousand rows of a hundred resources."""
    first = SMALL.resources["caseAcceptance"]
    many = [
        first.model_copy(
            update={
                "resource": f"caseAcceptance{n}",
                "code": f"307013/{n}",
                "name": first.name.model_copy(update={"zh": f"事项受理{n}"}),
            }
        )
        for n in range(1, 101)
    ]
    reading = read_sheet(write_sheet(many, SMALL), SMALL)

    assert () == reading.faults
    assert tuple(many) == reading.resources


def test_what_another_resource_of_the_site_has_is_not_given_again() -> None:
    """A code and a name are unique in the whole catalogue, not in the sheet alone (R-A5)."""
    copy = SMALL.resources["caseAcceptance"].model_copy(update={"resource": "otherAcceptance"})

    faults = read_sheet(write_sheet([copy], SMALL), SMALL).faults

    assert {
        (2, number_of("信息资源代码"), "catalog.duplicate-code"),
        (2, number_of("信息资源名称"), "catalog.duplicate-name"),
    } == {(fault.row, fault.column, fault.code) for fault in faults}


def test_a_group_lies_in_groups_so_deep_and_no_deeper() -> None:
    """A thousand groups in one another are a fault of a cell, not the end of the process."""
    content = write_sheet(SMALL.resources.values(), SMALL)
    cell = (18, "所属复合项")

    assert "sheet.too-deep" in {
        fault.code
        for fault in read_sheet(changed(content, {cell: "/".join(["Group"] * 1000)}), SMALL).faults
        if (18, number_of("所属复合项")) == (fault.row, fault.column)
    }


def test_a_wrong_word_with_none_near_it_tells_of_none() -> None:
    """The nearest word is told where there is one."""
    content = write_sheet(SMALL.resources.values(), SMALL)
    said = {}
    for wrong in ("对", "无条件共亨"):
        title = "是否必填" if wrong == "对" else "信息项共享类型"
        (fault,) = read_sheet(changed(content, {(8, title): wrong}), SMALL).faults
        said[wrong] = (fault.say("zh"), fault.say("en"))

    assert "最接近" not in said["对"][0]
    assert "nearest" not in said["对"][1]
    assert "最接近的是“无条件共享”" in said["无条件共亨"][0]


def test_the_marked_file_is_the_same_file() -> None:
    """What people have coloured, written and noted beside stays; marks of the check before go."""
    content = write_sheet(SMALL.resources.values(), SMALL)
    book = load_workbook(BytesIO(content))
    sheet = book[SHEET]
    sheet["A3"].comment = Comment("请核对", "周编目")
    sheet["B2"].fill = PatternFill("solid", fgColor="FF00B0F0")
    sheet.column_dimensions["B"].width = 40
    sheet.cell(3, number_of("是否必填")).value = "对"
    book.create_sheet("说明")["A1"] = "填写说明"
    buffer = BytesIO()
    book.save(buffer)
    reading = read_sheet(buffer.getvalue(), SMALL)
    marked = mark_sheet(buffer.getvalue(), reading.faults)
    mended = changed(marked, {(3, "是否必填"): "是"})
    again = load_workbook(BytesIO(mark_sheet(mended, read_sheet(mended, SMALL).faults)))

    (fault,) = reading.faults
    first = load_workbook(BytesIO(marked))
    for seen in (first, again):
        assert "请核对" == seen[SHEET]["A3"].comment.text
        assert "FF00B0F0" == seen[SHEET]["B2"].fill.fgColor.rgb
        assert 40 == seen[SHEET].column_dimensions["B"].width
        assert "填写说明" == seen["说明"]["A1"].value
    assert fault.say("zh") == first[SHEET][fault.cell].comment.text
    assert again[SHEET][fault.cell].comment is None
    assert again[SHEET][fault.cell].fill.patternType is None
