"""A system's sink, shared by its routes, and what bounds the calls to it.

Units      seconds; hours of the day are Beijing time
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone

from hub.delivery.turns import Turns
from hub.port import Sink
from schemas.errors import Transient

__all__ = ["Breaker", "Hours", "Link"]

BEIJING = timezone(timedelta(hours=8))
TRIP_AFTER = 8


@dataclass(frozen=True, slots=True)
class Hours:
    """When a system may be called, from *start* to *end*; over midnight where *end* is earlier."""

    start: time
    end: time

    def wait_s(self, now: datetime) -> float:
        """Until they begin; 0 within them."""
        at = now.astimezone(BEIJING)
        clock = at.time()
        if self.start <= self.end:
            within = self.start <= clock < self.end
        else:
            within = clock >= self.start or clock < self.end
        if within:
            return 0.0
        begins = datetime.combine(at.date(), self.start, BEIJING)
        if begins <= at:
            begins += timedelta(days=1)
        return (begins - at).total_seconds()


class Breaker:
    """Trips when calls fail one after the other: then the system is left alone and asked by its
    own check how it is, and no message spends its attempts on it."""

    def __init__(self, after: int = TRIP_AFTER) -> None:
        self._after, self._failed = after, 0

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self, error: Transient) -> bool:
        """Whether this one trips it. A system that names its own wait is at work: it counts not."""
        self._failed += not error.after_s
        return self._failed >= self._after

    def mend(self) -> None:
        """The check has passed: the next failure trips it again, the next success ends that."""
        self._failed = min(self._failed, self._after - 1)


@dataclass(frozen=True, slots=True)
class Link:
    """*turns* bounds the calls to the system, *parallel* the deliveries of one route."""

    system: str
    sink: Sink
    turns: Turns
    parallel: int
    hours: Hours | None = None
    breaker: Breaker = field(default_factory=Breaker)

    def closed_s(self, now: datetime) -> float:
        """For how long the system may not be called yet."""
        return self.hours.wait_s(now) if self.hours else 0.0
