"""One-thing's rules as tables, and the property that joining does not depend on order (R-B1)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declarations import parse
from schemas.errors import Rejected
from schemas.identifiers import Verdict, check_uscc
from services.one_thing.rules import (
    ItemView,
    OneThingRules,
    accepted_case,
    application_state,
    item_cases,
    merged,
    view,
)

FILE = Path(__file__).parents[3] / "sites/reference/rules/guest-house.yaml"
RULES = parse(FILE.read_text(encoding="utf-8"), OneThingRules, file=FILE.name)
REPORTS: list[tuple[str, dict[str, Any]]] = [
    (
        "caseAcceptance",
        {
            "caseNo": "A-1",
            "acceptanceResult": "1",
            "acceptOrgName": "市公安局",
            "acceptTime": "2026-03-02T09:00:00",
        },
    ),
    ("caseStep", {"caseNo": "A-1", "stepNo": 1, "stepName": "审查", "stepState": "1"}),
    (
        "caseStep",
        {
            "caseNo": "A-1",
            "stepNo": 1,
            "stepName": "审查",
            "stepState": "2",
            "stepEndTime": "2026-03-04T10:00:00",
            "stepResult": "1",
        },
    ),
    (
        "caseSupplement",
        {"caseNo": "A-1", "supplementNo": 1, "noticeTime": "2026-03-03T09:00:00"},
    ),
    (
        "caseSupplement",
        {
            "caseNo": "A-1",
            "supplementNo": 1,
            "noticeTime": "2026-03-03T09:00:00",
            "replyTime": "2026-03-03T15:00:00",
        },
    ),
    (
        "caseSpecialProcedure",
        {"caseNo": "A-1", "specialNo": 1, "startTime": "2026-03-04T09:00:00"},
    ),
    (
        "caseSpecialProcedure",
        {
            "caseNo": "A-1",
            "specialNo": 1,
            "startTime": "2026-03-04T09:00:00",
            "endTime": "2026-03-05T09:00:00",
        },
    ),
    ("caseResult", {"caseNo": "A-1", "resultCode": "1", "endTime": "2026-03-06T09:00:00"}),
    (
        "electronicLicence",
        {"caseNo": "A-1", "licenceNumber": "特旅0001", "issueDate": "2026-03-06"},
    ),
    ("resultDispatch", {"caseNo": "A-1", "deliveryMode": "2", "dispatchState": "2"}),
    (
        "resultDispatch",
        {
            "caseNo": "A-1",
            "deliveryMode": "2",
            "dispatchState": "3",
            "receiveTime": "2026-03-08T09:00:00",
        },
    ),
]


def an_application(*chosen: tuple[str, str]) -> dict[str, Any]:
    return {
        "applicationNo": "A",
        "applicantName": "测试旅店",
        "applicantType": "2",
        "certTypeCode": "001",
        "certNumber": "91130100000000001X",
        "mobileNumber": "13800000000",
        "premisesName": "测试民宿",
        "address": "石家庄市长安区测试路1号",
        "regionCode": "130102",
        "applyTime": "2026-03-01T09:00:00",
        "applySource": "2",
        "deliveryMode": "1",
        "ChosenItem": [{"catalogCode": code, "handlingMode": mode} for code, mode in chosen],
    }


def joined(reports: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for resource, body in reports:
        facts = merged(facts, resource, body)
    return facts


def test_an_application_is_split_into_its_items() -> None:
    """One case for each chosen item, numbered as the item, with the item's limits."""
    first, second = item_cases(an_application(("000109001000", "1"), ("000195007000", "2")), RULES)

    assert ("A-1", "A-7") == (first["caseNo"], second["caseNo"])
    assert ("1", 10, "1", 20) == (
        first["handlingMode"],
        first["promiseLimit"],
        first["promiseUnit"],
        first["statutoryLimit"],
    )
    assert "ChosenItem" not in first


def test_an_item_chosen_twice_is_one_case() -> None:
    """A double click in a form is no second case."""
    cases = item_cases(an_application(("000109001000", "1"), ("000109001000", "1")), RULES)

    assert ["A-1"] == [case["caseNo"] for case in cases]


@pytest.mark.parametrize(
    ("chosen", "at", "code"),
    [
        (("999999999999", "1"), "/ChosenItem/1/catalogCode", "one-thing.unknown-item"),
        (("000131023000", "1"), "/ChosenItem/1/handlingMode", "one-thing.mode"),
    ],
)
def test_what_cannot_be_chosen_is_named(chosen: tuple[str, str], at: str, code: str) -> None:
    """An unknown item, and promise handling where the item knows the general procedure only."""
    with pytest.raises(Rejected) as caught:
        item_cases(an_application(("000109001000", "1"), chosen), RULES)

    assert [(at, code)] == [(fault.at, fault.code) for fault in caught.value.faults]


@given(st.randoms(use_true_random=False), st.integers(0, 20))
def test_joining_is_free_of_order_and_repeats(rng: random.Random, repeats: int) -> None:
    """Reports late, repeated, in any order: the same item in the end."""
    shuffled = [*REPORTS, *(rng.choice(REPORTS) for _ in range(repeats))]
    rng.shuffle(shuffled)

    assert joined(REPORTS) == joined(shuffled)
    assert ItemView("6", "1", "特旅0001", "3") == view(joined(shuffled))


@pytest.mark.parametrize(
    ("count", "state"),
    [(0, "1"), (1, "2"), (2, "3"), (3, "3"), (4, "4"), (5, "3"), (6, "5"), (7, "3"), (8, "6")],
)
def test_an_item_goes_through_its_states(count: int, state: str) -> None:
    """Sent out, accepted, in hand, supplement asked and answered, special procedure, granted."""
    assert state == view(joined(REPORTS[:count])).state


def test_a_refused_item_is_finished() -> None:
    """Not accepted, or denied: nothing more to wait for."""
    refused = merged({}, "caseAcceptance", {"acceptanceResult": "2", "acceptTime": "t"})
    denied = merged({}, "caseResult", {"resultCode": "2", "endTime": "t"})

    assert ("7", True) == (view(refused).state, view(refused).finished)
    assert "7" == view(denied).state


@pytest.mark.parametrize(
    ("states", "expected"),
    [("66", "2"), ("67", "3"), ("77", "4"), ("63", "1"), ("1", "1")],
)
def test_an_application_is_the_sum_of_its_items(states: str, expected: str) -> None:
    """All granted, partly, none; under way while one is."""
    assert expected == application_state([ItemView(state) for state in states])


def test_an_accepted_case_joins_both_halves() -> None:
    """What the provincial library wants of applicant and acceptance; the body's code by rule."""
    (case,) = item_cases(an_application(("000109001000", "1")), RULES)

    accepted = accepted_case(case, joined(REPORTS[:1]), RULES)

    assert accepted is not None
    assert ("测试旅店", "2026-03-02T09:00:00") == (
        accepted["applicantName"],
        accepted["acceptTime"],
    )
    assert Verdict.FINE is check_uscc(accepted["acceptOrgCode"])
    assert accepted_case(case, {}, RULES) is None


def test_the_items_codes_are_well_formed() -> None:
    """Implementation code: 18 of the body, level, 12 of the item (GB/T 39554.1)."""
    assert [1, 2, 3, 4, 5, 6, 7] == [item.number for item in RULES.items]
    for item in RULES.items:
        assert Verdict.FINE is check_uscc(item.org_code)
        assert (item.org_code, item.catalog_code) == (item.task_code[:18], item.task_code[19:])
        assert item.promise_limit <= item.statutory_limit
