"""Which card a case deserves: a table, and the property that the order of messages is no matter."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declarations import parse
from services.supervision.clock import Limit, Pause
from services.supervision.rules import CaseFacts, SupervisionRules, cards, facts_of, merged
from tests.services.supervision.test_clock import CALENDAR

FILE = Path(__file__).parents[3] / "sites/reference/rules/supervision.yaml"
RULES = parse(FILE.read_text("utf-8"), SupervisionRules, file=FILE.name)
# Accepted on Monday 2 March: promised until the 9th (5 days), by law until the 16th (10 days).
CASE = CaseFacts(
    applied=date(2026, 3, 2),
    accepted=date(2026, 3, 2),
    promise=Limit(5, "1"),
    statutory=Limit(10, "1"),
)


@pytest.mark.parametrize(
    ("case", "today", "colour", "rule"),
    [
        (CASE, date(2026, 3, 5), None, None),
        (CASE, date(2026, 3, 6), "yellow", "near"),  # one working day before the 9th
        (CASE, date(2026, 3, 9), "yellow", "near"),
        (CASE, date(2026, 3, 10), "red", "promised"),
        (CASE, date(2026, 3, 16), "red", "promised"),
        (CASE, date(2026, 3, 17), "black", "statutory"),
        (replace(CASE, finished=date(2026, 3, 9)), date(2026, 6, 1), None, None),
        (replace(CASE, finished=date(2026, 3, 10)), date(2026, 6, 1), "red", "promised"),
        (replace(CASE, finished=date(2026, 3, 17)), date(2026, 6, 1), "black", "statutory"),
        # Five working days of pause move both limits by a week.
        (
            replace(CASE, pauses=(Pause(date(2026, 3, 2), date(2026, 3, 9)),)),
            date(2026, 3, 17),
            "red",
            "promised",
        ),
        (replace(CASE, extended_days=5), date(2026, 3, 17), "red", "promised"),
        # No decision on acceptance within five working days of the application.
        (CaseFacts(applied=date(2026, 3, 2)), date(2026, 3, 9), None, None),
        (CaseFacts(applied=date(2026, 3, 2)), date(2026, 3, 10), "red", "accept-in-time"),
        (
            CaseFacts(applied=date(2026, 3, 2), supplement_open=True),
            date(2026, 3, 10),
            None,
            None,
        ),
        (CaseFacts(applied=date(2026, 3, 2), refused=True), date(2026, 6, 10), None, None),
        (replace(CASE, instant=True), date(2026, 3, 2), None, None),
        (replace(CASE, instant=True), date(2026, 3, 3), "yellow", "instant"),
        # Finished before it was accepted: a matter for the data-quality review, not for a card.
        (replace(CASE, finished=date(2026, 3, 1)), date(2026, 6, 1), None, None),
    ],
)
def test_the_card_of_a_case(
    case: CaseFacts, today: date, colour: str | None, rule: str | None
) -> None:
    """Near, past the promise, past the law; acceptance; instant cases; pauses and extensions."""
    given_cards = cards(case, today, RULES, CALENDAR)

    if colour is None:
        assert () == given_cards
    else:
        (card,) = given_cards
        assert (colour, f"supervision.{rule}/1") == (card.colour, card.rule)
        assert CALENDAR.version == card.facts["calendar"]


MESSAGES: list[tuple[str, dict[str, Any]]] = [
    (
        "itemCase",
        {
            "applyTime": "2026-03-01T09:00:00",
            "promiseLimit": 5,
            "promiseUnit": "1",
            "statutoryLimit": 10,
            "statutoryUnit": "1",
            "projectTypeCode": "2",
        },
    ),
    ("caseAcceptance", {"acceptTime": "2026-03-02T09:00:00", "acceptanceResult": "1"}),
    ("caseSupplement", {"supplementNo": 1, "noticeTime": "2026-03-03T09:00:00"}),
    (
        "caseSupplement",
        {
            "supplementNo": 1,
            "noticeTime": "2026-03-03T09:00:00",
            "replyTime": "2026-03-05T09:00:00",
        },
    ),
    (
        "caseSpecialProcedure",
        {
            "specialNo": 1,
            "specialTypeCode": "1",
            "startTime": "2026-03-06T09:00:00",
            "extendedDays": 5,
        },
    ),
    ("caseResult", {"endTime": "2026-03-12T09:00:00", "resultCode": "1"}),
]


@given(st.randoms(use_true_random=False))
def test_the_order_of_messages_is_no_matter(rng: random.Random) -> None:
    """Late, repeated, shuffled: the same dates, so the same card."""
    shuffled = [*MESSAGES, *rng.sample(MESSAGES, 3)]
    rng.shuffle(shuffled)
    kept: dict[str, Any] = {}
    for resource, body in shuffled:
        kept = merged(kept, resource, body)

    assert CaseFacts(
        applied=date(2026, 3, 1),
        accepted=date(2026, 3, 2),
        finished=date(2026, 3, 12),
        promise=Limit(5, "1"),
        statutory=Limit(10, "1"),
        extended_days=5,
        pauses=(Pause(date(2026, 3, 3), date(2026, 3, 5)),),
    ) == facts_of(kept)
