"""The clock of a case: how much of a limit has been used, pauses aside. Pure.

Standard   行政许可法 articles 32, 42, 45, 82; R-B3.3
Form       the day of acceptance is day 0, the first counted day comes after it, and a limit ends with
           its last day; overlapping pauses count once; a pause without an end still lasts
Units      a limit in working or natural days, or calendar months; hours and minutes are
           rounded up to days, for a case's clock knows days only
"""

from __future__ import annotations

import calendar as months
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from schemas.calendar import Calendar
from schemas.errors import Rejected

__all__ = ["UNITS", "Limit", "Pause", "deadline", "elapsed", "is_near", "is_over", "paused"]

WORKING, NATURAL, HOURS, MINUTES, MONTHS = "1", "2", "3", "4", "5"
UNITS = frozenset((WORKING, NATURAL, HOURS, MINUTES, MONTHS))
DAY_OF = {HOURS: 24, MINUTES: 24 * 60}


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit; *unit* by code list ``limit-unit``. *extended*: approved working days more."""

    count: int
    unit: str
    extended: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """From the day it starts to the day it ends; None: it still lasts."""

    start: date
    end: date | None


def paused(pauses: Sequence[Pause], start: date, until: date, calendar: Calendar) -> int:
    """Working days after *start* up to *until* that lie in any pause."""
    return sum(map(calendar.is_working, _paused_days(pauses, start, until)))


def elapsed(start: date, until: date, pauses: Sequence[Pause], calendar: Calendar) -> int:
    """Working days that count, from acceptance on *start* until *until*."""
    if until <= start:
        return 0
    return calendar.between(start, until) - paused(pauses, start, until, calendar)


def is_over(
    start: date, limit: Limit, pauses: Sequence[Pause], until: date, calendar: Calendar
) -> bool:
    """
    Whether *until* lies behind the last day of *limit*.

    Asks for no day after *until*: next year's calendar is not needed before that year.
    """
    if limit.unit == WORKING:
        reached = elapsed(start, until, pauses, calendar) >= limit.count + limit.extended
    else:
        last = _natural_deadline(start, limit, pauses, until)
        reached = until > last and calendar.between(last, until) >= limit.extended
    return reached and until > deadline(start, limit, pauses, until, calendar)


def is_near(
    start: date,
    limit: Limit,
    pauses: Sequence[Pause],
    until: date,
    calendar: Calendar,
    *,
    days: int,
) -> bool:
    """Whether the last day of *limit* is no more than *days* working days after *until*."""
    if limit.unit == WORKING:
        used = elapsed(start, until, pauses, calendar)
        return used >= limit.count + limit.extended - days
    horizon = calendar.after(until, days)
    if _natural_deadline(start, limit, pauses, until) > horizon:
        return False
    return deadline(start, limit, pauses, until, calendar) <= horizon


def deadline(
    start: date, limit: Limit, pauses: Sequence[Pause], until: date, calendar: Calendar
) -> date:
    """The last day within *limit*, moved by what was paused up to *until*."""
    if limit.unit == WORKING:
        count = limit.count + limit.extended + paused(pauses, start, until, calendar)
        return calendar.after(start, count)
    return calendar.after(_natural_deadline(start, limit, pauses, until), limit.extended)


def _natural_deadline(start: date, limit: Limit, pauses: Sequence[Pause], until: date) -> date:
    moved = timedelta(days=len(_paused_days(pauses, start, until)))
    match limit.unit:
        case "2":
            return start + timedelta(days=limit.count) + moved
        case "3" | "4":
            return start + timedelta(days=-(-limit.count // DAY_OF[limit.unit])) + moved
        case "5":
            return _months_after(start, limit.count) + moved
        case unit:
            raise Rejected("supervision.unit", "Unknown unit of a limit", unit=unit)


def _months_after(day: date, count: int) -> date:
    """The same day *count* months later; the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def _paused_days(pauses: Sequence[Pause], start: date, until: date) -> set[date]:
    """Days after *start* up to *until* in any pause: after its first day, up to its last."""
    days: set[date] = set()
    for pause in pauses:
        first, last = max(pause.start, start), min(pause.end or until, until)
        days.update(first + timedelta(days=n + 1) for n in range((last - first).days))
    return days
