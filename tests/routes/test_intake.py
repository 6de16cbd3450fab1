"""A partner's record becomes canonical messages, or every fault at its place in that record."""

from __future__ import annotations

from typing import Any

import pytest

from routes.intake import compile_intake
from schemas.errors import Misconfigured, Rejected
from schemas.message import Operation
from tests.routes.a_site import FILES, body_of, declared, faults_of, mapped, with_files

CODES = FILES["tables/police.yaml"]
NEEDED = "caseNo: no, acceptTime: time"
RECORD = {"no": "A1", "time": "2026-03-01T09:00:00"}


@pytest.mark.parametrize(
    ("values", "record", "expected"),
    [
        ("{stepNo: n}", {"n": 3}, {"stepNo": 3}),
        ("{stepNo: n}", {"n": "03"}, {"stepNo": 3}),  # XML knows texts only
        ("{amount: je}", {"je": "12.50"}, {"amount": "12.50"}),
        ("{amount: je}", {"je": 12}, {"amount": "12"}),
        ("{amount: je}", {"je": 0.1}, {"amount": "0.1"}),
        ("{isCharged: sf}", {"sf": "1"}, {"isCharged": True}),
        ("{isCharged: sf}", {"sf": False}, {"isCharged": False}),
        ("{isCharged: sf}", {"sf": "TRUE"}, {"isCharged": True}),
        ("{applicantName: xm}", {"xm": "张三"}, {"applicantName": "张三"}),
        ("{applicantName: xm}", {"xm": 12}, {"applicantName": "12"}),
        ("{applicantName: a.b.c}", {"a": {"b": {"c": "x"}}}, {"applicantName": "x"}),
        ("{applicantName: a.1.b}", {"a": [{}, {"b": "x"}]}, {"applicantName": "x"}),
        ("{applicantName: /a.b/c}", {"a.b": {"c": "x"}}, {"applicantName": "x"}),
        ("{Place.regionCode: qh}", {"qh": "130102"}, {"Place": {"regionCode": "130102"}}),
        (
            "{issueDate: {from: rq, date: '%Y%m%d'}}",
            {"rq": "20260301"},
            {"issueDate": "2026-03-01"},
        ),
        ("{issueDate: {from: rq, date: epoch_ms}}", {"rq": 0}, {"issueDate": "1970-01-01"}),
        (
            "{amount: {from: je, number: {times: '0.01', places: 2}}}",
            {"je": 1250},
            {"amount": "12.50"},
        ),
        ("{stepNo: {from: ts, number: {times: '8'}}}", {"ts": "5"}, {"stepNo": 40}),
        (
            "{acceptanceResult: {from: j, codes: police.acceptance}}",
            {"j": "03"},
            {"acceptanceResult": "2"},
        ),
        (
            "{acceptanceResult: {from: j, text: strip, codes: police.acceptance}}",
            {"j": " 01 "},
            {"acceptanceResult": "1"},
        ),
        ("{applicantName: {from: x, text: upper}}", {"x": "ab"}, {"applicantName": "AB"}),
        ("{applicantName: {const: x}}", {}, {"applicantName": "x"}),
        ("{isCharged: {const: false}}", {}, {"isCharged": False}),
        ("{stepNo: {from: n, default: 1}}", {}, {"stepNo": 1}),
        (
            "{applicantName: {join: [a, b], with: ' '}}",
            {"a": "x", "b": 2},
            {"applicantName": "x 2"},
        ),
        ("{applicantName: {join: [a, b], with: ' '}}", {"b": "y"}, {"applicantName": "y"}),
        ("{applicantName: {join: [{const: 冀}, a]}}", {"a": "1"}, {"applicantName": "冀1"}),
        ("{applicantName: {split: a, on: '-', take: 1}}", {"a": "x-y-z"}, {"applicantName": "x"}),
        ("{applicantName: {split: a, on: '-', take: -1}}", {"a": "x-y-z"}, {"applicantName": "z"}),
        ("{stepNo: {split: a, on: '-', take: 2}}", {"a": "x-7"}, {"stepNo": 7}),
        ("{applicantName: {first: [a, b, {const: c}]}}", {"b": "y"}, {"applicantName": "y"}),
        ("{applicantName: {first: [a, b, {const: c}]}}", {"a": ""}, {"applicantName": "c"}),
        (
            "{stepNo: {when: [{if: {t: '1'}, then: a}, {if: {t: '2'}, then: {const: 9}}], else: b}}",
            {"t": "2"},
            {"stepNo": 9},
        ),
        ("{stepNo: {when: [{if: {t: '1'}, then: a}], else: b}}", {"b": "4"}, {"stepNo": 4}),
        (
            "{supplementMaterial: {list: cl}}",
            {"cl": ["a", "", "b"]},
            {"supplementMaterial": ["a", "b"]},
        ),
        ("{supplementMaterial: {list: cl}}", {"cl": "a"}, {"supplementMaterial": ["a"]}),
        (
            "{Material: {each: cl, map: {materialName: '@.mc', copies: '@.fs'}}}",
            {"cl": [{"mc": "a", "fs": "2"}, {"mc": "b"}]},
            {"Material": [{"materialName": "a", "copies": 2}, {"materialName": "b"}]},
        ),
        (
            "{Material: {each: cl.x, map: {materialName: '@.mc'}}}",
            {"cl": {"x": {"mc": "a"}}},  # what an XML reader makes of a list of one
            {"Material": [{"materialName": "a"}]},
        ),
        (
            "{Material: {each: cl, map: {materialName: name}}}",
            {"cl": [{}], "name": "of the record"},
            {"Material": [{"materialName": "of the record"}]},
        ),
    ],
)
def test_a_value_is_mapped(values: str, record: dict[str, Any], expected: dict[str, Any]) -> None:
    """By its origin and modifiers, to the type of its item."""
    assert expected == body_of(values, record)


