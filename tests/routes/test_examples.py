"""Examples kept beside the declarations are run, and what differs is told item by item."""

from __future__ import annotations

import pytest

from routes.examples import run
from tests.routes.a_site import FILES, declared, with_files

INTAKE = "intakes/police.acceptance.yaml"
ROUTE = "routes/acceptances-to-city.yaml"


def differences(file: str, old: str, new: str) -> list[str]:
    assert old in FILES[file]
    outcomes = run(with_files({file: FILES[file].replace(old, new)}))
    return [difference for each in outcomes for difference in each.differences]


def test_the_examples_of_a_good_site_pass() -> None:
    """One of the intake, one of the route."""
    assert [
        ("intake police.acceptance", "an acceptance", True),
        ("route acceptances-to-city", "an acceptance", True),
    ] == [(each.declaration, each.example, each.passed) for each in run(declared())]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'acceptanceResult: "1", acc',
            'acceptanceResult: "2", acc',
            "/0/body/acceptanceResult: expected '2', found '1'",
        ),
        (
            "body: {caseNo: A1, ",
            "body: {stepNo: 1, caseNo: A1, ",
            "/0/body/stepNo: expected 1, is not there",
        ),
        ("body: {caseNo: A1, ", "body: {", "/0/body/caseNo: not expected, found 'A1'"),
        (
            "operation: created\n        body",
            "operation: updated\n        body",
            "/0/operation: expected 'updated', found 'created'",
        ),
        (
            "        operation: created\n",
            "        operation: created\n        sequence: 3\n",
            "/0/sequence: expected 3, found 0",
        ),
        ("20260301090000", "20260230090000", "/slsj: refused: "),
        ("    expect:", "    expect: []\n    # ", "/0: not expected, found "),
    ],
)
def test_what_differs_is_told(old: str, new: str, told: str) -> None:
    """With its place, what was expected and what was found."""
    text = FILES[INTAKE]
    if new.startswith("    expect: []"):
        text = text[: text.index("    expect:")] + "    expect: []\n"
        outcomes = run(with_files({INTAKE: text}))
        found = [difference for each in outcomes for difference in each.differences]
    else:
        found = differences(INTAKE, old, new)

    assert 1 == len(found)
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{no: A1, at", "{no: A2, at", "/city/no: expected 'A2', found 'A1'"),
        (
            "expect: {city: {no: A1, at: 2026/03/01}}",
            "expect: left out",
            "/city: expected to be left out, was delivered ",
        ),
        (
            "expect: {city: ",
            "expect: {police: {a: b}, city: ",
            "/police: expected a delivery, the route does not go there",
        ),
        (
            'caseNo: A1, acceptanceResult: "1"',
            'caseNo: A1, acceptanceResult: "2"',
            "/city: expected a delivery, it was left out",
        ),
        (
            "      operation: created",
            "      operation: deleted",
            "the route does not follow caseAcceptance.deleted",
        ),
        ("2026-03-01T09", "2026-02-30T09", "/acceptTime: refused: "),
    ],
)
def test_what_differs_in_a_route_is_told(old: str, new: str, told: str) -> None:
    """By system and item."""
    (found,) = differences(ROUTE, old, new)

    assert found.startswith(told)


def test_a_refusal_may_be_what_is_expected() -> None:
    """With exactly its faults."""
    refused = """
  - name: no such day
    given: {ywlsh: A1, slsj: "20260230090000"}
    refused: [{at: /slsj, code: map.date}]
  - name: more is wrong than expected
    given: {slsj: "20260230090000"}
    refused: [{at: /slsj, code: map.code}]
  - name: nothing is wrong
    given: {ywlsh: A1, slsj: "20260301090000"}
    refused: [{at: /slsj, code: map.date}]
"""
    outcomes = run(with_files({INTAKE: FILES[INTAKE] + refused.lstrip("\n")}))

    assert [
        (),
        (),
        (
            "/slsj: expected the fault map.code, which was not found",
            "/slsj: found the fault map.date, which was not expected",
            "/ywlsh: found the fault map.missing, which was not expected",
        ),
        ("expected to be refused, made 1 messages",),
        (),
    ] == [each.differences for each in outcomes]


def test_what_cannot_be_compiled_fails_all_its_examples() -> None:
    """And says why."""
    found = differences(INTAKE, "codes: police.acceptance", "codes: police.nothing")

    assert 1 == len(found)
    assert "police.nothing" in found[0]
