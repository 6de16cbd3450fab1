"""The compiled validator: every rule bites at its place, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.derive.validator import MOST_FAULTS, Findings, compile_validator
from catalog.model import Catalogue, Item, Resource
from schemas.errors import Misconfigured
from schemas.texts import both
from tests.catalog.a_catalogue import VALID, small
from tests.catalog.any_resource import JSON

CATALOGUE = small()
RESOURCE = CATALOGUE.resources["caseAcceptance"]
VALIDATE = compile_validator(RESOURCE, CATALOGUE)
A_CITIZEN, ANOTHER_CHECK = "11010519491231002X", "110105194912310021"


def found(**changes: Any) -> Findings:
    return VALIDATE({**VALID, **changes})


def faults(**changes: Any) -> list[tuple[str, str]]:
    return [(fault.at, fault.code) for fault in found(**changes).faults]


def test_a_valid_body_has_no_findings() -> None:
    """Each sort of element once; no fault, no doubt."""
    assert Findings((), ()) == VALIDATE(VALID)


@pytest.mark.parametrize(
    "name", sorted(VALID.keys() - {"caseNo", "acceptanceResult", "regionCode"})
)
def test_an_optional_item_may_be_absent(name: str) -> None:
    """Left out, or null, which is the same."""
    without = {key: value for key, value in VALID.items() if key != name}

    assert () == VALIDATE(without).faults
    assert [] == faults(**{name: None})


@pytest.mark.parametrize("name", ["caseNo", "acceptanceResult", "regionCode"])
def test_a_mandatory_item_is_missed(name: str) -> None:
    """Its Chinese and English names are in the facts."""
    (fault,) = found(**{name: None}).faults
    element = CATALOGUE.elements[name]

    assert (f"/{name}", "item.missing") == (fault.at, fault.code)
    assert {"name_zh": element.name.zh, "name_en": element.name.en} == fault.facts


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("caseNo", 12345, "item.type"),
        ("caseNo", ["A-1"], "item.type"),
        ("caseNo", "A1", "item.too-short"),
        ("caseNo", "A2345678901", "item.too-long"),
        ("caseNo", "", "item.blank"),
        ("caseNo", "    ", "item.blank"),
        ("caseNo", "\u3000\u3000\u3000", "item.blank"),
        ("caseNo", "A-\x001", "item.control"),
        ("caseNo", "A-\ud8001", "item.control"),
        ("acceptanceResult", "3", "item.code"),
        ("acceptanceResult", 1, "item.type"),
        ("acceptanceResult", "受", "item.characters"),
        ("acceptanceResult", "１", "item.characters"),
        ("acceptanceResult", "12", "item.too-long"),
        ("acceptTime", "2026-02-29T09:00:00", "item.date"),
        ("acceptTime", "2026-02-28 09:00:00", "item.date"),
        ("acceptTime", "2026-02-28T09:00", "item.date"),
        ("acceptTime", "2026-02-28T09:00+08", "item.date"),
        ("acceptTime", "2026-W10-3T09:00:00", "item.date"),
        ("acceptTime", "2026-02-28T24:00:00", "item.date"),
        ("acceptTime", "2026-02-28T23:59:60", "item.date"),
        ("acceptTime", "２０26-02-28T09:00:00", "item.date"),
        ("acceptTime", 20260228, "item.date"),
        ("stepNo", "3", "item.type"),
        ("stepNo", 3.0, "item.type"),
        ("stepNo", True, "item.type"),
        ("stepNo", 0, "item.range"),
        ("stepNo", -1, "item.range"),
        ("stepNo", 12345, "item.too-long"),
        ("stepNo", 10**50, "item.too-long"),
        ("feeAmount", 12.5, "item.type"),
        ("feeAmount", 12, "item.type"),
        ("feeAmount", "12,50", "item.type"),
        ("feeAmount", "1_0", "item.type"),
        ("feeAmount", " 1", "item.type"),
        ("feeAmount", "1E2", "item.type"),
        ("feeAmount", "NaN", "item.type"),
        ("feeAmount", "１２", "item.type"),
        ("feeAmount", "", "item.type"),
        ("feeAmount", "12.505", "item.places"),
        ("feeAmount", "5000.01", "item.range"),
        ("feeAmount", "-0.01", "item.range"),
        ("isCharged", "false", "item.type"),
        ("isCharged", 0, "item.type"),
        ("issueDate", "2027-02-29", "item.date"),
        ("issueDate", "2026-W10-3", "item.date"),
        ("issueDate", "20260228", "item.date"),
        ("issueDate", "2026/02/28", "item.date"),
        ("applicantName", "名" * 31, "item.too-long"),
        ("certNumber", "1101051949123100", "item.identifier"),
        ("certNumber", "11010519490230002X", "item.identifier"),
        ("uscc", "91350100M000100Y4", "item.too-short"),
        ("uscc", "91350100I000100Y43", "item.identifier"),
        ("shipNo", "A1234", "item.characters"),
        ("shipNo", "船舶123", "item.characters"),
        ("dayTime", "240000", "item.date"),
        ("dayTime", "23:59", "item.date"),
        ("sealImage", "5qC", "item.type"),
        ("sealImage", "不是base64", "item.type"),
        ("Material", {"materialName": "申请书"}, "item.type"),
        ("Material", "申请书", "item.type"),
        ("Material", [{"materialName": "a"}] * 4, "item.too-many"),
        ("Place", [], "item.type"),
        ("Place", "长安区", "item.type"),
    ],
)
def test_a_rule_bites_at_its_item(name: str, value: object, code: str) -> None:
    """One thing wrong, one fault, at the item's JSON Pointer."""
    assert [(f"/{name}", code)] == faults(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("caseNo", "办件编号一二三四五六"),  # ten characters of three bytes each
        ("caseNo", "A·b-1(石)"),
        ("acceptTime", "0001-01-01T00:00:00"),
        ("stepNo", 9999),
        ("feeAmount", "5000.00"),
        ("feeAmount", "0"),
        ("feeAmount", "007.50"),
        ("certNumber", "x" * 50),
    ],
)
def test_what_stands_at_the_edge_passes(name: str, value: object) -> None:
    """Limits include their ends."""
    changes: dict[str, Any] = {name: value}
    if name == "certNumber":
        changes["certTypeCode"] = "414"  # of a passport nothing is known

    assert [] == faults(**changes)


