"""The course of a case: foretellable, lawful in its order, and spread as the tender's figures need it."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.lifecycle import Case, Course, Kind, course, reply_time
from simulators.workdays import workdays_after

FIRST = datetime.fromisoformat("2026-01-05T08:00:00")


def courses(count: int, *, promised: bool = False) -> list[Course]:
    return [
        course(
            1,
            Case(
                case_no=f"C{n}",
                applied_at=FIRST + timedelta(minutes=n * 37),
                promised=promised,
                posted=bool(n % 2),
            ),
        )
        for n in range(count)
    ]


@given(
    seed=st.integers(0, 2**31),
    case=st.builds(
        Case,
        case_no=st.text(max_size=20),
        applied_at=st.datetimes(FIRST, datetime.fromisoformat("2026-08-31T23:59:59")),
        promised=st.booleans(),
        posted=st.booleans(),
        promise_days=st.integers(1, 20),
        statutory_days=st.integers(1, 30),
    ),
)
@settings(max_examples=150)
def test_whatever_the_case_its_course_is_in_order(seed: int, case: Case) -> None:
    """Times never run backwards, steps follow each other, and each event has a name of its own."""
    drawn = course(seed, case)

    times = [case.applied_at, *(event.at for event in drawn.events)]
    assert sorted(times) == times
    assert len(drawn.events) == len({event.name for event in drawn.events})
    assert list(range(1, len(drawn.events) + 1)) == [event.number for event in drawn.events]
    for step in drawn.steps:
        assert step.started_at <= step.ended_at
    assert [step.ended_at for step in drawn.steps[:-1]] == [
        step.started_at for step in drawn.steps[1:]
    ]
    assert (drawn.licence is not None) == (drawn.result_code == "1")


def test_the_same_seed_and_case_give_the_same_course() -> None:
    """In this process and in every other: a checker elsewhere can foretell it."""
    case = Case(case_no="MS20260000001-1", applied_at=FIRST)

    assert course(1, case) == course(1, case)
    assert course(1, case) != course(2, case)


def test_the_shares_are_about_as_told() -> None:
    """4 % refused, 10 % supplemented, 8 % special procedures, 6 % denied, each within its chance."""
    drawn = courses(2000)
    accepted = [each for each in drawn if each.accepted]

    assert 0.025 < 1 - len(accepted) / len(drawn) < 0.055
    assert 0.08 < sum(each.supplement is not None for each in drawn) / len(drawn) < 0.12
    assert 0.06 < sum(each.special is not None for each in accepted) / len(accepted) < 0.10
    assert 0.045 < sum(not each.granted for each in accepted) / len(accepted) < 0.075


def test_some_end_past_the_promise_and_a_few_past_the_law() -> None:
    """Else no card would ever be shown. Cases whose clock stood still are left aside."""

    def past(each: Course, days: int) -> bool:
        return each.decided_at.date() > workdays_after(each.accepted_at.date(), days)

    plain = [each for each in courses(1500) if each.accepted and not each.special]
    late = sum(past(each, each.case.promise_days) for each in plain) / len(plain)
    unlawful = sum(past(each, each.case.statutory_days) for each in plain) / len(plain)

    assert 0.09 < late < 0.18
    assert 0.015 < unlawful < 0.05


def test_notice_and_promise_is_decided_on_the_spot() -> None:
    """No supplement, no special procedure, one step, the same day."""
    for drawn in courses(300, promised=True):
        assert (None, None) == (drawn.supplement, drawn.special)
        assert drawn.accepted_at.date() == drawn.decided_at.date()
        assert len(drawn.steps) == (1 if drawn.accepted else 0)


def test_only_what_follows_a_supplement_notice_waits() -> None:
    """And the reply comes after the notice and before what waits for it."""
    drawn = next(each for each in courses(100) if each.supplement)
    assert drawn.supplement

    replied_at = reply_time(1, drawn.case.case_no, 1, drawn.supplement.at)
    assert Kind.SUPPLEMENT_ASKED == drawn.events[0].kind
    assert [False, True] == [each.waits_for_reply for each in drawn.events[:2]]
    assert drawn.supplement.at < replied_at < drawn.events[1].at


def test_no_two_licences_of_an_item_have_the_same_number() -> None:
    """Six digits drawn by chance would meet again after some hundred cases."""
    drawn = [course(1, Case(case_no=f"MS2026{n:07}-3", applied_at=FIRST)) for n in range(3000)]
    serials = [each.licence.serial for each in drawn if each.licence]

    assert len(serials) == len(set(serials))


def test_a_parcel_is_sent_before_it_arrives_and_a_visitor_comes_once() -> None:
    """By post two events, at the hall one; nothing without a grant."""
    for drawn in courses(200):
        kinds = Counter(each.kind for each in drawn.events)
        posted = int(drawn.granted and drawn.case.posted)
        assert (posted, int(drawn.granted)) == (kinds[Kind.SENT], kinds[Kind.RECEIVED])


@pytest.mark.parametrize(
    ("day", "days", "there"),
    [
        # The official calendar of 2026: 14 February is a working Saturday before the holidays.
        ("2026-02-10", 5, "2026-02-24"),
        ("2026-04-29", 5, "2026-05-09"),
        ("2026-09-28", 20, "2026-10-30"),
        ("2026-05-01", 0, "2026-05-06"),
    ],
)
def test_working_days_are_the_official_ones(day: str, days: int, there: str) -> None:
    """The examples of the requirement's own reckoning."""
    assert date.fromisoformat(there) == workdays_after(date.fromisoformat(day), days)


def test_authorities_work_in_office_hours() -> None:
    """Acceptance and decision fall on working days, between opening and closing, give or take."""
    for drawn in courses(300):
        if drawn.accepted_at - drawn.case.applied_at > timedelta(hours=2):
            assert drawn.accepted_at.date() == workdays_after(drawn.accepted_at.date(), 0)
            assert time(8, 0) <= drawn.accepted_at.time() <= time(18, 30)
