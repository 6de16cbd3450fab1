"""When a table may be read, and how much of it in a minute."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from front_db.profile import ReadTable
from front_db.windows import BEIJING, Rate, is_open, opens_at

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("hours", "clock", "opened"),
    [
        ((), "12:00", True),
        (("08:00-12:00",), "11:59", True),
        (("08:00-12:00",), "12:00", False),
        (("22:00-06:00",), "23:30", True),
        (("22:00-06:00",), "05:59", True),
        (("22:00-06:00",), "06:00", False),
        (("12:00-13:30", "22:00-06:00"), "13:00", True),
    ],
)
def test_hours_are_beijings_and_may_go_over_midnight(
    hours: tuple[str, ...], clock: str, *, opened: bool
) -> None:
    """Wherever the hub's own clock says it is."""
    hour, minute = map(int, clock.split(":"))
    at = NOON.replace(hour=hour, minute=minute)
    assert opened is is_open(hours, at)
    assert opened is is_open(hours, at.astimezone(tz=None))


def test_the_next_opening_is_told() -> None:
    """Today where there is one still, else tomorrow."""
    assert NOON.replace(hour=22) == opens_at(("06:00-07:00", "22:00-23:00"), NOON)
    assert NOON.replace(hour=6, day=3) == opens_at(("06:00-07:00",), NOON)
    assert opens_at((), NOON) == NOON


@pytest.mark.parametrize("wrong", ["25:00-06:00", "6-7", "08:00-08:00", "08:00"])
def test_what_is_no_time_of_day_is_told_when_the_profile_is_read(wrong: str) -> None:
    """Not at night."""
    with pytest.raises(ValidationError):
        ReadTable.model_validate({"table": "t", "kind": "k", "hours": [wrong]})


def test_a_rate_lets_no_more_pass_than_agreed() -> None:
    """What was not used is kept for a minute; a clock that goes back gives nothing."""
    rate = Rate(60)
    assert 60 == rate.left(NOON)
    rate.used(60)
    assert 0 == rate.left(NOON)
    assert 10 == rate.left(NOON + timedelta(seconds=10))
    assert 10 == rate.left(NOON)
    assert 60 == rate.left(NOON + timedelta(hours=3))
