"""Figures and times as they are written on pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from web import show

AT = datetime(2026, 11, 20, 17, 3, 21, 42_900, tzinfo=UTC)


def test_times_are_beijing_times() -> None:
    """17:03 UTC is past one in the morning of the next day in Beijing (UTC+8)."""
    assert "01:03:21" == show.clock(AT)
    assert "11-21 01:03:21" == show.moment(AT)
    assert "01:03:21.042" == show.instant(AT)
    assert "2026-11-21 01:03:21.042" == show.stamp(AT)


def test_the_day_begins_at_beijing_midnight() -> None:
    """Which is 16:00 UTC of the day before."""
    assert datetime(2026, 11, 20, 16, 0, tzinfo=UTC) == show.day_start(AT)


@pytest.mark.parametrize(
    ("value", "long", "brief"),
    [
        (0, "0", "0"),
        (7.0, "7", "7"),
        (7.25, "7.2", "7.2"),
        (950, "950", "950"),
        (1234, "1,234", "1.2k"),
        (38_400, "38,400", "38k"),
        (1_200_000, "1,200,000", "1.2M"),
    ],
)
def test_numbers(value: float, long: str, brief: str) -> None:
    """Grouped in full, or in about four characters."""
    assert long == show.number(value)
    assert brief == show.short(value)


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (2400, "2.4 s"),
        (74_000, "1.2 min"),
        (180_000, "3 min"),
        (-250, "-250 ms"),
        (7_200_000, "2 h"),
        (432_000_000, "5 d"),
    ],
)
def test_spans(milliseconds: float, expected: str) -> None:
    """Each in the unit that fits."""
    assert expected == show.span(milliseconds)


def test_a_line_of_points_fills_its_box() -> None:
    """The largest value touches the ceiling (0), nought lies on the floor (24)."""
    assert "0.0,24.0 50.0,0.0 100.0,12.0" == show.points([0, 4, 2])
    assert "" == show.points([])
    assert "0.0,24.0" == show.points([0])
