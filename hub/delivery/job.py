"""A message to deliver: from the route's queue, or one that was held; and how each is ended.

Promises   whatever ends a job happens before its message is acknowledged or its row forgotten
Units      seconds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.broker import Incoming, Outgoing, Publisher, acknowledge, hand_back
from hub.delivery.attempt import attempt_of
from hub.delivery.held import Order
from hub.envelope import ATTEMPT, DOUBT
from hub.receipt_writer import ReceiptWriter
from hub.topology import delayed
from schemas.message import Body, Message

__all__ = ["Hand", "Held", "Job", "Queued"]

AGAIN_S = 5.0


class Job(Protocol):
    """One message on one route. *message* is set once it is decoded, *mapped* once it is put in the
    system's words; *bulk* gives way to others."""

    message: Message | None
    mapped: Body | None
    bulk: bool

    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def body(self) -> bytes: ...
    async def done(self) -> None: ...
    async def again(self, seconds: float, now: datetime, *, doubt: bool) -> Sequence[str]:
        """Try it again after *seconds*; returns the ids of messages that it replaces."""

    async def failed(self, now: datetime) -> None:
        """It stands in the failure store."""

    async def back(self, now: datetime) -> None:
        """Not tried: it goes where it came from."""


@dataclass(slots=True)
class Queued:
    """From *queue*, in which *bulk* waits. *order* is that of the route, where it keeps one."""

    incoming: Incoming
    queue: str
    publisher: Publisher
    order: Order | None
    bulk: bool = False
    message: Message | None = None
    mapped: Body | None = None

    @property
    def headers(self) -> Mapping[str, Any]:
        return self.incoming.headers

    @property
    def body(self) -> bytes:
        return self.incoming.body

    async def done(self) -> None:
        if self.order and self.message:
            await self.order.delivered(self.message)
        await acknowledge([self.incoming])

    async def again(self, seconds: float, now: datetime, *, doubt: bool) -> Sequence[str]:
        attempt = attempt_of(self.headers) + 1
        headers = {**self.headers, ATTEMPT: attempt, DOUBT: int(doubt)}
        replaced: Sequence[str] = ()
        if self.order and self.message:
            due = now + timedelta(seconds=seconds)
            replaced = await self._held(headers, due, now)
        else:
            await self.publisher.publish(delayed(self.queue, seconds, self.body, headers))
        await acknowledge([self.incoming])
        return replaced

    async def wait(self, now: datetime) -> Sequence[str]:
        """Behind what waits of its subject."""
        replaced = await self._held(dict(self.headers), now, now)
        await acknowledge([self.incoming])
        return replaced

    async def failed(self, now: datetime) -> None:
        if self.order and self.message:
            await self._held(dict(self.headers), None, now)
        await acknowledge([self.incoming])

    async def back(self, now: datetime) -> None:
        if self.order:
            # In order it stays by waiting.
            await (self.wait(now) if self.message else hand_back([self.incoming]))
            return
        # As a new message: handed back, it would near the broker's delivery limit each time.
        again = Outgoing("", self.queue, self.body, dict(self.headers))
        await self.publisher.publish(again)
        await acknowledge([self.incoming])

    async def _held(
        self, headers: Mapping[str, Any], due: datetime | None, now: datetime
    ) -> Sequence[str]:
        if self.order is None or self.message is None:
            return ()
        return await self.order.hold(self.message, headers, self.body, due=due, at=now)


@dataclass(slots=True)
class Held:
    """One that waited, claimed by this process."""

    headers: dict[str, Any]
    body: bytes
    order: Order
    bulk: bool = False
    message: Message | None = None
    mapped: Body | None = None

    async def done(self) -> None:
        if self.message:
            await self.order.delivered(self.message)

    async def again(self, seconds: float, now: datetime, *, doubt: bool) -> Sequence[str]:
        attempt = attempt_of(self.headers) + 1
        headers = {**self.headers, ATTEMPT: attempt, DOUBT: int(doubt)}
        return await self._hold(headers, now + timedelta(seconds=seconds), now)

    async def failed(self, now: datetime) -> None:
        await self._hold(self.headers, None, now)

    async def back(self, now: datetime) -> None:
        await self._hold(self.headers, now + timedelta(seconds=AGAIN_S), now)

    async def _hold(
        self, headers: Mapping[str, Any], due: datetime | None, now: datetime
    ) -> Sequence[str]:
        if self.message is None:
            return ()
        return await self.order.hold(self.message, headers, self.body, due=due, at=now)


@dataclass(frozen=True, slots=True)
class Hand:
    """By what the outcome of a delivery is told, and what its job is made of: *queue* it comes from,
    in which *bulk* waits."""

    publisher: Publisher
    receipts: ReceiptWriter
    queue: str
    bulk: bool = False

    def job(self, incoming: Incoming, order: Order | None) -> Queued:
        return Queued(incoming, self.queue, self.publisher, order, self.bulk)
