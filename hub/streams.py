"""The contract of a domain service: which streams it follows, and what it does with messages.

A service is a consumer group of its own: it has one durable queue, and each handler's call runs in
a database transaction which also holds the service's inbox keys and its outbox: what the handler
wrote and what it wants published become true together, once for each message, whatever dies when.
So a handler is plain synchronous SQL and pure rules; it never touches the broker.

Messages are worked off as many at a time as have arrived. A handler for one message is called for
each of them, inside one transaction; a handler for many reads and writes their rows together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from schemas.message import Message, Publication, ResourceName

__all__ = ["BatchHandler", "Handler", "Subscriber"]

Handler = Callable[[Connection, Message, datetime], Sequence[Publication]]
"""Called with the open transaction, the message, and the present moment (aware, UTC). Messages of
one stream may come repeated by other ids, late, and out of order: `Message.sequence` tells."""

BatchHandler = Callable[[Connection, Sequence[Message], datetime], Sequence[Sequence[Publication]]]
"""The same for several messages, in their order; gives for each of them what it publishes. Where it
raises, nothing of it has happened: it is called again with fewer of them, at last with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A service's subscription. *name* (kebab case) names its queue ``service.<name>`` and is the
    source system of what it publishes. It has *handle* or *handle_all*, not both."""

    name: str
    resources: tuple[ResourceName, ...]
    handle: Handler | None = None
    handle_all: BatchHandler | None = None

    def __post_init__(self) -> None:
        if (self.handle is None) == (self.handle_all is None):
            raise TypeError(f"Service {self.name} needs one handler: handle or handle_all")

    def publications(
        self, connection: Connection, messages: Sequence[Message], now: datetime
    ) -> Sequence[Sequence[Publication]]:
        """Let the handler take *messages*; what each of them leads to."""
        if self.handle_all is not None:
            return self.handle_all(connection, messages, now)
        handle = self.handle
        return [handle(connection, message, now) for message in messages] if handle else []
