"""The envelope: a partner's record on its way in, the canonical message, a delivery, an answer.

Standard   CloudEvents 1.0 attributes, W3C Trace Context, GB/T 39046-2020 for the bodies
Form       `Record.body` is in the partner's own words; `Message.body` has canonical short names only
Units      sizes in bytes; times are aware `datetime`s; text times in bodies are Beijing time (UTC+8)
Careful    the AMQP ``message_id`` is another thing: random per publish, see `hub.broker`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NewType

from msgspec import Struct, field

__all__ = [
    "Answer",
    "Body",
    "Delivery",
    "Json",
    "Message",
    "MessageId",
    "Operation",
    "Publication",
    "Record",
    "ResourceName",
    "RouteName",
    "SystemCode",
]

MessageId = NewType("MessageId", str)
SystemCode = NewType("SystemCode", str)
ResourceName = NewType("ResourceName", str)
RouteName = NewType("RouteName", str)

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
Body = Mapping[str, Json]


class Operation(StrEnum):
    """What happened to the subject; the second word of a message's type and routing key."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Record(Struct, frozen=True, kw_only=True):
    """What a connector brings in: one record of a system, in that system's own words.

    *kind* names the sort of record within the system (an intake declaration is found by system and
    kind). *key* is the sender's idempotency key: two records with the same system, kind and key are
    the same record. *cursor* resumes a pulled source right after this record.
    """

    kind: str
    key: str
    body: Body
    cursor: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """A canonical message, as it stands on its stream."""

    id: MessageId
    source: SystemCode
    resource: ResourceName
    operation: Operation
    subject: str
    time: datetime
    region: str
    sequence: int
    dataschema: str
    digest: str
    traceparent: str
    body: Body

    @property
    def type(self) -> str:
        return f"{self.resource}.{self.operation}"


class Publication(Struct, frozen=True, kw_only=True):
    """A message a domain service wants published; the pipeline validates and stamps it.

    *key* makes it idempotent: publishing the same source, resource and key again changes nothing.
    """

    resource: ResourceName
    operation: Operation
    key: str
    body: Body


class Delivery(Struct, frozen=True, kw_only=True):
    """One message on one route to one system.

    *payload* is in the target's words; *call* names what is asked of the target (an operation of
    its interface, a path, a table), as the route declares it. *attempt* counts from 1.
    """

    message: Message
    route: RouteName
    call: str
    payload: Body
    attempt: int = 1

    @property
    def key(self) -> str:
        """The idempotency key the target sees: the same for every attempt, unlike for any other."""
        return f"{self.message.id}.{self.route}"


class Answer(Struct, frozen=True):
    """What a target answered: its own number for what it holds, and whether it had it already."""

    number: str
    repeated: bool = False
    facts: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
