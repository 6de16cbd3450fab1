"""Which card a case deserves, day by day (R-B3.3; 行政许可法 articles 32, 42, 45)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from schemas.declarations import parse
from services.supervision.case import CaseFacts
from services.supervision.clock import Limit, Pause
from services.supervision.rules import SupervisionRules, cards
from tests.services.supervision.test_clock import CALENDAR

FILE = Path(__file__).parents[3] / "sites/reference/rules/supervision.yaml"
RULES = parse(FILE.read_text("utf-8"), SupervisionRules, file=FILE.name)
MUCH_LATER = date(2026, 6, 1)


def march(day: int) -> date:
    return date(2026, 3, day)


# Accepted on Monday 2 March: promised until the 9th (5 days), by law until the 16th (10 days).
CASE = CaseFacts(
    applied=march(2), accepted=march(2), promise=Limit(5, "1"), statutory=Limit(10, "1")
)
WAITING = CaseFacts(applied=march(2), promise=Limit(5, "1"), statutory=Limit(10, "1"))
A_WEEK = Pause(march(2), march(9))  # five working days: the 3rd to the 6th, and the 9th


@pytest.mark.parametrize(
    ("case", "today", "given"),
    [
        (CASE, march(5), []),
        (CASE, march(6), ["yellow near"]),  # one working day before the 9th
        (CASE, march(9), ["yellow near"]),
        (CASE, march(10), ["red promised"]),
        (CASE, march(16), ["red promised"]),
        (CASE, march(17), ["black statutory"]),
    ],
)
def test_limits(case: CaseFacts, today: date, given: list[str]) -> None:
    """Near the promise yellow, past it red, past the law black; the gravest alone."""
    assert given == _given(case, today)


@pytest.mark.parametrize(
    ("finished", "given"),
    [(march(9), []), (march(10), ["red promised"]), (march(17), ["black statutory"])],
)
def test_a_finished_case_is_judged_at_its_end(finished: date, given: list[str]) -> None:
    """Whenever one looks."""
    assert given == _given(replace(CASE, finished=finished), MUCH_LATER)


@pytest.mark.parametrize(
    "case",
    [
        replace(CASE, specials=(A_WEEK,)),
        replace(CASE, supplements=(A_WEEK,)),
        replace(CASE, promise=Limit(5, "1", 5), statutory=Limit(10, "1", 5)),
    ],
    ids=["special procedure", "supplement", "extension"],
)
def test_five_days_more_move_both_limits_by_a_week(case: CaseFacts) -> None:
    """What stops the clock, and what is added to it."""
    assert [] == _given(case, march(12))
    assert ["yellow near"] == _given(case, march(16))
    assert ["red promised"] == _given(case, march(17))
    assert ["red promised"] == _given(case, march(23))
    assert ["black statutory"] == _given(case, march(24))


def test_a_pause_that_lasts_stops_the_clock() -> None:
    """No card for the department while the applicant is the one who owes."""
    assert [] == _given(replace(CASE, supplements=(Pause(march(4), None),)), MUCH_LATER)


@pytest.mark.parametrize(
    ("case", "today", "given"),
    [
        (WAITING, march(9), []),
        (WAITING, march(10), ["red accept-in-time"]),
        (replace(WAITING, refused=march(9)), MUCH_LATER, []),
        (replace(WAITING, refused=march(10)), MUCH_LATER, ["red accept-in-time"]),
        # A supplement asked for in time stops this clock, too late it does not save.
        (replace(WAITING, supplements=(Pause(march(9), None),)), MUCH_LATER, []),
        (
            replace(WAITING, supplements=(Pause(march(10), None),)),
            MUCH_LATER,
            ["red accept-in-time"],
        ),
        # Its full reply starts five new days.
        (replace(WAITING, supplements=(Pause(march(9), march(16)),)), march(23), []),
        (
            replace(WAITING, supplements=(Pause(march(9), march(16)),)),
            march(24),
            ["red accept-in-time"],
        ),
    ],
)
def test_acceptance_in_time(case: CaseFacts, today: date, given: list[str]) -> None:
    """Accepted, refused or asked to be supplemented within five working days (article 32)."""
    assert given == _given(case, today)


@pytest.mark.parametrize(("today", "given"), [(march(2), []), (march(3), ["yellow instant"])])
def test_an_instant_case_takes_no_working_day(today: date, given: list[str]) -> None:
    """R-B3.3: warned from the first working day on; being near its limit is no card of its own."""
    assert given == _given(replace(CASE, instant=True, promise=Limit(1, "1")), today)


def test_late_acceptance_and_a_late_end_are_two_cards() -> None:
    """The gravest first."""
    late = replace(CASE, accepted=march(10))

    assert ["black statutory", "red accept-in-time"] == _given(late, march(25))


@pytest.mark.parametrize(
    ("limit", "last"),
    [
        (Limit(8, "2"), march(10)),  # natural days
        (Limit(36, "3"), march(4)),  # hours, rounded up to days
        (Limit(2 * 24 * 60, "4"), march(4)),  # minutes
        (Limit(1, "5"), date(2026, 4, 2)),  # a calendar month
    ],
)
def test_limits_of_other_units(limit: Limit, last: date) -> None:
    """The last day is within, the next one is not."""
    case = replace(CASE, promise=limit, statutory=Limit(60, "1"))

    assert "red promised" not in _given(case, last)
    assert "red promised" in _given(case, date.fromordinal(last.toordinal() + 1))


@pytest.mark.parametrize(
    "case",
    [
        replace(CASE, supplements=(Pause(march(9), march(3)),)),
        replace(CASE, accepted=None, finished=march(9)),
        replace(CASE, finished=date(2026, 2, 27)),
        replace(CASE, promise=None),
        replace(CASE, promise=Limit(5, "9")),
        replace(CASE, promise=Limit(11, "1")),
    ],
    ids=["pause", "not accepted", "ended before", "no limit", "unit", "promise beyond the law"],
)
def test_data_that_contradicts_itself_gives_no_card(case: CaseFacts) -> None:
    """A matter for the data's quality."""
    assert [] == _given(case, MUCH_LATER)


def test_a_card_says_what_it_was_reckoned_from() -> None:
    """Rule and version, days, limit, deadline, and the calendar by which they were counted."""
    (card,) = cards(replace(CASE, specials=(A_WEEK,)), march(17), RULES, CALENDAR)

    assert "supervision.promised/1" == card.rule
    assert {
        "days": 6,
        "paused": 5,
        "limit": 5,
        "unit": "1",
        "extended": 0,
        "deadline": "2026-03-16",
        "calendar": CALENDAR.version,
    } == card.facts


def _given(case: CaseFacts, today: date) -> list[str]:
    found = cards(case, today, RULES, CALENDAR)
    return [f"{card.colour} {card.rule.partition('.')[2].partition('/')[0]}" for card in found]
