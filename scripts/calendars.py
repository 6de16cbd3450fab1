"""Writes ``sites/reference/calendars/<year>.yaml`` for the years asked for, from `chinese_calendar`.

The package follows the State Council's yearly notices. A written file is a declaration like any
other: read it against the notice before it is used, for a card may hang on a day of it.

    .venv/bin/python scripts/calendars.py 2025 2026
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import chinese_calendar

FOLDER = Path(__file__).resolve().parent.parent / "sites" / "reference" / "calendars"
ONE = timedelta(days=1)
WEEKDAYS = 5


def days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += ONE


def runs(days: Sequence[date]) -> Iterator[list[date]]:
    """Days in a row."""
    run: list[date] = []
    for day in days:
        if run and day != run[-1] + ONE:
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def off_of(year: int) -> Iterator[str]:
    """Holidays, each with the week-end that touches it, as the notice tells them."""
    for run in runs([day for day in days_of(year) if not chinese_calendar.is_workday(day)]):
        if any(day.weekday() < WEEKDAYS or is_named(day) for day in run):
            yield f"{run[0]}/{run[-1]}" if len(run) > 1 else f"{run[0]}"


def is_named(day: date) -> bool:
    return bool(chinese_calendar.get_holiday_detail(day)[1])


def declared(year: int) -> str:
    working = [
        day
        for day in days_of(year)
        if day.weekday() >= WEEKDAYS and chinese_calendar.is_workday(day)
    ]
    lines = [
        f"# Working calendar of {year}, by the State Council's notice.",
        f"year: {year}",
        f'version: "{year}.1"',
        f"source: 国务院办公厅关于{year}年部分节假日安排的通知",
        "off:",
        *(f'  - "{span}"' for span in off_of(year)),
        "working: [" + ", ".join(f'"{day}"' for day in working) + "]",
    ]
    return "\n".join(lines) + "\n"


def main(years: Sequence[str]) -> None:
    for year in map(int, years):
        path = FOLDER / f"{year}.yaml"
        path.write_text(declared(year), encoding="utf-8")
        print(path.relative_to(FOLDER.parent.parent.parent))


if __name__ == "__main__":
    main(sys.argv[1:])
