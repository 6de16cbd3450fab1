"""What is said of a resource's quality from what flowed, by the working calendar (R-C8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from catalog.lifecycle.flow import Flow, Flowed
from catalog.lifecycle.quality import Finding, quality_of
from catalog.model import UpdateCycle
from schemas.receipt import Event
from schemas.texts import all_texts, say
from tests.catalog.a_catalogue import small
from tests.catalog.lifecycle.test_grants import CALENDAR

NAME = "caseAcceptance"
INTAKES = ["window.acceptance"]
# Friday, 13 March 2026; 14 and 15 are a week-end, 28 February was a working Saturday.
TODAY = date(2026, 3, 13)
SINCE = date(2025, 12, 15)
CATALOGUE = small()


def a_flow(event: Event, many: int = 1, resource: str = NAME, source: str = "window") -> Flow:
    return Flow(event, resource, source, "route", "system", many, datetime(2026, 3, 1, tzinfo=UTC))


USED = (a_flow(Event.MESSAGE_PUBLISHED, 100), a_flow(Event.DELIVERY_DONE, 100))


def found(
    cycle: UpdateCycle,
    days: Sequence[date] = (TODAY,),
    flows: Sequence[Flow] = USED,
    today: date = TODAY,
    known: date | None = None,
) -> list[Finding]:
    resource = CATALOGUE.resources[NAME].model_copy(update={"cycle": cycle})
    flowed = Flowed(SINCE, flows, {NAME: days}, known)
    quality = quality_of(resource, CATALOGUE, flowed, INTAKES, today, CALENDAR)
    assert quality.score == 100 - sum(each.points for each in quality.findings)
    return [each for each in quality.findings if each.code != "quality.no-examples"]


def codes(*told: object, **more: object) -> list[str]:
    return [each.code for each in found(*told, **more)]  # type: ignore[arg-type]  # passed on


def test_nothing_is_said_of_what_is_fine() -> None:
    """Data in its cycle, used, and none refused."""
    week = [date(2026, 3, day) for day in (2, 4, 6, 10, 12)]

    assert [] == codes(UpdateCycle.DAY, week)


@pytest.mark.parametrize(
    ("cycle", "last", "today", "stale"),
    [
        # Daily, with a day of grace: from Thursday to Tuesday lie Friday and Monday.
        (UpdateCycle.DAY, date(2026, 3, 5), date(2026, 3, 9), None),
        (UpdateCycle.DAY, date(2026, 3, 5), date(2026, 3, 10), 3),
        # The holiday of the Spring Festival 2026, 15 to 23 February, does not count; 14 February,
        # a Saturday, is worked instead.
        (UpdateCycle.DAY, date(2026, 2, 14), date(2026, 2, 25), None),
        (UpdateCycle.DAY, date(2026, 2, 14), date(2026, 2, 26), 3),
        (UpdateCycle.WEEK, date(2026, 3, 2), date(2026, 3, 11), None),
        (UpdateCycle.WEEK, date(2026, 3, 2), date(2026, 3, 12), 8),
        (UpdateCycle.ON_DEMAND, date(2025, 12, 16), TODAY, None),
    ],
)
def test_stale_is_judged_in_working_days(
    cycle: UpdateCycle, last: date, today: date, stale: int | None
) -> None:
    """Week-ends and holidays make nothing stale, and a working Saturday counts."""
    told = found(cycle, [last], today=today)

    assert ([("quality.stale", stale)] if stale else []) == [
        (each.code, each.facts["days"]) for each in told
    ]


def test_what_came_late_is_told_though_it_came() -> None:
    """How often, and how long at worst."""
    days = [date(2026, 3, day) for day in (2, 3, 9, 10, 13)]
    (late,) = found(UpdateCycle.DAY, days)

    # From 3 to 9 March lie four working days, from 10 to 13 three.
    assert ("quality.late", 2, 4) == (late.code, late.facts["times"], late.facts["days"])
    assert "每日" in say(late.code, late.facts, "zh")


def test_what_never_flowed_is_told() -> None:
    """Unless its cycle is longer than what is known."""
    assert ["quality.no-data"] == codes(UpdateCycle.MONTH, [], ())
    assert ["quality.no-data"] == codes(UpdateCycle.ON_DEMAND, [], ())
    assert [] == codes(UpdateCycle.YEAR, [], ())


def test_data_that_nobody_takes_are_told() -> None:
    """And deliveries that fail, from one in a hundred on."""
    assert ["quality.unused"] == codes(UpdateCycle.DAY, flows=USED[:1])
    one = (*USED, a_flow(Event.DELIVERY_FAILED, 1))
    assert [] == codes(UpdateCycle.DAY, flows=one)
    assert ["quality.failing"] == codes(
        UpdateCycle.DAY, flows=(*USED, a_flow(Event.DELIVERY_FAILED, 2))
    )


def test_the_share_of_rejected_records_is_told() -> None:
    """Of its own intakes only, whose records are told by their kind."""
    accepted = a_flow(Event.RECORD_ACCEPTED, 90, "acceptance")
    rejected = a_flow(Event.RECORD_REJECTED, 6, "acceptance")
    refused = a_flow(Event.RECORD_REFUSED, 4, "acceptance")
    foreign = a_flow(Event.RECORD_REJECTED, 50, "acceptance", "elsewhere")
    (told,) = found(UpdateCycle.DAY, flows=(*USED, accepted, rejected, refused, foreign))

    assert ("quality.rejected", 10, "10.0") == (
        told.code,
        told.facts["rejected"],
        told.facts["share"],
    )
    assert [] == codes(UpdateCycle.DAY, flows=(*USED, accepted, foreign))


def test_a_kind_that_is_called_like_a_resource_is_not_counted_with_it() -> None:
    """Records are no messages."""
    flowed = Flowed(SINCE, (a_flow(Event.RECORD_REJECTED, 5), *USED), {})

    assert [Event.MESSAGE_PUBLISHED, Event.DELIVERY_DONE] == [f.event for f in flowed.of(NAME)]


def test_every_finding_says_what_repairs_it() -> None:
    """In both languages."""
    for name in ("no-data", "stale", "late", "unused", "failing", "rejected", "no-examples"):
        text = all_texts()[f"quality.{name}"]
        assert text["zh"]
        assert text["en"]


@pytest.mark.parametrize(
    ("cycle", "days", "found_late"),
    [
        # The second half of 2025 came on 10 July, in time; the first of 2026 on 9 July 2026, too.
        (UpdateCycle.HALF_YEAR, [date(2025, 1, 10), date(2025, 7, 10)], []),
        # From 10 January to 28 July 2025 lie 133 working days: 130 are allowed.
        (UpdateCycle.HALF_YEAR, [date(2025, 1, 10), date(2025, 7, 28)], [(1, 133)]),
        (UpdateCycle.QUARTER, [date(2025, 1, 10), date(2025, 4, 10), date(2025, 7, 10)], []),
        # From 10 January to 30 April 2025 lie 74 working days, 68 are allowed.
        (UpdateCycle.QUARTER, [date(2025, 1, 10), date(2025, 4, 30), date(2025, 7, 10)], [(1, 74)]),
        (UpdateCycle.YEAR, [date(2025, 1, 10)], []),
    ],
)
def test_long_cycles_are_judged_over_a_year(
    cycle: UpdateCycle, days: Sequence[date], found_late: list[tuple[int, int]]
) -> None:
    """By what was recorded before the flows that are looked at; the day is 1 August 2025."""
    told = found(cycle, days, today=date(2025, 8, 1), known=date(2025, 1, 1))

    assert found_late == [
        (each.facts["times"], each.facts["days"]) for each in told if each.code == "quality.late"
    ]
    assert "quality.stale" not in [each.code for each in told]


def test_a_year_goes_by() -> None:
    """A yearly resource, last seen on 10 January 2025: after the holiday weeks of the next year it is
    stale, on the 256th working day and not before; one that never came is missed by then as well."""
    last, known = date(2025, 1, 10), date(2025, 1, 1)
    ends = CALENDAR.after(last, 255)

    assert [] == codes(UpdateCycle.YEAR, [last], today=ends, known=known)
    later = CALENDAR.after(ends, 1)
    assert ["quality.stale"] == codes(UpdateCycle.YEAR, [last], today=later, known=known)
    assert [] == codes(UpdateCycle.YEAR, [], today=CALENDAR.after(known, 254), known=known)
    missed = CALENDAR.after(known, 255)
    assert ["quality.no-data"] == codes(UpdateCycle.YEAR, [], today=missed, known=known)
    # Nothing can be known of the time before the calendar begins, nor is it guessed.
    early = [date(2023, 6, 1), date(2024, 6, 3)]
    told = codes(UpdateCycle.YEAR, early, today=missed, known=date(2023, 1, 1))
    assert ["quality.no-data"] == told