@pytest.mark.parametrize("absent", [None, "", "missing"])
@pytest.mark.parametrize(
    "value",
    [
        "x",
        "x.y",
        "{from: x, date: iso}",
        "{from: x, codes: police.acceptance}",
        "{from: x, number: {}}",
        "{from: x, text: strip}",
        "{join: [x, {const: c}]}",
        "{split: x, on: '-', take: 1}",
        "{first: [x]}",
        "{when: [{if: {x: '1'}, then: x}]}",
    ],
)
def test_an_optional_value_that_is_absent_leaves_its_item_out(
    value: str, absent: str | None
) -> None:
    """A JSON null and an empty text are as absent as a missing field."""
    record = {} if absent == "missing" else {"x": absent}

    assert {} == body_of(f"{{issueDate: {value}}}", record)


@pytest.mark.parametrize(
    ("values", "record", "expected"),
    [
        ("{stepNo: n}", {"n": "three"}, [("/n", "map.number")]),
        ("{stepNo: n}", {"n": 1.5}, [("/n", "map.number")]),
        ("{stepNo: n}", {"n": 2**63}, [("/n", "map.number")]),
        ("{stepNo: n}", {"n": True}, [("/n", "map.number")]),
        ("{amount: n}", {"n": "1,000"}, [("/n", "map.number")]),
        ("{isCharged: n}", {"n": "是"}, [("/n", "map.type")]),
        ("{applicantName: n}", {"n": {"a": 1}}, [("/n", "map.type")]),
        ("{applicantName: n}", {"n": ["a"]}, [("/n", "map.type")]),
        ("{applicantName: n}", {"n": 1.5}, [("/n", "map.type")]),
        ("{applicantName: a.b}", {"a": "x"}, [("/a", "map.type")]),
        ("{applicantName: a.b.c}", {"a": {"b": [1]}}, [("/a/b", "map.type")]),
        ("{issueDate: {from: a.rq, date: iso}}", {"a": {"rq": "x"}}, [("/a/rq", "map.date")]),
        (
            "{acceptanceResult: {from: j, codes: police.acceptance}}",
            {"j": "9"},
            [("/j", "map.code")],
        ),
        (
            "{acceptanceResult: {from: j, codes: police.acceptance}}",
            {"j": []},
            [("/j", "map.code")],
        ),
        ("{stepNo: {from: n, required: true}}", {}, [("/n", "map.missing")]),
        ("{stepNo: {first: [a.b, c], required: true}}", {}, [("/a/b", "map.missing")]),
        ("{applicantName: {join: [a, b]}}", {"a": {}, "b": "x"}, [("/a", "map.type")]),
        ("{supplementMaterial: {list: cl}}", {"cl": ["a", {}]}, [("/cl/1", "map.type")]),
        ("{Material: {each: cl, map: {materialName: '@.mc'}}}", {"cl": "x"}, [("/cl", "map.type")]),
        (
            "{Material: {each: cl, map: {materialName: '@.mc', copies: '@.fs'}}}",
            {"cl": [{"mc": "a"}, {"fs": "x"}, 3]},
            [("/cl/1/mc", "map.missing"), ("/cl/1/fs", "map.number"), ("/cl/2", "map.type")],
        ),
    ],
)
def test_a_fault_stands_at_its_place_in_the_partners_record(
    values: str, record: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """By JSON Pointer, with the code of what is wrong."""
    assert expected == faults_of(values, record)


def test_all_faults_of_a_record_are_told_at_once() -> None:
    """So that a partner mends a record in one go; the mandatory item is told as well."""
    intake = compile_intake(declared().intakes["police.acceptance"], declared())

    with pytest.raises(Rejected) as caught:
        intake.drafts({"jdlx": "09", "slsj": "20260230090000"})

    assert "map.refused" == caught.value.code
    assert {
        ("/ywlsh", "map.missing"),
        ("/jdlx", "map.code"),
        ("/slsj", "map.date"),
    } == {(fault.at, fault.code) for fault in caught.value.faults}


def test_a_fault_names_the_field_the_table_and_its_codes() -> None:
    """What the partner's engineer needs to mend it."""
    with pytest.raises(Rejected) as caught:
        body_of("{acceptanceResult: {from: jdlx, codes: police.acceptance}}", {"jdlx": "09"})

    assert {
        "field": "jdlx",
        "name_zh": "受理结果",
        "name_en": "acceptance result",
        "table": "police.acceptance",
        "allowed": "01, 02, 03",
        "found": "09",
    } == caught.value.faults[0].facts


@pytest.mark.parametrize(
    "value",
    [
        "{from: xm, codes: police.acceptance}",
        "{first: [{from: xm, codes: police.acceptance}], text: strip}",
        "{join: [{from: xm, codes: police.acceptance}]}",
    ],
)
def test_a_personal_value_is_never_quoted(value: str) -> None:
    """Faults are logged and shown."""
    with pytest.raises(Rejected) as caught:
        body_of(f"{{applicantName: {value}}}", {"xm": "张三"})

    assert "张三" not in str(caught.value.faults)
    assert "text" == caught.value.faults[0].facts["found"]


def test_a_long_value_is_cut() -> None:
    """A fault is no place for a body."""
    with pytest.raises(Rejected) as caught:
        body_of("{stepNo: n}", {"n": "x" * 1000})

    assert "x" * 40 == caught.value.faults[0].facts["found"]


def test_a_field_that_several_messages_need_is_told_once() -> None:
    """The partner mends it once."""
    entry = "{resource: caseAcceptance, operation: created, map: {caseNo: bh, acceptTime: sj}}"
    site = with_files(
        {"intakes/police.two.yaml": f"intake: police.two\npublish: [{entry}, {entry}]"}
    )

    with pytest.raises(Rejected) as caught:
        compile_intake(site.intakes["police.two"], site).drafts({"bh": "A1"})

    assert [("/sj", "map.missing")] == [(f.at, f.code) for f in caught.value.faults]


def test_faults_are_bounded() -> None:
    """A list of ten thousand bad elements makes no receipt of ten thousand lines."""
    values = "{Material: {each: cl, map: {materialName: '@.mc'}}}"

    assert 100 == len(faults_of(values, {"cl": [{}] * 10_000}))


def test_one_record_leads_to_many_messages() -> None:
    """Several entries, each with its condition; a list with a message for each element."""
    text = """
intake: police.change
publish:
  - resource: caseAcceptance
    operation: created
    only: {lx: ["1", "2"]}
    map: {caseNo: bh, acceptTime: sj}
  - resource: caseAcceptance
    operation: {from: "@.cz", codes: police.operation}
    only: {"@.ok": true}
    for_each: mx
    sequence: {from: "@.xh"}
    map: {caseNo: "@.bh", acceptTime: {first: ["@.sj", sj]}}
"""
    site = with_files({"intakes/police.change.yaml": text})
    time = "2026-03-01T09:00:00"
    record: dict[str, Any] = {
        "lx": "2",
        "bh": "A0",
        "sj": time,
        "mx": [
            {"ok": True, "cz": "I", "xh": "7", "bh": "A1"},
            {"ok": False, "cz": "?"},
            {"ok": True, "cz": "U", "bh": "A2", "sj": "2026-03-02T09:00:00"},
        ],
    }

    drafts = compile_intake(site.intakes["police.change"], site).drafts(record)

    assert [
        (Operation.CREATED, 0, {"caseNo": "A0", "acceptTime": time}),
        (Operation.CREATED, 7, {"caseNo": "A1", "acceptTime": time}),
        (Operation.UPDATED, 0, {"caseNo": "A2", "acceptTime": "2026-03-02T09:00:00"}),
    ] == [(draft.operation, draft.sequence, draft.body) for draft in drafts]


def test_faults_of_elements_are_told_with_their_numbers() -> None:
    """In a list that makes messages, too."""
    above = 'for_each: mx\n    sequence: "@.xh"'
    with pytest.raises(Rejected) as caught:
        mapped('{caseNo: "@.bh", acceptTime: sj}', {"mx": [{"xh": "x"}]}, above=above)

    assert [
        ("/mx/0/xh", "map.number"),
        ("/mx/0/bh", "map.missing"),
        ("/sj", "map.missing"),
    ] == [(fault.at, fault.code) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("record", "code"), [({"cz": "X"}, "map.code"), ({}, "map.operation"), ({"cz": {}}, "map.code")]
)
def test_a_record_that_tells_no_operation_is_refused(record: dict[str, Any], code: str) -> None:
    """At the field that should have told it."""
    text = """
intake: police.change
publish:
  - resource: caseAcceptance
    operation: {from: cz, codes: police.operation}
    map: {caseNo: no, acceptTime: time}
"""
    site = with_files({"intakes/police.change.yaml": text})

    with pytest.raises(Rejected) as caught:
        compile_intake(site.intakes["police.change"], site).drafts({**RECORD, **record})

    assert [("/cz", code)] == [(fault.at, fault.code) for fault in caught.value.faults]


def test_a_date_gives_the_order_of_a_record() -> None:
    """Milliseconds since 1970: a later change has a greater number."""
    above = "sequence: {from: gx, date: '%Y-%m-%d %H:%M:%S'}"
    (draft,) = mapped(f"{{{NEEDED}}}", {**RECORD, "gx": "1970-01-01 08:00:01"}, above=above)

    assert 1000 == draft.sequence


def test_a_record_nobody_declared_is_refused_not_dropped() -> None:
    """Every message is accounted for: what leads to nothing is told."""
    with pytest.raises(Rejected) as caught:
        mapped(f"{{{NEEDED}}}", RECORD, above='only: {lx: "1"}')

    assert [("", "map.nothing")] == [(f.at, f.code) for f in caught.value.faults]


def test_a_record_of_no_interest_is_ignored_where_that_is_declared() -> None:
    """``otherwise: ignore`` says it is meant."""
    text = """
intake: police.quiet
otherwise: ignore
publish:
  - {resource: caseAcceptance, operation: created, only: {lx: "1"}, map: {caseNo: a}}
"""
    site = with_files({"intakes/police.quiet.yaml": text})

    assert [] == compile_intake(site.intakes["police.quiet"], site).drafts({"lx": "2"})


def test_an_empty_list_leads_to_no_message() -> None:
    """There is nothing to tell of it."""
    empties: list[dict[str, Any]] = [{"mx": []}, {"mx": None}, {}]
    for empty in empties:
        assert [] == mapped('{caseNo: "@.bh"}', empty, above="for_each: mx")


@pytest.mark.parametrize("body", [None, 1, "x", [], [{}]])
def test_a_record_that_is_no_object_is_refused(body: Any) -> None:
    """Whatever the edge let through."""
    intake = compile_intake(declared().intakes["police.acceptance"], declared())

    with pytest.raises(Rejected) as caught:
        intake.drafts(body)

    assert [("", "map.type")] == [(fault.at, fault.code) for fault in caught.value.faults]


def test_an_item_of_the_body_is_traced_to_the_partners_record() -> None:
    """So that what the validator finds is told in the partner's own words."""
    text = """
intake: police.change
publish:
  - resource: caseAcceptance
    operation: created
    for_each: mx
    map:
      caseNo: "@.bh"
      acceptTime: sj
      Place.regionCode: {first: ["@.qh", qh]}
      stepNo: {const: 1}
      supplementMaterial: {list: "@.bz"}
      Material: {each: "@.cl", map: {materialName: "@.mc", copies: {const: 1}}}
"""
    site = with_files({"intakes/police.change.yaml": text})
    intake = compile_intake(site.intakes["police.change"], site)
    record: dict[str, Any] = {"sj": "x", "mx": [{"bh": "A1"}, {"bh": "A2", "cl": [{"mc": "a"}]}]}

    draft = intake.drafts(record)[1]

    assert "/mx/1/bh" == intake.place(draft, "/caseNo")
    assert "/sj" == intake.place(draft, "/acceptTime")
    assert "/mx/1/qh" == intake.place(draft, "/Place/regionCode")
    assert "/mx/1/bz/3" == intake.place(draft, "/supplementMaterial/3")
    assert "/mx/1/cl/0/mc" == intake.place(draft, "/Material/0/materialName")
    assert "/mx/1/cl/0" == intake.place(draft, "/Material/0/unheardOf")
    assert "/mx/1" == intake.place(draft, "/unheardOf")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{resource: nothing, operation: created, map: {a: b}}", "lint.unknown-resource"),
        (
            "{resource: caseAcceptance, operation: created, map: {a: {from: b, codes: no.table}}}",
            "lint.unknown-table",
        ),
        (
            "{resource: caseAcceptance, operation: created, map: {a: $.source}}",
            "lint.envelope-in-intake",
        ),
        (
            "{resource: caseAcceptance, operation: created, only: {$.source: a}, map: {a: b}}",
            "lint.envelope-in-intake",
        ),
    ],
)
def test_what_cannot_be_compiled_is_told(text: str, code: str) -> None:
    """As a fault of the declarations, before anything runs."""
    site = with_files({"intakes/police.b.yaml": f"intake: police.b\npublish: [{text}]"})

    with pytest.raises(Misconfigured) as caught:
        compile_intake(site.intakes["police.b"], site)

    assert code == caught.value.code
