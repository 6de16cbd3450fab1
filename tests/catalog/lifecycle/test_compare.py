"""What differs between two versions, and whether it is compatible: held against the validators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from catalog.derive.sample import sample_body
from catalog.derive.validator import compile_validator
from catalog.lifecycle.compare import Comparison, Difference, compare
from catalog.model import Catalogue
from catalog.shares import loosened
from schemas.message import Body, Json
from tests.catalog.a_catalogue import dice, small, with_text

NAME = "caseAcceptance"
OLD = small()
MANY = 80
# What random bodies hardly ever have.
AWKWARD: Mapping[str, Sequence[Json]] = {
    "caseNo": ["A", "AB", "ABCD", "A" * 10, "A" * 20],
    "feeAmount": ["-1.00", "0.00", "0.1234", "5000.00", "8999.99", "1.2345"],
    "Material": [[{"materialName": "图"}] * many for many in range(1, 6)],
}
# Old text, new text, and what is said: code, item, backward, forward.
CHANGES = [
    ("  - {element: dayTime}\n", "", "compare.removed", "dayTime", False, True),
    (
        "  - {element: regionCode, required: true}\n",
        "  - {element: regionCode, required: true}\n  - {element: address}\n",
        "compare.added",
        "address",
        True,
        True,
    ),
    (
        "  - {element: regionCode, required: true}\n",
        "  - {element: regionCode, required: true}\n  - {element: address, required: true}\n",
        "compare.added-required",
        "address",
        False,
        True,
    ),
    ("{element: stepNo}\n  - {element: fee", "{element: stepNo, required: true}\n  - {element: fee",
     "compare.mandatory", "stepNo", False, True),
    (
        "{element: acceptanceResult, required: true}",
        "{element: acceptanceResult}",
        "compare.optional",
        "acceptanceResult",
        True,
        False,
    ),
    ("max_occurs: 3", "max_occurs: 5", "compare.occurs", "Material", True, False),
    ("max_occurs: 3", "max_occurs: 2", "compare.occurs", "Material", False, True),
    ("    max_occurs: 3\n", "", "compare.shape", "Material", False, False),
    ('format: "an3..10"', 'format: "an3..20"', "compare.format", "caseNo", True, False),
    ('format: "an3..10"', 'format: "an3..4"', "compare.format", "caseNo", False, True),
    ('format: "an3..10"', 'format: "an1..4"', "compare.format", "caseNo", False, False),
    ('format: "n..6,2"', 'format: "n..8,4"', "compare.format", "feeAmount", True, False),
    ('format: "n..6,2"', 'format: "n..3,3"', "compare.format", "feeAmount", False, False),
    ('format: "n..6,2"', 'format: "n..6,4"', "compare.format", "feeAmount", True, False),
    ('"2": 不予受理', '"2": 不予受理, "3": 转办', "compare.codes-more", "acceptanceResult", True,
     False),
    (', "2": 不予受理', "", "compare.codes-less", "acceptanceResult", False, True),
    ("    domain: {codes: acceptance-result}\n", "", "compare.codes-gone", "acceptanceResult", True,
     False),
    ('maximum: "5000"', 'maximum: "9000"', "compare.limits", "feeAmount", True, False),
    ('maximum: "5000"', 'maximum: "10"', "compare.limits", "feeAmount", False, True),
    ('minimum: "0", ', "", "compare.limits", "feeAmount", True, False),
    ('type: boolean\n    format: "bl"', 'type: string\n    format: "an..5"', "compare.type",
     "isCharged", False, False),
    ("      - {element: materialName, required: true}\n      - {element: stepNo}\n",
     "      - {element: materialName, required: true}\n", "compare.removed", "Material/stepNo", False,
     True),
]  # fmt: skip


def compared(new: Catalogue) -> Comparison:
    return compare(OLD.resources[NAME], new.resources[NAME], OLD, new)


def bodies(made_by: Catalogue) -> Iterator[Body]:
    """Bodies that are valid by *made_by*: some of every sort, and some at the limits."""
    resource, rng = made_by.resources[NAME], dice(7)
    validate = compile_validator(resource, made_by)
    for _ in range(MANY):
        yield sample_body(resource, made_by, rng)
    for item, values in AWKWARD.items():
        for value in values:
            body = {**sample_body(resource, made_by, rng), item: value}
            if not validate(body).faults:
                yield body


def passes(made_by: Catalogue, read_by: Catalogue, drop: frozenset[str]) -> bool:
    """Whether whatever is valid by the one is valid by the other, *drop* apart."""
    validate = compile_validator(read_by.resources[NAME], read_by)
    return not any(
        validate({k: v for k, v in body.items() if k not in drop}).faults
        for body in bodies(made_by)
    )


@pytest.mark.parametrize(("old", "new", "code", "item", "backward", "forward"), CHANGES)
def test_a_difference_is_told(
    old: str, new: str, code: str, item: str, *, backward: bool, forward: bool
) -> None:
    """Its kind, its item, and who notices."""
    found = compared(with_text(old, new))

    assert [(code, item, backward, forward)] == [
        (each.code, each.item, each.backward, each.forward) for each in found.differences
    ]


@pytest.mark.parametrize(("old", "new", "code", "item", "backward", "forward"), CHANGES)
def test_what_is_told_is_what_the_validators_do(
    old: str, new: str, code: str, item: str, *, backward: bool, forward: bool
) -> None:
    """Bodies made by the old version pass the new one if and only if it is backward compatible;
    those made by the new one pass the old, items aside that no old reader knows."""
    changed = with_text(old, new)

    assert backward is passes(OLD, changed, frozenset())
    added = frozenset({item}) if code.startswith("compare.added") else frozenset()
    assert forward is passes(changed, OLD, added)


def test_equal_versions_do_not_differ() -> None:
    """Not even by a name."""
    assert Comparison(()) == compared(small())


def test_a_group_that_goes_is_told_once() -> None:
    """Not item by item."""
    gone = with_text(
        "  - group: Place\n    name: {zh: 地点, en: place}\n    items:\n"
        "      - {element: address, required: true}\n",
        "",
    )

    assert ["Place"] == [each.item for each in compared(gone).differences]


def test_a_difference_reads_in_both_languages() -> None:
    """With the item's name in the reader's language, and what changed."""
    told = Difference(
        "compare.format",
        "caseNo",
        backward=True,
        forward=False,
        facts={
            "name_zh": "办件编号",
            "name_en": "case number",
            "before": "an..10",
            "after": "an..20",
        },
    )

    assert "信息项“办件编号”的数据格式由 an..10 改为 an..20。" == told.say("zh")
    assert 'Item "case number" has the format an..20, before an..10.' == told.say("en")


ITEM = "  - {element: stepNo}\n  - {element: fee"
LOOSE = "{type: unconditional, way: interface}"
CLOSED = "{type: none, condition: 《统计法》第九条, way: interface}"
OTHER = "{type: conditional, condition: 限核查进度, way: interface}"


def sharing(before: str, after: str) -> list[tuple[str, str]]:
    """What is told where an item is shared otherwise; "" is as the resource, which is conditional."""

    def declared(share: str) -> Catalogue:
        said = f", share: {share}" if share else ""
        return with_text(ITEM, f"  - {{element: stepNo{said}}}\n  - {{element: fee")

    old, new = declared(before), declared(after)
    found = compare(old.resources[NAME], new.resources[NAME], old, new).differences
    assert all(each.backward and each.forward for each in found)
    loose = loosened(old.resources[NAME], new.resources[NAME])
    assert loose == tuple(each.item for each in found if each.code == "compare.item-looser")
    return [(each.code, each.item) for each in found]


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("", LOOSE, "compare.item-looser"),
        (CLOSED, "", "compare.item-looser"),
        (CLOSED, OTHER, "compare.item-looser"),
        ("", CLOSED, "compare.item-stricter"),
        (LOOSE, "", "compare.item-stricter"),
        ("", OTHER, "compare.item-condition"),
    ],
)
def test_an_item_shared_otherwise_is_told(before: str, after: str, code: str) -> None:
    """What loosens is told as that; no validator notices any of it (R-A5)."""
    assert [(code, "stepNo")] == sharing(before, after)


def test_sharing_of_the_whole_is_told_in_words() -> None:
    """Type, condition and openness; items that only follow it are not told again."""
    new = with_text(
        "type: conditional\n  condition: 经授权后用于办件办理。\n  way: interface\n  open: false",
        "type: unconditional\n  way: interface\n  open: true",
    )
    found = compared(new).differences

    assert ["compare.share", "compare.open"] == [each.code for each in found]
    assert "共享类型由“有条件共享”改为“无条件共享、向社会开放”。" == found[0].say("zh")
    assert ("",) == loosened(OLD.resources[NAME], new.resources[NAME])
    assert ["compare.condition"] == [
        each.code for each in compared(with_text("经授权后用于", "经批准后用于")).differences
    ]
