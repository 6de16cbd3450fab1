"""What every page of the console works with (`Desk`): the ports, read through short-lived answers.

Units      seconds
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request

from monitoring.ports import (
    Count,
    FailureGroup,
    Failures,
    Ledger,
    Names,
    Snapshot,
    Topology,
)
from schemas.receipt import Event
from web.shared import Shared
from web.shell import Shell, Tally
from web.show import day_start

__all__ = ["Called", "Desk", "Tallies", "words"]

Tallies = Callable[[], Awaitable[Sequence[Tally]]]
WINDOW_S = 60
SPARK_S, BUCKET_S = 900, 15
SPARKS = (Event.RECORD_RECEIVED, Event.MESSAGE_PUBLISHED, Event.DELIVERY_DONE)


def words(events: frozenset[Event]) -> tuple[str, ...]:
    """Which signals *events* of the ledger give: ``flow`` always, ``services`` and ``failures``
    where a service or the failure store may have changed."""
    found = {"flow"} if events else set()
    if any(event.value.startswith("service.") for event in events):
        found.add("services")
    if any(_touches_failures(event) for event in events):
        found.add("failures")
    return tuple(sorted(found))


def _touches_failures(event: Event) -> bool:
    """New ones, those acted upon, and what may have resolved one after a retry."""
    subject, _, past = event.value.partition(".")
    return subject == "failure" or past in {"failed", "rejected", "done", "accepted", "left_out"}


@dataclass(frozen=True, slots=True)
class Called:
    """What things are called on a page; a thing of no name goes by its code."""

    places: Mapping[str, Names]
    streams: Mapping[str, Names]

    def place(self, code: str) -> Names:
        """A system or service."""
        return self.places.get(code) or Names(code, code)

    def stream(self, resource: str) -> Names:
        """A resource's stream."""
        return self.streams.get(resource) or Names(resource, resource)


@dataclass
class Desk:
    """*by* tells who acts, for the ledger; without sign-in that is the console itself. *keep_s*:
    for how long all pages share an answer (figures of the day longer)."""

    shell: Shell
    ledger: Ledger
    failures: Failures
    topology: Topology
    tallies: Sequence[Tallies] = ()
    keep_s: float = 1.0
    by: Callable[[Request], str] = lambda _: "console"

    def __post_init__(self) -> None:
        self.snapshot: Shared[Snapshot] = Shared(self.topology.snapshot, self.keep_s)
        self.groups: Shared[Sequence[FailureGroup]] = Shared(self.failures.groups, self.keep_s)
        self.window: Shared[Sequence[Count]] = Shared(self._window, self.keep_s)
        self.today: Shared[Sequence[Count]] = Shared(self._today, self.keep_s * 2)
        self.sparks: Shared[Mapping[Event, Sequence[int]]] = Shared(self._sparks, self.keep_s * 5)

    async def called(self) -> Called:
        """The names of everything, as declared now."""
        snapshot = await self.snapshot.get()
        places = {place.code: place.names for place in snapshot.places}
        return Called(places, snapshot.streams)

    async def _window(self) -> Sequence[Count]:
        return await self.ledger.counts(self.shell.clock() - timedelta(seconds=WINDOW_S))

    async def _today(self) -> Sequence[Count]:
        return await self.ledger.counts(day_start(self.shell.clock()))

    async def _sparks(self) -> Mapping[Event, Sequence[int]]:
        until = self.shell.clock()
        since = until - timedelta(seconds=SPARK_S)
        return {event: await self.ledger.series(event, since, until, BUCKET_S) for event in SPARKS}