def test_a_number_that_cannot_be_written_is_told() -> None:
    """Python refuses to turn more than 4300 digits into text."""
    (fault,) = found(stepNo=10**5000).faults

    assert ("item.too-long", "…") == (fault.code, fault.facts["found"])


def test_a_digit_too_many_in_all_is_told() -> None:
    """n..6,2: 50000.00 has seven digits, and is above the maximum as well."""
    assert [("/feeAmount", "item.too-long"), ("/feeAmount", "item.range")] == faults(
        feeAmount="50000.00"
    )


def test_a_place_in_a_list_is_told() -> None:
    """Index and name, at each element."""
    materials = [{"materialName": "a"}, {"stepNo": 0}, 5, {"materialName": "b", "page": 1}, None]

    assert [
        ("/Material", "item.too-many"),
        ("/Material/1/materialName", "item.missing"),
        ("/Material/1/stepNo", "item.range"),
        ("/Material/2", "item.type"),
        ("/Material/3/page", "item.unknown"),
        ("/Material/4", "item.type"),
    ] == faults(Material=materials)


def test_a_group_that_is_there_must_be_whole() -> None:
    """An optional group may be absent; half of it may not."""
    assert [("/Place/address", "item.missing")] == faults(Place={})


def test_a_mandatory_list_holds_something() -> None:
    """An empty list is none."""
    needed = Item(
        group="Material", name=None, items=(Item(element="caseNo"),), required=True, max_occurs="N"
    )
    validate = compile_validator(RESOURCE.model_copy(update={"items": (needed,)}), CATALOGUE)

    assert ["item.missing"] == [fault.code for fault in validate({"Material": []}).faults]


def test_an_unknown_item_is_told_with_an_escaped_pointer() -> None:
    """RFC 6901: ~ and / in a name. A name is cut, so that a fault stays small."""
    assert [("/a~1b~0c", "item.unknown"), (f"/{'x' * 64}", "item.unknown")] == faults(
        **{"a/b~c": 1, "x" * 100: 2}
    )


def test_all_that_is_wrong_is_told_at_once() -> None:
    """In the order of the items; nobody sends a record nine times to learn nine faults."""
    told = faults(caseNo=None, acceptanceResult="9", stepNo="x", issueDate="?", foreign=1)

    assert [
        ("/caseNo", "item.missing"),
        ("/acceptanceResult", "item.code"),
        ("/stepNo", "item.type"),
        ("/issueDate", "item.date"),
        ("/foreign", "item.unknown"),
    ] == told


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_what_is_no_object_is_a_fault(body: Any) -> None:
    """At the whole, which is the empty pointer."""
    assert [("", "item.type")] == [(fault.at, fault.code) for fault in VALIDATE(body).faults]


