"""Lineage (数据流向) as it really was, as values.

Units      counts of messages and records
Not here   how it is found out: `hub.registry.flow`; what it says of a resource: `catalog.lifecycle.quality`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from schemas.receipt import Event

__all__ = ["RECORDS", "Flow", "Flowed"]

# What happens to records at the door and in the pipeline; their `resource` is the kind of an intake.
RECORDS = frozenset({Event.RECORD_ACCEPTED, Event.RECORD_REJECTED, Event.RECORD_REFUSED})


@dataclass(frozen=True, slots=True)
class Flow:
    """*route*: also the name of a service; *last*: of the newest."""

    event: Event
    resource: str
    source: str
    route: str
    system: str
    many: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Flowed:
    """What flowed since the day *since*. *days*: those on which a resource had something new; of a long
    cycle also those before, since the day *known*."""

    since: date
    flows: Sequence[Flow] = ()
    days: Mapping[str, Sequence[date]] = field(default_factory=dict)
    known: date | None = None

    def of(self, resource: str) -> list[Flow]:
        """The messages of *resource*."""
        return [f for f in self.flows if f.resource == resource and f.event not in RECORDS]

    def records(self, intakes: Sequence[str]) -> list[Flow]:
        """The records of *intakes*, which are named ``<system>.<kind>``."""
        return [
            f for f in self.flows if f.event in RECORDS and f"{f.source}.{f.resource}" in intakes
        ]
