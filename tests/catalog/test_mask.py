"""What of a body may be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from catalog.derive.mask import HIDDEN, Showing, compile_mask, mask_wholly, redacted, showing_of
from catalog.derive.sample import sample_body
from catalog.model import Item, Sensitivity
from tests.catalog.a_catalogue import VALID, dice, reference_site, small

CATALOGUE = small()
MASK = compile_mask(CATALOGUE.resources["caseAcceptance"], CATALOGUE)
SITE = reference_site()


def shown(resource: str, **body: Any) -> dict[str, Any]:
    return dict(compile_mask(SITE.resources[resource], SITE)(body))


def test_what_is_open_is_shown_and_what_is_personal_is_not() -> None:
    """Open items as they are; a name's first character, a number's ends, an address's district."""
    masked = MASK(VALID)

    personal = {"applicantName", "certNumber", "Place"}
    assert {k: v for k, v in VALID.items() if k not in personal} == {
        k: v for k, v in masked.items() if k not in personal
    }
    assert "买＊＊＊＊" == masked["applicantName"]
    assert "110＊＊＊＊2X" == masked["certNumber"]
    assert {"address": f"河北省石家庄市长安区{HIDDEN}"} == masked["Place"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("河北省石家庄市正定县高新区街道12号", "河北省石家庄市正定县"),
        ("石家庄市裕谷小区3号楼", "石家庄市"),
        ("河北省辛集市兴华路1号", "河北省辛集市"),
        ("内蒙古自治区呼和浩特市新城区某街", "内蒙古自治区呼和浩特市新城区"),
        ("幸福家园3号楼2单元", ""),
    ],
)
def test_an_address_ends_with_its_district(address: str, expected: str) -> None:
    """小区 is a house's neighbourhood, no district; what has no district is hidden whole."""
    masked = MASK({"Place": {"address": address}})

    assert {"Place": {"address": expected + HIDDEN}} == masked


@pytest.mark.parametrize("value", ["13800", 13800000000, ["13800000000"], {"a": 1}, True])
def test_a_short_or_strange_number_is_hidden(value: Any) -> None:
    """First and last of five digits would be all of them."""
    assert {"mobileNumber": HIDDEN} == shown("itemCase", mobileNumber=value)


def test_an_email_keeps_its_domain() -> None:
    """Enough to see whose it is not."""
    masked = shown("enterpriseContact", email="zhang.san@example.com", contactName="张三")

    assert {"email": f"z{HIDDEN}@example.com", "contactName": "张＊"} == masked


def test_what_is_no_item_is_hidden() -> None:
    """Nobody knows what it holds; nor an open item of the wrong shape."""
    masked = MASK({"sfzh": "11010519491231002X", "caseNo": {"id": "11010519491231002X"}})

    assert {"sfzh": HIDDEN, "caseNo": HIDDEN} == masked


def test_a_body_of_an_unknown_resource_is_hidden_wholly() -> None:
    """Its names remain."""
    assert {"a": HIDDEN, "b": HIDDEN} == mask_wholly({"a": 1, "b": {"c": 2}})


@pytest.mark.parametrize("body", [[], "x", None, {"Material": "x", "Place": 5, "applicantName": 1}])
def test_no_body_makes_it_raise(body: Any) -> None:
    """The failure store keeps what was refused, and pages show it."""
    assert "x" not in str(MASK(body)).replace("Material", "")


def test_numbers_typed_into_a_text_are_masked() -> None:
    """An officer's opinion names the applicant's number."""
    opinion = "经核，11010519491231002X（电话13800000000）符合条件，材料3份，编号MS202602280001-6。"
    masked = shown("caseStep", stepOpinion=opinion)

    assert (
        "经核，110＊＊＊＊2X（电话138＊＊＊＊00）符合条件，材料3份，编号MS202602280001-6。"
        == masked["stepOpinion"]
    )


@pytest.mark.parametrize(
    "text",
    ["MS202602280001-6", "91350100M000100Y43", "2026-02-28", "000109001000", "石审〔2026〕6号"],
)
def test_other_numbers_stay(text: str) -> None:
    """Case numbers, credit codes and item codes are what an operator looks for."""
    assert text == redacted(text)


def test_no_personal_element_of_the_site_is_shown_as_it_is() -> None:
    """Every one of them, with a value of its own."""
    secret = "甲乙丙丁戊己庚辛壬癸子丑"
    for name, resource in SITE.resources.items():
        for item in resource.items:
            element = SITE.elements.get(item.element or "")
            if element is not None and element.sensitivity in {"personal", "sensitive"}:
                masked = shown(name, **{element.short_name: secret})
                assert secret not in str(masked), (name, element.short_name)
                assert secret[2:-2] not in str(masked), (name, element.short_name)


def leaves(items: tuple[Item, ...], body: Any) -> Iterator[tuple[str, Any]]:
    """Every plain value of *body* with the short name of its element, in groups and lists too."""
    for item in items:
        value = body.get(item.wire_name) if isinstance(body, Mapping) else None
        for each in value if isinstance(value, list) else [value]:
            if item.group:
                yield from leaves(item.items, each)
            elif each is not None:
                yield item.wire_name, each


@pytest.mark.parametrize("name", sorted(SITE.resources))
def test_what_is_classified_is_masked_wherever_it_stands(name: str) -> None:
    """Made-up bodies, groups and lists and all: no personal value is left, and of what is open all is,
    in the same shape."""
    resource = SITE.resources[name]
    mask = compile_mask(resource, SITE)
    for seed in range(10):
        body = sample_body(resource, SITE, dice(seed))
        seen = list(leaves(resource.items, mask(body)))
        for (item, value), (same, shown_value) in zip(
            leaves(resource.items, body), seen, strict=True
        ):
            assert item == same
            personal = SITE.elements[item].sensitivity in {
                Sensitivity.PERSONAL,
                Sensitivity.SENSITIVE,
            }
            assert personal == (value != shown_value), (item, shown_value)


def test_how_an_element_is_shown_comes_from_its_classification() -> None:
    """Each way is used; classified higher, an open element is no longer shown."""
    used = {showing_of(each) for each in SITE.elements.values()}
    case = SITE.elements["caseNo"]

    assert set(Showing) == used
    assert Showing.TEXT is showing_of(case)
    for level in (Sensitivity.PERSONAL, Sensitivity.SENSITIVE):
        higher = case.model_copy(update={"sensitivity": level})
        assert Showing.NUMBER is showing_of(higher)
