"""A service's inbox and outbox (收件箱、发件箱): what it has taken, and what it has still to publish.

Promises   set-based: a statement or two for many messages, whatever their number
Careful    an outbox row goes when what it tells is confirmed; what a crash left is published again
           under the same id, which is the same record to the pipeline
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, String, bindparam, delete, select, text

from hub.crypto import Seal
from hub.envelope import Taken, decode_body, encode_body
from hub.ids import child_span, derived_id
from hub.store import insert_once
from hub.store.tables import Moment, outbox
from schemas.message import Message, MessageId, Operation, Publication, Record, SystemCode

__all__ = ["Mailbox"]

_AT = bindparam("at", type_=Moment)
_POSTGRESQL = text("""
    INSERT INTO inbox (service, message_id, at)
    SELECT :service, id, :at FROM unnest(CAST(:ids AS text[])) AS id
    ON CONFLICT DO NOTHING
    RETURNING message_id
""").bindparams(_AT)
_SQLITE = text("""
    INSERT INTO inbox (service, message_id, at)
    SELECT :service, value, :at FROM json_each(:ids)
    WHERE true
    ON CONFLICT DO NOTHING
    RETURNING message_id
""").bindparams(_AT)
_LENGTHS = {
    column.name: column.type.length
    for column in (outbox.c.resource, outbox.c.key)
    if isinstance(column.type, String) and column.type.length
}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Of the service *service*; *seal* keeps bodies unreadable at rest."""

    service: str
    seal: Seal

    def claim(
        self, connection: Connection, ids: Collection[MessageId], at: datetime
    ) -> Collection[str]:
        """Those of *ids* that the service has not taken before; it has now."""
        # In one order everywhere, so that two processes never wait for each other in a circle.
        ordered = sorted(ids)
        embedded = connection.dialect.name == "sqlite"
        told: object = orjson.dumps(ordered).decode() if embedded else ordered
        values = {"service": self.service, "ids": told, "at": at}
        return set(connection.scalars(_SQLITE if embedded else _POSTGRESQL, values))

    def publication(self, cause: Message, publication: Publication, at: datetime) -> Taken:
        """What *cause* led to, as a record; the same id whenever it is derived."""
        _check(publication)
        parts = (self.service, publication.resource, publication.key)
        return Taken(
            id=derived_id(cause.id, *parts),
            system=SystemCode(self.service),
            received_at=at,
            traceparent=child_span(cause.traceparent),
            record=Record(kind=publication.resource, key=publication.key, body=publication.body),
            canonical=publication.operation,
        )

    def keep(self, connection: Connection, led_to: Mapping[MessageId, Iterable[Taken]]) -> None:
        """Put what each message led to into the outbox."""
        rows = [self._row(cause, each) for cause, some in led_to.items() for each in some]
        if rows:
            connection.execute(insert_once(connection, outbox), rows)

    def left_behind(
        self, connection: Connection, after: str, most: int
    ) -> tuple[Sequence[MessageId], list[Taken]]:
        """The first *most* messages behind *after* of which something is in the outbox, in the order
        of their ids, and what it is."""
        c, mine = outbox.c, outbox.c.service == self.service
        causes = select(c.cause_id).where(mine, c.cause_id > after).distinct()
        some = c.cause_id.in_(causes.order_by(c.cause_id).limit(most))
        query = select(outbox).where(mine, some).order_by(c.cause_id, c.record_id)
        rows = connection.execute(query).all()
        found = dict.fromkeys(MessageId(row.cause_id) for row in rows)
        return list(found), [self._taken(row) for row in rows]

    def left(self, connection: Connection, causes: Collection[MessageId]) -> list[Taken]:
        """What is still in the outbox of *causes*."""
        if not causes:
            return []
        query = select(outbox).where(self._of(causes)).order_by(outbox.c.record_id)
        return [self._taken(row) for row in connection.execute(query)]

    def clear(self, connection: Connection, causes: Collection[MessageId]) -> None:
        connection.execute(delete(outbox).where(self._of(causes)))

    def _of(self, causes: Collection[MessageId]) -> Any:
        return (outbox.c.service == self.service) & outbox.c.cause_id.in_(sorted(causes))

    def _row(self, cause: MessageId, taken: Taken) -> dict[str, Any]:
        return {
            "record_id": taken.id,
            "service": self.service,
            "cause_id": cause,
            "resource": taken.record.kind,
            "operation": (taken.canonical or Operation.CREATED).value,
            "key": taken.record.key,
            "traceparent": taken.traceparent,
            "at": taken.received_at,
            "sealed": self.seal.seal(encode_body(taken.record.body)),
        }

    def _taken(self, row: Any) -> Taken:
        body = decode_body(self.seal.open(row.sealed))
        return Taken(
            id=MessageId(row.record_id),
            system=SystemCode(self.service),
            received_at=row.at,
            traceparent=row.traceparent,
            record=Record(kind=row.resource, key=row.key, body=body),
            canonical=Operation(row.operation),
        )


def _check(publication: Publication) -> None:
    """Both databases refuse the same: SQLite alone would keep any length."""
    for name, value in (("resource", publication.resource), ("key", publication.key)):
        if len(value) > _LENGTHS[name]:
            raise ValueError(f"A publication's {name} is longer than {_LENGTHS[name]} characters")
