"""The working-day clock against the law's rules and the official calendar of 2026 (R-B3.3)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import pytest

from schemas.calendar import read_calendars
from schemas.errors import Misconfigured
from services.supervision.clock import Limit, Pause, deadline, elapsed, paused

FOLDER = Path(__file__).parents[3] / "sites/reference/calendars"
CALENDAR = read_calendars({p.name: p.read_text("utf-8") for p in sorted(FOLDER.glob("*.yaml"))})


def test_the_calendar_is_the_official_one() -> None:
    """Every day of every declared year, against a package of its own."""
    for year in CALENDAR.years:
        day = date(year, 1, 1)
        while day.year == year:
            assert chinese_calendar.is_workday(day) == CALENDAR.is_working(day), day
            day += timedelta(days=1)


def test_a_year_that_is_not_loaded_is_told() -> None:
    """No guess: the holidays of that year are not known."""
    with pytest.raises(Misconfigured) as caught:
        CALENDAR.after(date(2026, 12, 25), 20)

    assert ("calendar.year-missing", 2027) == (caught.value.code, caught.value.facts["year"])


@pytest.mark.parametrize(
    ("accepted", "days", "due"),
    [
        (date(2026, 2, 10), 5, date(2026, 2, 24)),  # 14 February is a working Saturday
        (date(2026, 9, 28), 20, date(2026, 10, 30)),
        (date(2026, 4, 29), 5, date(2026, 5, 9)),
    ],
)
def test_a_limit_ends_on_its_day(accepted: date, days: int, due: date) -> None:
    """Day 0 is the day of acceptance; the limit ends with its n-th working day."""
    assert due == deadline(accepted, Limit(days, "1"), (), due, CALENDAR)
    assert days == elapsed(accepted, due, (), CALENDAR)


def test_overlapping_pauses_count_once() -> None:
    """A hearing within a supplement stops the clock no more than once."""
    start, until = date(2026, 3, 2), date(2026, 3, 13)
    pauses = [Pause(date(2026, 3, 3), date(2026, 3, 6)), Pause(date(2026, 3, 5), date(2026, 3, 9))]

    assert 4 == paused(pauses, start, until, CALENDAR)  # 4, 5, 6 and 9 March
    assert 9 - 4 == elapsed(start, until, pauses, CALENDAR)
    assert date(2026, 3, 13) == deadline(start, Limit(5, "1"), pauses, until, CALENDAR)


def test_a_pause_without_an_end_still_lasts() -> None:
    """Until the applicant answers, no day counts."""
    pauses = [Pause(date(2026, 3, 3), None)]

    assert 1 == elapsed(date(2026, 3, 2), date(2026, 3, 20), pauses, CALENDAR)


def test_calendar_days_and_months_are_other_units() -> None:
    """Natural days run through holidays; a month ends on its day, or its last (民法典 article 202)."""
    start = date(2026, 2, 10)

    assert date(2026, 2, 20) == deadline(start, Limit(10, "2"), (), start, CALENDAR)
    assert date(2026, 3, 10) == deadline(start, Limit(1, "5"), (), start, CALENDAR)
    end = date(2026, 1, 31)
    assert date(2026, 2, 28) == deadline(end, Limit(1, "5"), (), end, CALENDAR)
