"""A canonical message is filtered, put in the target's words, or refused with its faults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from routes.route import CompiledRoute, compile_route
from schemas.errors import Misconfigured, Rejected
from schemas.message import Message, MessageId, Operation, ResourceName, SystemCode
from tests.routes.a_site import with_files

BODY = {"caseNo": "A1-3", "acceptanceResult": "1", "acceptTime": "2026-03-01T09:05:07"}


def message(body: dict[str, Any], operation: Operation = Operation.CREATED) -> Message:
    return Message(
        id=MessageId("m1"),
        source=SystemCode("police"),
        resource=ResourceName("caseAcceptance"),
        operation=operation,
        subject="A1-3",
        time=datetime(2026, 3, 1, 1, 5, 7, tzinfo=UTC),
        region="130102",
        sequence=4,
        dataschema="307013/000000/1",
        digest="",
        traceparent="",
        body=body,
    )


def routes(to: str, above: str = "", streams: str = "[caseAcceptance]") -> list[CompiledRoute]:
    text = f"route: try\nfrom: {streams}\n{above}\nto: {to}\nretry: [500ms, 1m]"
    site = with_files({"routes/try.yaml": text})
    return list(compile_route(site.routes["try"], site))


def payload(values: str, body: dict[str, Any], above: str = "") -> Any:
    (route,) = routes(f"[{{system: city, call: c, map: {values}}}]", above)
    return route.payload(message({**BODY, **body}))


@pytest.mark.parametrize(
    ("values", "body", "expected"),
    [
        ("{no: caseNo}", {}, {"no": "A1-3"}),
        ("{head.no: caseNo, head.by: {const: hub}}", {}, {"head": {"no": "A1-3", "by": "hub"}}),
        ("{a.b.c: issueDate, d: caseNo}", {}, {"d": "A1-3"}),  # an object of nothing is left out
        ("{t: {from: acceptTime, date: '%Y%m%d%H%M%S'}}", {}, {"t": "20260301090507"}),
        (
            "{t: {from: issueDate, date: '%Y/%m/%d'}}",
            {"issueDate": "2026-03-01"},
            {"t": "2026/03/01"},
        ),
        ("{t: {from: acceptTime, date: iso}}", {}, {"t": "2026-03-01T09:05:07+08:00"}),
        ("{r: {from: acceptanceResult, codes: police.acceptance}}", {}, {"r": "01"}),
        ("{r: {from: acceptanceResult, codes: police.acceptance, number: {}}}", {}, {"r": 1}),
        ("{fen: {from: amount, number: {times: '100'}}}", {"amount": "12.50"}, {"fen": 1250}),
        (
            "{yuan: {from: amount, number: {places: 2, as: number}}}",
            {"amount": "12.5"},
            {"yuan": 12.5},
        ),
        ("{n: {from: stepNo, number: {as: text}}}", {"stepNo": 3}, {"n": "3"}),
        ("{n: stepNo, c: isCharged}", {"stepNo": 3, "isCharged": False}, {"n": 3, "c": False}),
        ("{item: {split: caseNo, on: '-', take: -1}}", {}, {"item": "3"}),
        ("{key: {join: [$.source, caseNo], with: ':'}}", {}, {"key": "police:A1-3"}),
        (
            "{i: $.id, o: $.operation, r: $.resource, s: $.subject, q: $.sequence, t: $.time}",
            {},
            {
                "i": "m1",
                "o": "created",
                "r": "caseAcceptance",
                "s": "A1-3",
                "q": 4,
                "t": "2026-03-01T09:05:07",
            },
        ),
        ("{d: {from: $.time, date: '%Y%m%d'}}", {}, {"d": "20260301"}),
        (
            "{cls.cl: {each: Material, map: {mc: '@.materialName', h.no: caseNo}}}",
            {"Material": [{"materialName": "a"}, {"materialName": "b"}]},
            {"cls": {"cl": [{"mc": "a", "h": {"no": "A1-3"}}, {"mc": "b", "h": {"no": "A1-3"}}]}},
        ),
        (
            "{cl: {list: supplementMaterial, text: upper}}",
            {"supplementMaterial": ["a", "b"]},
            {"cl": ["A", "B"]},
        ),
        (
            "{qh: {when: [{if: {Place.regionCode: '130102'}, then: {const: CA}}], else: {const: QT}}}",
            {"Place": {"regionCode": "130102"}},
            {"qh": "CA"},
        ),
    ],
)
def test_a_message_is_put_in_the_targets_words(
    values: str, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Names, codes, dates, units and shapes are the target's."""
    assert expected == payload(values, body)