def test_any_mapping_is_read() -> None:
    """Frozen bodies too, at each depth."""
    frozen = MappingProxyType({**VALID, "Place": MappingProxyType({"address": "石家庄市"})})

    assert Findings((), ()) == VALIDATE(frozen)


@pytest.mark.parametrize(
    ("name", "value"), [("uscc", "91350100M0001TGQXM"), ("certNumber", ANOTHER_CHECK)]
)
def test_a_check_character_that_misfits_is_a_doubt(name: str, value: str) -> None:
    """Legal exceptions exist: it is recorded and lets the body pass."""
    findings = found(**{name: value})

    assert () == findings.faults
    assert [(f"/{name}", "item.check-digit")] == [(d.at, d.code) for d in findings.doubts]


def test_the_item_beside_tells_the_kind_of_number() -> None:
    """A passport number is no faulty identity number; without a kind nothing is known of it."""
    assert [] == faults(certTypeCode="414", certNumber="E12345678")
    assert [] == faults(certTypeCode=None, certNumber="E12345678")
    assert ["/certTypeCode"] == [at for at, _ in faults(certTypeCode=["111"], certNumber="E1")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("certNumber", "1101051949123100"), ("applicantName", "张三" * 20), ("certNumber", 5)],
)
def test_a_personal_value_is_in_no_fact(name: str, value: Any) -> None:
    """Faults are logged and shown."""
    (fault,) = found(**{name: value}).faults

    assert "found" not in fault.facts
    assert str(value) not in both(fault)


def test_an_open_value_is_told_but_cut() -> None:
    """Forty characters are enough to find it."""
    (fault,) = found(caseNo="A" * 1000).faults

    assert ("A" * 40, 10, 1000) == tuple(fault.facts[k] for k in ("found", "limit", "found_length"))


def test_an_identity_number_in_the_wrong_field_is_not_told() -> None:
    """Partners mix up columns; a receipt must not carry what the open field should not hold."""
    (fault,) = found(caseNo=A_CITIZEN).faults
    (other,) = found(**{A_CITIZEN: 1}).faults

    assert A_CITIZEN not in str(fault.facts)
    assert A_CITIZEN not in str(other)


def test_faults_are_bounded() -> None:
    """A list of a hundred thousand wrong elements needs no hundred thousand sentences."""
    many = [{"materialName": 1} for _ in range(100_000)]
    told = faults(Material=many)

    assert MOST_FAULTS + 1 == len(told)
    assert ("", "item.more") == told[-1]
    wild = VALIDATE({f"x{n}": n for n in range(100_000)}).faults
    assert MOST_FAULTS + 1 == len(wild)


def test_doubts_hide_no_fault() -> None:
    """However many doubts a list has, the fault after them is found; the doubts are bounded too."""
    codes = Item(element="uscc", max_occurs="N")
    validate = compile_validator(RESOURCE.model_copy(update={"items": (codes,)}), CATALOGUE)

    found = validate({"uscc": ["91350100M0001TGQXM"] * (MOST_FAULTS + 10) + ["no code"]})

    assert [("/uscc/210", "item.too-short")] == [(fault.at, fault.code) for fault in found.faults]
    assert MOST_FAULTS + 1 == len(found.doubts)


@pytest.mark.parametrize(
    ("catalogue", "code"),
    [
        (Catalogue(), "catalog.unknown-element"),
        (Catalogue(elements=CATALOGUE.elements), "catalog.unknown-codes"),
    ],
)
def test_what_is_bound_to_nothing_cannot_be_compiled(catalogue: Catalogue, code: str) -> None:
    """The hub does not start with half a catalogue."""
    with pytest.raises(Misconfigured) as caught:
        compile_validator(RESOURCE, catalogue)

    assert code == caught.value.code


def test_no_text_of_a_declaration_becomes_code() -> None:
    """A name that would be Python is a name."""
    evil = '"]; raise SystemExit; ["'
    resource = Resource.model_construct(
        **{**dict(RESOURCE), "items": (Item.model_construct(element=None, group=evil, items=()),)}
    )

    assert () == compile_validator(resource, CATALOGUE)({evil: {}}).faults


@given(st.dictionaries(st.sampled_from(sorted(VALID)), JSON))
def test_any_json_gets_findings(changes: Mapping[str, Any]) -> None:
    """It never raises, and every fault can be told in both languages."""
    for fault in found(**changes).faults:
        assert fault.at
        # It stands where a text finds no fact; what was sent may hold one too, and be quoted.
        assert "?" not in both(fault) or "?" in str(changes)
