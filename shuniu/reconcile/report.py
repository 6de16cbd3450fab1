"""What a reconciliation found: of each leg both sides' sums, what is under way, what differs.

Form       a leg is one table of a partner with the hub (*from*: the partner leaves rows; *to*: it finds
           ours), or one route to a system that has no table
Careful    no value of a row is in it: differences name rows, messages and columns
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal

from front_db.sums import Bucket
from schemas.calendar import BEIJING
from schemas.errors import Facts

__all__ = ["Difference", "Found", "Leg", "LegReport", "Sums", "day_span"]


class Found(StrEnum):
    """Kinds of difference."""

    MISSING_AT_HUB = "missing-at-hub"  # the sender's row says that we took it
    MISSING_AT_RECEIVER = "missing-at-receiver"  # we were told that it is there
    NEVER_DELIVERED = "never-delivered"  # published, no outcome, and nothing waits for it
    EXTRA_AT_RECEIVER = "extra-at-receiver"  # a row that we know nothing of
    GONE_AT_SENDER = "gone-at-sender"  # we have it, its row is no more
    FIELDS_DIFFER = "fields-differ"
    NOT_CAPTURED = "not-captured"  # of a table without states of ours: capture stands still


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row. *columns*: those that differ; *subject* is masked where it is personal."""

    kind: Found
    row_id: str = ""
    version: int | None = None
    message_id: str = ""
    subject: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leg:
    """*kind*: of the records that a sender's table gives; *route*: that writes a receiver's."""

    system: str
    direction: Literal["from", "to"]
    resources: tuple[str, ...]
    table: str = ""
    route: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """One side: rows, and two digests in no order, as 16 hexadecimal digits."""

    count: int
    keys: str = ""
    content: str = ""

    @classmethod
    def of(cls, found: Bucket) -> Sums:
        return cls(found.count, f"{found.keys:016x}", f"{found.content:016x}")


@dataclass(slots=True, kw_only=True)
class LegReport:
    """
    One leg on one day. *counts*: the hub's messages or records by what became of them; *settled*:
    rows that looked different and are not, by the reason; *columns*: how many are compared; *error*
    and *facts*: why the partner's side could not be asked.
    """

    leg: Leg
    day: date
    hub: Sums
    partner: Sums | None = None
    counts: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    columns: int = 0
    whole: bool = True
    error: str = ""
    facts: Facts = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Both sides were compared, and nothing is missing, extra or different."""
        return not self.error and not self.differences and self.whole

    def settle(self, reason: str) -> None:
        """One row is no difference, for *reason*."""
        self.settled[reason] = self.settled.get(reason, 0) + 1

    def shown(self) -> Mapping[str, Any]:
        """As JSON shows it."""
        told = asdict(self)
        return {**told.pop("leg"), **told, "day": self.day.isoformat(), "agrees": self.agrees}


def day_span(day: date) -> tuple[datetime, datetime]:
    """
    A day of Beijing, its end not in it.

    >>> [at.isoformat() for at in day_span(date(2026, 3, 2))]
    ['2026-03-02T00:00:00+08:00', '2026-03-03T00:00:00+08:00']
    """
    begins = datetime.combine(day, time(), BEIJING)
    return begins, begins + timedelta(days=1)
