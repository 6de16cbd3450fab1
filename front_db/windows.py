"""When a table may be read, and how many of its rows a minute.

Form       pure: the caller tells the time
Units      hours of Beijing time, ``22:00-06:30``, over midnight too; rows a minute
Promises   in the long run no more than its rows pass in a minute, and never more than twice as many within one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import Annotated

from pydantic import AfterValidator, Field

__all__ = ["Hours", "Rate", "is_open", "opens_at"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
MINUTE_S = 60.0


def _parsed(told: str) -> tuple[time, time]:
    start, _, end = told.partition("-")
    return time.fromisoformat(start), time.fromisoformat(end)


def _checked(told: str) -> str:
    start, end = _parsed(told)
    if start == end:
        raise ValueError("it begins when it ends: leave it out to read at any time")
    return told


Hours = Annotated[
    str,
    Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"),
    AfterValidator(_checked),
]


def is_open(hours: Sequence[Hours], at: datetime) -> bool:
    """
    Whether *at* (aware) is within one of *hours*; none: always.

    >>> is_open(["22:00-06:00"], datetime(2026, 3, 2, 5, 59, tzinfo=BEIJING))
    True
    """
    now = at.astimezone(BEIJING).time()
    return not hours or any(_within(_parsed(each), now) for each in hours)


def opens_at(hours: Sequence[Hours], at: datetime) -> datetime:
    """When it is open next; *at* itself where it is."""
    if is_open(hours, at):
        return at
    here = at.astimezone(BEIJING)
    starts = (
        here.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
        for start, _ in map(_parsed, hours)
    )
    return min(each if each > here else each + timedelta(days=1) for each in starts)


def _within(hours: tuple[time, time], now: time) -> bool:
    start, end = hours
    return start <= now < end if start < end else now >= start or now < end


@dataclass(slots=True)
class Rate:
    """*rows*: so many a minute; none: any number. What was not used is kept for a minute."""

    rows: int | None
    _left: float = 0.0
    _at: datetime | None = None

    def left(self, at: datetime) -> int:
        """How many may be read now; a clock that goes back gives none."""
        if self.rows is None:
            return 2**31
        if self._at is None:
            self._left = float(self.rows)
        else:
            passed = max(0.0, (at - self._at).total_seconds())
            self._left = min(float(self.rows), self._left + passed * self.rows / MINUTE_S)
        self._at = at
        return int(self._left)

    def used(self, rows: int) -> None:
        """*rows* were read."""
        self._left -= rows
