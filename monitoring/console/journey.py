"""The journey of a message (`Journey`): ledger rows put in order, by message, on one axis of time.

Pure. A record that became one message shares its leg; one that became several, or none (it was
refused), has a leg of its own.

Units      `Stop.after_ms` and `Journey.took_ms` in milliseconds; `Stop.x` from 0 to `WIDTH`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitoring.ports import Hop
from schemas.receipt import Event

__all__ = ["WIDTH", "Journey", "Leg", "Stop", "journey", "tone_of"]

WIDTH = 1000
TONES = {
    "failed": "bad",
    "rejected": "bad",
    "refused": "bad",
    "retrying": "warn",
    "repeated": "",
    "left_out": "",
    "received": "",
    "discarded": "black",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One hop, with its place on the axis."""

    hop: Hop
    after_ms: float
    x: float
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """All that happened to one message, from the record it came from; or to a record alone."""

    id: str
    record_id: str
    resource: str
    operation: str
    subject: str
    source: str
    is_record: bool
    at: datetime
    stops: tuple[Stop, ...]
    tone: str

    @property
    def x(self) -> tuple[float, float]:
        """From where to where it lies on the axis."""
        return self.stops[0].x, self.stops[-1].x

    def told_by(self, asked: str) -> bool:
        """Whether *asked* names this message, or the record it came from."""
        return bool(asked) and asked in (self.id, self.record_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """All legs, in the order in which they began."""

    legs: tuple[Leg, ...]
    first_at: datetime
    last_at: datetime

    @property
    def took_ms(self) -> float:
        """From the first hop to the last."""
        return (self.last_at - self.first_at).total_seconds() * 1000

    @property
    def hops(self) -> int:
        """How many hops all legs have together."""
        return sum(len(leg.stops) for leg in self.legs)


def journey(hops: Sequence[Hop]) -> Journey | None:
    """None where nothing is known."""
    if not hops:
        return None
    ordered = sorted(hops, key=lambda hop: (hop.at, hop.id))
    first, last = ordered[0].at, ordered[-1].at
    became = _became(ordered)
    by_message: dict[str, list[Hop]] = {}
    for hop in ordered:
        messages = became.get(hop.message_id, ())
        leg = messages[0] if len(messages) == 1 else hop.message_id
        by_message.setdefault(leg, []).append(hop)
    legs = [_leg(message_id, rows, first, last) for message_id, rows in by_message.items()]
    return Journey(legs=tuple(legs), first_at=first, last_at=last)


def _became(hops: Sequence[Hop]) -> dict[str, list[str]]:
    """Messages by the record they came from."""
    found: dict[str, list[str]] = {}
    for hop in hops:
        if hop.event == Event.MESSAGE_PUBLISHED and hop.record_id not in ("", hop.message_id):
            found.setdefault(hop.record_id, []).append(hop.message_id)
    return found


def tone_of(event: Event) -> str:
    """The colour of one hop."""
    return TONES.get(event.value.rpartition(".")[2], "good")


def _leg(message_id: str, hops: Sequence[Hop], first: datetime, last: datetime) -> Leg:
    # The row that published it knows most of a message; receipts may know less.
    known = next((hop for hop in hops if hop.event == Event.MESSAGE_PUBLISHED), hops[0])
    return Leg(
        id=message_id,
        record_id=known.record_id,
        resource=known.resource,
        operation=known.operation,
        subject=known.subject or next((hop.subject for hop in hops if hop.subject), ""),
        source=known.source,
        is_record=all(hop.event.value.startswith("record.") for hop in hops),
        at=hops[0].at,
        stops=tuple(_stop(hop, first, last) for hop in hops),
        tone=_outcome(hops),
    )


def _stop(hop: Hop, first: datetime, last: datetime) -> Stop:
    after = (hop.at - first).total_seconds()
    whole = (last - first).total_seconds()
    x = round(after / whole * WIDTH, 1) if whole else 0.0
    return Stop(hop=hop, after_ms=after * 1000, x=x, tone=tone_of(hop.event))


def _outcome(hops: Sequence[Hop]) -> str:
    """The worst of each place's latest word: a retry that succeeded in the end is no trouble."""
    latest: dict[str, str] = {}
    for hop in hops:
        latest[hop.route] = tone_of(hop.event)
    found = set(latest.values())
    return next((tone for tone in ("bad", "warn", "black", "good") if tone in found), "")
