"""The quality of a resource, told from what really flowed. Pure.

A resource is judged by what its users would notice: nobody uses it, nothing comes in its cycle or it
came late, its records are rejected, many of its deliveries fail. Each finding says what repairs it.

Units      counts of messages and records; working days of the declared calendar
Careful    a cycle is judged as far back as its days are known (`Flowed.known`) and the calendar reaches
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from catalog.lifecycle.flow import Flow, Flowed
from catalog.model import Catalogue, Resource, UpdateCycle
from schemas.calendar import Calendar
from schemas.errors import Facts
from schemas.receipt import Event
from schemas.texts import worded

__all__ = ["LONG_CYCLES", "Finding", "Quality", "quality_of"]

# Working days after which something new is due, with a little grace; None: no cycle is promised.
_CYCLE_DAYS = {
    UpdateCycle.REAL_TIME: 5,
    UpdateCycle.DAY: 2,
    UpdateCycle.WEEK: 7,
    UpdateCycle.MONTH: 25,
    UpdateCycle.QUARTER: 68,
    UpdateCycle.HALF_YEAR: 130,
    UpdateCycle.YEAR: 255,
    UpdateCycle.ON_DEMAND: None,
}
# Of these the days are looked up further back than the flows.
LONG_CYCLES = frozenset({UpdateCycle.QUARTER, UpdateCycle.HALF_YEAR, UpdateCycle.YEAR})
FAILED_SHARE = REJECTED_SHARE = 0.01
TAKEN = frozenset({Event.DELIVERY_DONE, Event.SERVICE_DONE})


@dataclass(frozen=True, slots=True)
class Finding:
    """What takes *points* of a hundred, by a text code that says what repairs it."""

    code: str
    points: int
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quality:
    findings: tuple[Finding, ...]

    @property
    def score(self) -> int:
        """Of a hundred."""
        return max(0, 100 - sum(finding.points for finding in self.findings))


def quality_of(
    resource: Resource,
    catalogue: Catalogue,
    flowed: Flowed,
    intakes: Sequence[str],
    today: date,
    calendar: Calendar,
) -> Quality:
    """*intakes*: those that publish it. Raises `Misconfigured` where a year has no calendar."""
    flows = flowed.of(resource.resource)
    return Quality(
        (
            *_of_cycle(resource, flowed, today, calendar),
            *_of_use(flows),
            *_of_records(flowed.records(intakes)),
            *_of_examples(resource, catalogue),
        )
    )


def _of_cycle(
    resource: Resource, flowed: Flowed, today: date, calendar: Calendar
) -> Iterator[Finding]:
    """Nothing at all, nothing within its cycle now (过期), or not within it before (迟到)."""
    allowed = _CYCLE_DAYS[resource.cycle]
    first = _first_year(calendar, today)
    days = [day for day in sorted(flowed.days.get(resource.resource, ())) if day >= first]
    if not days:
        since = max(_known(resource, flowed), first)
        if allowed is None or calendar.between(since, today) >= allowed:
            yield Finding("quality.no-data", 40, {"days": (today - since).days})
        return
    if allowed is None:
        return
    names: Facts = worded("cycle", f"catalogue.cycle.{resource.cycle}")
    waited = calendar.between(days[-1], today)
    if waited > allowed:
        yield Finding("quality.stale", 20, {"days": waited, **names})
    late = [gap for gap in (calendar.between(*pair) for pair in pairwise(days)) if gap > allowed]
    if late:
        yield Finding("quality.late", 10, {"times": len(late), "days": max(late), **names})


def _known(resource: Resource, flowed: Flowed) -> date:
    """Since when it is known on which days it had something new; not before it was published."""
    known = flowed.known or flowed.since
    since = known if resource.cycle in LONG_CYCLES else flowed.since
    published = date.fromisoformat(resource.published) if resource.published else since
    return max(since, published)


def _first_year(calendar: Calendar, today: date) -> date:
    """The first day of the years up to now of which the calendar is known without a gap."""
    year = today.year
    while year - 1 in calendar.years:
        year -= 1
    return date(year, 1, 1)


def _of_use(flows: Sequence[Flow]) -> Iterator[Finding]:
    published = _many(flows, {Event.MESSAGE_PUBLISHED})
    taken, failed = _many(flows, TAKEN), _many(flows, {Event.DELIVERY_FAILED})
    if published and not taken:
        yield Finding("quality.unused", 20)
    if failed > FAILED_SHARE * (taken + failed):
        share = _percent(failed, taken + failed)
        yield Finding("quality.failing", 20, {"failed": failed, "share": share})


def _of_records(records: Sequence[Flow]) -> Iterator[Finding]:
    accepted = _many(records, {Event.RECORD_ACCEPTED})
    rejected = _many(records, {Event.RECORD_REJECTED, Event.RECORD_REFUSED})
    if rejected > REJECTED_SHARE * (accepted + rejected):
        share = _percent(rejected, accepted + rejected)
        yield Finding("quality.rejected", 20, {"rejected": rejected, "share": share})


def _of_examples(resource: Resource, catalogue: Catalogue) -> Iterator[Finding]:
    bare = [
        element.name.zh
        for item in resource.items
        if (element := catalogue.elements.get(item.element or "")) and not element.example
    ]
    if len(bare) * 2 > len(resource.items):
        yield Finding("quality.no-examples", 5, {"items": len(bare)})


def _many(flows: Sequence[Flow], events: frozenset[Event] | set[Event]) -> int:
    return sum(flow.many for flow in flows if flow.event in events)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}"
