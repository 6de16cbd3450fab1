"""Messages taken by a service in one transaction, the bad ones apart.

Promises   each message's inbox key, what the handler wrote and its outbox rows become true together
           or not at all; a message that fails fails alone, and the others keep their order
Form       tried together in a savepoint; where that fails, each half in one of its own, and so on
           down to the single message. Good messages cost the same statements whatever their number
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from hub.envelope import Taken
from hub.mailbox import Mailbox
from hub.store import translated
from hub.streams import Subscriber
from schemas.message import Message, MessageId

__all__ = ["Applied", "apply"]


@dataclass(slots=True)
class Applied:
    """What became of a batch. *to_publish*: all that is in the outbox of its messages."""

    to_publish: list[Taken] = field(default_factory=list)
    failed: dict[MessageId, Exception] = field(default_factory=dict)


def apply(
    connection: Connection,
    messages: Sequence[Message],
    *,
    subscriber: Subscriber,
    mailbox: Mailbox,
    clock: Callable[[], datetime],
) -> Applied:
    """Let *subscriber* take *messages*, each of another id. Raises only where the connection is
    lost, and with it all that was done."""
    applied = Applied()
    taken = _Taking(connection, subscriber, mailbox, clock(), applied)
    repeated = taken.all_of(messages)
    # Taken before, by whom a crash may have kept from publishing.
    applied.to_publish += mailbox.left(connection, repeated)
    return applied


@dataclass(frozen=True, slots=True)
class _Taking:
    connection: Connection
    subscriber: Subscriber
    mailbox: Mailbox
    now: datetime
    applied: Applied

    def all_of(self, messages: Sequence[Message]) -> list[MessageId]:
        """Returns the ids of those that were taken before."""
        if not messages:
            return []
        savepoint = self.connection.begin_nested()
        try:
            with translated():
                led_to, repeated = self._together(messages)
                savepoint.commit()
        except Exception as error:
            if self.connection.invalidated:
                raise
            # Raises where the database has given up the whole transaction.
            savepoint.rollback()
            if len(messages) == 1:
                self.applied.failed[messages[0].id] = error
                return []
        else:
            self.applied.to_publish += led_to
            return repeated
        half = len(messages) // 2
        return [*self.all_of(messages[:half]), *self.all_of(messages[half:])]

    def _together(self, messages: Sequence[Message]) -> tuple[list[Taken], list[MessageId]]:
        """What the new ones led to, and the ids of the others."""
        ids = [message.id for message in messages]
        new = self.mailbox.claim(self.connection, ids, self.now)
        repeated = [each for each in ids if each not in new]
        fresh = [message for message in messages if message.id in new]
        if not fresh:
            return [], repeated
        told = self.subscriber.publications(self.connection, fresh, self.now)
        led_to = {
            cause.id: [self.mailbox.publication(cause, each, self.now) for each in some]
            for cause, some in zip(fresh, told, strict=True)
        }
        self.mailbox.keep(self.connection, led_to)
        return [each for some in led_to.values() for each in some], repeated
