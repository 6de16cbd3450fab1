"""The contract between the engine and a connector: all that a connector's author must read.

A connector can be opened and closed, can *check* itself, and is a `Sink`, a `Source`, a `Receiver`
or several of them. The engine owns the rest: it retries, limits, traces, counts, masks and writes
the ledger. So a connector never sleeps to retry, never logs a body, and keeps nothing of a message
it has returned.

Whatever goes wrong is raised as one of the three kinds of `schemas.errors`. Anything else is our
bug: the engine alarms, tries the ladder, then parks the message with the traceback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType, Protocol, Self, runtime_checkable

from schemas.message import Answer, Delivery, MessageId, Record

__all__ = [
    "Connector",
    "Cursor",
    "Inbound",
    "Outbound",
    "Recalls",
    "Receiver",
    "Sink",
    "Source",
    "Traits",
    "abilities",
]

Cursor = NewType("Cursor", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the system behind it can promise. The engine plans by these; the suite proves each."""

    idempotent: bool  # a repeat of `Delivery.key` changes nothing; else see `Recalls`
    says_why: bool  # a refusal names the item at fault


class Connector(Protocol):
    """Lifetime and self-check. It must open again after it was closed."""

    @property
    def traits(self) -> Traits: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None:
        """Prove in 5 s, changing nothing, that address, key and grants are right; or raise."""


def abilities(connector: Connector) -> frozenset[str]:
    """Which of ``deliver``, ``records`` and ``receive`` *connector* can do. One whose profile
    decides that says so by an attribute ``abilities``; another can do what it has methods for."""
    declared: frozenset[str] | None = getattr(connector, "abilities", None)
    methods = ("deliver", "records", "receive")
    return (
        declared if declared is not None else frozenset(m for m in methods if hasattr(connector, m))
    )


class Sink(Connector, Protocol):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        """Hand over one delivery and return the system's answer: it holds it *durably* then. Called
        concurrently, up to the profile's ``parallel``. When cancelled, stop waiting at once: whether
        it arrived is then unknown, and the engine repeats it with the same key."""


@runtime_checkable
class Recalls(Protocol):
    """A sink that can be asked what it holds; without, what may have arrived waits for a person."""

    async def recall(self, delivery: Delivery, /) -> Answer | None: ...


class Source(Connector, Protocol):
    def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        """
        Yield what is new after *after* (None: from the beginning), oldest first, then stop.

        Called again every ``poll_s`` of the profile, never concurrently. Never skip: a row committed
        late, with an older stamp, must still come out. Repeats are fine.
        """

    async def taken(self, records: Sequence[Record], /) -> None:
        """Told after the broker confirmed *records* and before their cursor is stored. A source that
        marks its rows does it here, and only for rows that have not changed since they were read. A
        source with a cursor has nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A request a partner made to the hub. *path* is what follows ``/in/<system>/``; header names
    are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Outbound:
    """What the partner is answered."""

    status: int
    content_type: str
    body: bytes


class Receiver(Connector, Protocol):
    """Takes what a system pushes. The gateway owns the socket, the size limit and the answer's id."""

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        """Authenticate and decode; raise `Rejected` with the place and reason, or `Misconfigured`
        with code ``sender.denied``. Called on the event loop: no I/O, no clock of its own."""

    def acknowledge(self, request: Inbound, ids: Sequence[MessageId], /) -> Outbound:
        """The answer in the partner's words, given once the broker has confirmed the records."""

    def refuse(self, request: Inbound, reasons: Sequence[str], status: int, /) -> Outbound:
        """The refusal in the partner's words; *reasons* are in Chinese and English already."""
