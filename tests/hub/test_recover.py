"""The verdict on a failed delivery, as a table."""

from __future__ import annotations

import pytest

from hub.recover import Halt, Park, RetryIn, Verdict, faults_of, verdict
from schemas.errors import Fault, Misconfigured, Rejected, Transient

LADDER = (10.0, 60.0)
busy = Transient("target.busy", "Busy")
asked = Transient("target.busy", "Busy", after_s=30)
refused = Rejected("item.domain", "Not a region", at="/region")
denied = Misconfigured("target.denied", "Wrong key")


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        (busy, 1, RetryIn(10, "target.busy")),
        (busy, 2, RetryIn(60, "target.busy")),
        (busy, 3, Park("target.busy")),  # the ladder is used up
        (asked, 1, RetryIn(30, "target.busy")),  # the other side knows better
        (asked, 2, RetryIn(60, "target.busy")),
        (refused, 1, Park("item.domain")),
        (denied, 1, Halt("target.denied")),
        (denied, 9, Halt("target.denied")),  # messages wait, whatever their attempts
        (ZeroDivisionError(), 1, RetryIn(10, "hub.bug")),
        (ZeroDivisionError(), 3, Park("hub.bug")),
    ],
)
def test_verdict(error: Exception, attempt: int, expected: Verdict) -> None:
    """Kind, attempt and ladder decide; nothing else."""
    assert expected == verdict(error, attempt, LADDER)


def test_a_bug_shows_its_type_and_never_its_text() -> None:
    """The text of a foreign exception may quote a citizen."""
    error = ValueError("130102199001011234 is not a number")

    assert (Fault("hub.bug", "", {"error": "ValueError"}),) == faults_of(error)
