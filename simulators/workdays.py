"""Office hours of the simulated authorities: working days and times on them.

Standard   the State Council's notice on holidays of the year, as the chinesecalendar package has it
Units      times are Beijing time without a zone; a day of work is 08:30 to 12:00 and 14:00 to 17:30
Not here   the clock that judges: the supervision service has its own, from declared calendars
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from random import Random

import chinese_calendar

__all__ = ["is_workday", "next_workday", "office_time", "taken_up", "workdays_after"]

OPENS, CLOSES = time(8, 30), time(17, 30)
MORNING_MINUTES, AFTERNOON_MINUTES = 210, 210


@cache
def is_workday(day: date) -> bool:
    """Whether offices work on *day*."""
    return bool(chinese_calendar.is_workday(day))


def workdays_after(day: date, days: int) -> date:
    """The *days*-th working day after *day*; 0 is the day itself, or the next one that works."""
    if days == 0:
        return day if is_workday(day) else workdays_after(day, 1)
    while days:
        day += timedelta(days=1)
        days -= is_workday(day)
    return day


def office_time(day: date, rng: Random) -> datetime:
    """Some second of office hours on *day*."""
    minute = rng.randrange(MORNING_MINUTES + AFTERNOON_MINUTES)
    noon_break = 120 if minute >= MORNING_MINUTES else 0
    opens = datetime.combine(day, OPENS)
    return opens + timedelta(minutes=minute + noon_break, seconds=rng.randrange(60))


def next_workday(moment: datetime) -> date:
    """The day on which an office takes up what came in at *moment*."""
    days = 0 if moment.time() < CLOSES else 1
    return workdays_after(moment.date(), days)


def taken_up(moment: datetime) -> datetime:
    """*moment*, if an office is open then, else the next opening."""
    day = next_workday(moment)
    if day == moment.date():
        return max(moment, datetime.combine(day, OPENS))
    return datetime.combine(day, OPENS)
