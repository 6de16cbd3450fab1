"""The contract between the engine and a domain service: subscribe to streams, publish back.

A service names the resources it follows and gives one handler. The engine calls the handler inside
a database transaction which also holds the service's inbox key and its outbox: what the handler
wrote and what it wants published become true together, once for each message, whatever dies when.
So a handler is plain synchronous SQL and pure rules; it never touches the broker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from schemas.message import Message, Publication, ResourceName

__all__ = ["Handler", "Subscriber"]

Handler = Callable[[Connection, Message, datetime], Sequence[Publication]]
"""Called with the open transaction, the message, and the present moment (aware, UTC). Messages of
one stream may come repeated by other ids, late, and out of order: `Message.sequence` tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A service's subscription. *name* (kebab case) names its queue ``service.<name>`` and is the
    source system of what it publishes."""

    name: str
    resources: tuple[ResourceName, ...]
    handle: Handler
