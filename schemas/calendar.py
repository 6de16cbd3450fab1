"""Working days, from declared calendars.

Standard   the State Council's yearly notice; 行政许可法 article 82: working days, without holidays
Form       ``calendars/<year>.yaml``: days off and working week-ends, single or ``from/to``
Careful    a year that is not loaded is an error (``calendar.year-missing``), never a guess
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from pydantic import Field

from schemas.declarations import Declared, InvalidDeclaration, Problem, parse
from schemas.errors import Misconfigured

__all__ = ["BEIJING", "Calendar", "CalendarFile", "beijing_day", "read_calendars"]

BEIJING = timezone(timedelta(hours=8))
ONE = timedelta(days=1)


class CalendarFile(Declared):
    """One year, as the official notice arranges it."""

    year: int = Field(ge=2000, le=2100)
    version: str
    source: str
    off: tuple[str, ...]
    working: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calendar:
    """*off* and *working*: where a day differs from its place in the week. *version* names all."""

    years: frozenset[int]
    off: frozenset[date]
    working: frozenset[date]
    version: str

    def is_working(self, day: date) -> bool:
        if day.year not in self.years:
            raise Misconfigured(
                "calendar.year-missing", "No calendar is loaded for this year", year=day.year
            )
        if day in self.working:
            return True
        return day.weekday() < 5 and day not in self.off

    def after(self, day: date, count: int) -> date:
        """The *count*-th working day after *day*; day itself does not count."""
        while count > 0:
            day += ONE
            count -= self.is_working(day)
        return day

    def between(self, start: date, end: date) -> int:
        """Working days after *start* up to and including *end*."""
        return sum(map(self.is_working, _days(start, end)))


def beijing_day(at: datetime) -> date:
    """The day that *at* (aware) is in, as offices count days."""
    return at.astimezone(BEIJING).date()


def _days(start: date, end: date) -> Iterator[date]:
    day = start + ONE
    while day <= end:
        yield day
        day += ONE


def read_calendars(texts: Mapping[str, str]) -> Calendar:
    """The calendars of *texts* (path to YAML) as one. Raises `InvalidDeclaration`."""
    off: set[date] = set()
    working: set[date] = set()
    versions: dict[int, str] = {}
    for file, text in texts.items():
        declared = parse(text, CalendarFile, file=file)
        off |= _read(declared.off, file)
        working |= _read(declared.working, file)
        versions[declared.year] = declared.version
    version = " ".join(versions[year] for year in sorted(versions))
    return Calendar(frozenset(versions), frozenset(off), frozenset(working), version)


def _read(spans: tuple[str, ...], file: str) -> set[date]:
    found: set[date] = set()
    for span in spans:
        start, _, end = span.partition("/")
        try:
            first, last = date.fromisoformat(start), date.fromisoformat(end or start)
        except ValueError as error:
            said = f"{span!r} is no date or from/to of dates"
            raise InvalidDeclaration([Problem(file, 1, 1, span, said)]) from error
        found.add(first)
        found.update(_days(first, last))
    return found