@pytest.mark.parametrize(
    ("values", "body", "expected"),
    [
        ("{n: {from: stepNo, required: true}}", {}, [("/stepNo", "map.missing")]),
        (
            "{r: {from: acceptanceResult, codes: police.acceptance}}",
            {"acceptanceResult": "9"},
            [("/acceptanceResult", "map.code")],
        ),
        (
            "{t: {from: acceptTime, date: iso}}",
            {"acceptTime": "yesterday"},
            [("/acceptTime", "map.date")],
        ),
        ("{x: Place}", {"Place": {"regionCode": "1"}}, [("/Place", "map.type")]),
    ],
)
def test_what_does_not_fit_the_target_is_refused(
    values: str, body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """At its place in the canonical body."""
    with pytest.raises(Rejected) as caught:
        payload(values, body)

    assert expected == [(fault.at, fault.code) for fault in caught.value.faults]


def test_a_fault_of_a_route_names_the_element() -> None:
    """In both languages, by the catalogue."""
    with pytest.raises(Rejected) as caught:
        payload("{n: {from: stepNo, required: true}}", {})

    assert {"field": "stepNo", "name_zh": "办理步骤", "name_en": "step number"} == (
        caught.value.faults[0].facts
    )


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        ('{acceptanceResult: "1"}', {}),
        ('{acceptanceResult: ["1", "2"]}', {"acceptanceResult": "2"}),
        ("{stepNo: 1}", {"stepNo": 1}),
        ("{isCharged: true}", {"isCharged": True}),
        ("{not: {stepNo: 1}}", {}),
        ('{any: [{stepNo: 1}, {acceptanceResult: "1"}]}', {}),
        ("{field: stepNo, exists: true}", {"stepNo": 0}),
        ("{field: stepNo, exists: false}", {}),
        ("{field: stepNo, at_least: 3}", {"stepNo": 3}),
        ("{field: stepNo, at_least: 2, below: 5}", {"stepNo": 4}),
        ("{field: amount, above: 9}", {"amount": "10.50"}),  # as a number, not as a text
        ('{field: acceptTime, at_least: "2026-03-01"}', {}),
        ("{field: caseNo, is: A1-3}", {}),
        ('{field: {split: caseNo, on: "-", take: -1}, in: ["3", "4", "5"]}', {}),
        ('{field: {from: acceptTime, date: "%Y%m%d"}, is: "20260301"}', {}),
        ("{$.operation: created}", {}),
        ("{$.source: police}", {}),
        ('{Place.regionCode: "130102"}', {"Place": {"regionCode": "130102"}}),
        ("{supplementMaterial.0: a}", {"supplementMaterial": ["a"]}),
    ],
)
def test_a_condition_lets_through(condition: str, body: dict[str, Any]) -> None:
    """What it asks for."""
    assert {"no": "A1-3"} == payload("{no: caseNo}", body, f"only: {condition}")


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        ('{acceptanceResult: "2"}', {}),
        ("{acceptanceResult: 1}", {}),  # a text is no number
        ("{stepNo: 1}", {"stepNo": True}),  # nor is true
        ("{isCharged: true}", {"isCharged": 1}),
        ('{acceptanceResult: "1", stepNo: 2}', {"stepNo": 3}),  # all of them
        ("{stepNo: 1}", {}),
        ('{all: [{not: {stepNo: 1}}, {acceptanceResult: "2"}]}', {}),
        ("{field: applicantName, exists: true}", {"applicantName": ""}),
        ("{field: stepNo, above: 3}", {"stepNo": 3}),
        ("{field: stepNo, at_least: 2, below: 5}", {"stepNo": 5}),
        ("{field: stepNo, at_most: 3}", {}),
        ('{field: acceptTime, below: "2026-03-01"}', {}),
        ('{field: {split: caseNo, on: "-", take: -1}, is: "2"}', {}),
        ("{$.operation: [updated, deleted]}", {}),
        ('{Place.regionCode: "130102"}', {"Place": "130102"}),
    ],
)
def test_a_condition_leaves_out(condition: str, body: dict[str, Any]) -> None:
    """All else; what is absent or of another sort does not hold."""
    assert payload("{no: caseNo}", body, f"only: {condition}") is None


def test_a_condition_is_checked_as_it_is_read() -> None:
    """A date without a day is none."""
    with pytest.raises(Misconfigured, match="year, month and day"):
        payload("{no: caseNo}", {}, 'only: {field: {from: acceptTime, date: "%Y%m"}, is: "202603"}')


def test_a_destination_may_ask_more_than_its_route() -> None:
    """Both conditions must hold; each destination is a delivery route of its own."""
    to = """
  - {system: city, call: a, only: {stepNo: 1}, map: {no: caseNo}}
  - {system: police, call: b, map: {bh: caseNo}}
"""
    city, police = routes(to, 'only: {acceptanceResult: "1"}')

    assert ("try.city", "city", "a") == (city.name, city.system, city.call)
    assert ("try.police", "police", "b") == (police.name, police.system, police.call)
    assert city.payload(message(BODY)) is None
    assert {"no": "A1-3"} == city.payload(message({**BODY, "stepNo": 1}))
    assert {"bh": "A1-3"} == police.payload(message(BODY))
    assert police.payload(message({**BODY, "acceptanceResult": "2"})) is None


def test_a_route_is_bound_to_what_it_follows() -> None:
    """One operation of a stream, or all of them; its waits are seconds."""
    (route,) = routes(
        "[{system: city, call: c, map: {no: caseNo}}]",
        streams="[caseAcceptance.updated, caseResult]",
    )

    assert ("caseAcceptance.updated", "caseResult.*") == route.bindings
    assert (0.5, 60.0) == route.retry_s
    assert "try" == route.name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("from: [nothing]\nto: [{system: city, call: c, map: {a: b}}]", "lint.unknown-resource"),
        ("from: [caseResult]\nto: [{system: no, call: c, map: {a: b}}]", "lint.unknown-system"),
        (
            "from: [caseResult]\nto: [{system: city, call: c, map: {a: {from: b, codes: x.y}}}]",
            "lint.unknown-table",
        ),
    ],
)
def test_what_cannot_be_compiled_is_told(text: str, code: str) -> None:
    """As a fault of the declarations, before anything runs."""
    site = with_files({"routes/try.yaml": f"route: try\n{text}"})

    with pytest.raises(Misconfigured) as caught:
        compile_route(site.routes["try"], site)

    assert code == caught.value.code
