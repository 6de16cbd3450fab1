"""What the console must be able to ask, as Protocols; composition gives it the hub's own answers.

Units      times are aware `datetime`s; spans in milliseconds; counts of messages
Promises   nothing here carries a personal value: faults hold places and reasons, `Seen` is masked
Careful    everything may raise `Transient` (the database is away): pages then show it as such
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from schemas.errors import Fault
from schemas.message import Body
from schemas.receipt import Event

__all__ = [
    "Count",
    "Failure",
    "FailureGroup",
    "Failures",
    "Hop",
    "Ledger",
    "Names",
    "Payload",
    "Place",
    "Route",
    "RouteState",
    "Snapshot",
    "Topology",
]

RouteState = Literal["flowing", "retrying", "halted"]


@dataclass(frozen=True, slots=True)
class Names:
    """What something is called on a page."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A system or a domain service. *publishes*: resources it may bring in."""

    code: str
    names: Names
    kind: Literal["system", "service"] = "system"
    owner: str = ""
    publishes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    A route, or a service's subscription (then *to* is the service).

    *waiting* lie in its queue, *retrying* on its ladder. A halted route says why by *fault*.
    """

    name: str
    resources: tuple[str, ...]
    to: str
    state: RouteState = "flowing"
    waiting: int = 0
    retrying: int = 0
    since: datetime | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How the hub is laid out, and how full it is, now. *streams*: names by resource."""

    places: tuple[Place, ...]
    streams: Mapping[str, Names]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often one kind of hop occurred in a span of time.

    *source* and *resource* are those of the message; *route* and *system* are empty where the
    event has none. A service's hops have the service's name as *route*.
    """

    event: Event
    count: int
    source: str = ""
    resource: str = ""
    route: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One row of the ledger (流水)."""

    id: int
    at: datetime
    event: Event
    message_id: str
    record_id: str = ""
    source: str = ""
    resource: str = ""
    operation: str = ""
    subject: str = ""
    route: str = ""
    system: str = ""
    attempt: int = 0
    code: str = ""
    faults: tuple[Fault, ...] = ()
    doubts: tuple[Fault, ...] = ()
    number: str = ""
    took_ms: int = 0
    digest: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Payload:
    """A message's body as it may be shown (masked), and what its items are called."""

    body: Body
    names: Mapping[str, Names] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failures (失败件) of one cause: the same place, code and fields, waiting for a person.
    *source* is the sender; at intake it is the place."""

    fingerprint: str
    stage: str  # intake, route, service
    route: str
    system: str
    source: str
    resource: str
    code: str
    faults: tuple[Fault, ...]
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure. *note*: who discarded it and why."""

    id: str
    message_id: str
    record_id: str
    stage: str
    route: str
    system: str
    source: str
    resource: str
    subject: str
    code: str
    faults: tuple[Fault, ...]
    fingerprint: str
    attempts: int
    first_at: datetime
    last_at: datetime
    state: str  # waiting, retrying, resolved, discarded, redirected
    note: str = ""


class Ledger(Protocol):
    """What has happened (流水)."""

    async def counts(self, since: datetime) -> Sequence[Count]:
        """Hops since then, grouped by event, source, resource, route and system."""

    async def series(
        self, event: Event, since: datetime, until: datetime, bucket_s: int
    ) -> Sequence[int]:
        """How many hops of *event* fell into each bucket, oldest first, empty ones included."""

    async def recent(self, *, limit: int, system: str = "", resource: str = "") -> Sequence[Hop]:
        """The newest hops first; of one system (as source or target) or resource where given."""

    async def trace(self, asked: str) -> Sequence[Hop]:
        """All that is known of a message, record, case or application, oldest first."""

    async def payload(self, message_id: str) -> Payload | None:
        """The body of a published message; None where none is kept."""


class Failures(Protocol):
    """What waits for a person (失败件), and what a person can do about it."""

    async def groups(self) -> Sequence[FailureGroup]:
        """Waiting failures by cause, the most numerous first."""

    async def listed(
        self, *, state: str = "waiting", fingerprint: str = "", limit: int = 200
    ) -> Sequence[Failure]:
        """The newest first."""

    async def one(self, failure_id: str) -> Failure:
        """Raises `Rejected` (``failure.unknown``)."""

    async def masked(self, failure_id: str) -> Payload:
        """Its body as it may be shown."""

    async def retry(self, ids: Sequence[str], by: str) -> Sequence[str]:
        """Send those that wait on their way again; returns their ids."""

    async def discard(self, ids: Sequence[str], reason: str, by: str) -> Sequence[str]:
        """Set those that wait aside for good. Raises `Rejected` where *reason* is blank."""


class Topology(Protocol):
    """What hangs on what, and what stands in the queues."""

    async def snapshot(self) -> Snapshot:
        """As it is now."""
