"""What is known of a case, gathered from messages that come late, repeated and out of order."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supervision.case import CaseFacts, doubt, facts_of, merged
from services.supervision.clock import Limit, Pause

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
    ("caseSupplement", {"supplementNo": 1, "replyTime": "2026-03-05T09:00:00"}),
    (
        "caseSpecialProcedure",
        {
            "specialNo": 1,
            "specialTypeCode": "1",
            "startTime": "2026-03-06T09:00:00",
            "extendedDays": 5,
        },
    ),
    (
        "caseSpecialProcedure",
        {"specialNo": 2, "specialTypeCode": "2", "startTime": "2026-03-09T09:00:00"},
    ),
    (
        "caseSpecialProcedure",
        {"specialNo": 2, "specialTypeCode": "2", "endTime": "2026-03-10T18:00:00"},
    ),
    ("caseResult", {"endTime": "2026-03-12T09:00:00", "resultCode": "1"}),
]
KNOWN = CaseFacts(
    applied=date(2026, 3, 1),
    accepted=date(2026, 3, 2),
    finished=date(2026, 3, 12),
    promise=Limit(5, "1", 5),
    statutory=Limit(10, "1", 5),
    supplements=(Pause(date(2026, 3, 3), date(2026, 3, 5)),),
    specials=(Pause(date(2026, 3, 9), date(2026, 3, 10)),),
)


@given(st.randoms(use_true_random=False))
def test_the_order_of_messages_is_no_matter(rng: random.Random) -> None:
    """Late, repeated, shuffled: the same facts."""
    shuffled = [*MESSAGES, *rng.sample(MESSAGES, 4)]
    rng.shuffle(shuffled)

    assert KNOWN == _known(shuffled)


@given(st.randoms(use_true_random=False))
def test_of_two_that_differ_the_same_one_is_kept(rng: random.Random) -> None:
    """A corrected acceptance: the later one counts, whichever comes first."""
    first = ("caseAcceptance", {"acceptTime": "2026-03-02T09:00:00", "acceptanceResult": "1"})
    later = ("caseAcceptance", {"acceptTime": "2026-03-04T09:00:00", "acceptanceResult": "2"})
    both = [first, later]
    rng.shuffle(both)

    found = _known(both)

    assert (None, date(2026, 3, 4)) == (found.accepted, found.refused)


def test_a_refused_case_is_closed() -> None:
    """不予受理 ends it; nothing else does but a result."""
    waiting = _known(MESSAGES[:1])
    refused = replace(waiting, refused=date(2026, 3, 2))

    assert (True, False, False) == (waiting.is_open, refused.is_open, KNOWN.is_open)


DAY = date(2026, 3, 5)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (KNOWN, ""),
        (CaseFacts(), ""),
        (replace(KNOWN, specials=(Pause(DAY, date(2026, 3, 4)),)), "pause"),
        (replace(KNOWN, accepted=None), "not-accepted"),
        (replace(KNOWN, finished=date(2026, 3, 1)), "ended-before"),
        (replace(KNOWN, statutory=None), "limit"),
        (replace(KNOWN, promise=Limit(5, "7")), "limit"),
        (replace(KNOWN, promise=Limit(11, "1")), "promise"),
    ],
)
def test_what_contradicts_itself_is_named(case: CaseFacts, code: str) -> None:
    """One code each, for the data-quality review."""
    assert (f"supervision.doubt.{code}" if code else "") == doubt(case)


def _known(messages: list[tuple[str, dict[str, Any]]]) -> CaseFacts:
    kept: dict[str, Any] = {}
    for resource, body in messages:
        kept = merged(kept, resource, body)
    return facts_of(kept)
