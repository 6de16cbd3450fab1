"""The tables of the hub's own records. Changed by migrations only (`hub/store/migrations`)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect

__all__ = [
    "Moment",
    "cursors",
    "failures",
    "held",
    "inbox",
    "intake_keys",
    "ledger",
    "metadata",
    "outbox",
    "payloads",
    "route_states",
]

metadata = MetaData()
AutoId = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware time; SQLite, which keeps no zone, holds it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


ledger = Table(
    "ledger",
    metadata,
    Column("id", AutoId, primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("event", String(32), nullable=False),
    Column("message_id", String(36), nullable=False),
    Column("record_id", String(36), nullable=False),
    Column("source", String(64), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("operation", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("route", String(128), nullable=False),
    Column("system", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("code", String(64), nullable=False),
    Column("faults", JSON, nullable=False),
    Column("doubts", JSON, nullable=False),
    Column("number", String(128), nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("trace", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Index("ledger_message", "message_id"),
    Index("ledger_record", "record_id"),
    Index("ledger_subject", "subject"),
    Index("ledger_event_at", "event", "at"),
    Index("ledger_trace", "trace"),
)

payloads = Table(
    "payloads",
    metadata,
    Column("message_id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

intake_keys = Table(
    "intake_keys",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("record_id", String(36), nullable=False),
    Column("at", Moment, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("cursor", String(512), nullable=False),
    Column("at", Moment, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("service", String(64), primary_key=True),
    Column("message_id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("record_id", String(36), primary_key=True),
    Column("service", String(64), nullable=False),
    Column("cause_id", String(36), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("operation", String(16), nullable=False),
    Column("key", String(160), nullable=False),
    Column("traceparent", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("outbox_cause", "service", "cause_id"),
)

failures = Table(
    "failures",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("message_id", String(36), nullable=False),
    Column("record_id", String(36), nullable=False),
    Column("stage", String(16), nullable=False),  # intake, route, service
    Column("route", String(128), nullable=False),  # the route or service; "" at intake
    Column("system", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("code", String(64), nullable=False),
    Column("faults", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, retrying, resolved, discarded
    Column("note", String(512), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("edited", LargeBinary, nullable=True),
    UniqueConstraint("message_id", "stage", "route", name="failures_once"),
    Index("failures_state", "state", "fingerprint"),
)

held = Table(
    "held",
    metadata,
    Column("id", AutoId, primary_key=True, autoincrement=True),
    Column("route", String(128), nullable=False),
    Column("key", String(128), nullable=False),  # the subject; "" where the whole route waits
    Column("message_id", String(36), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("due", Moment, nullable=True),  # none: its failure waits for a person
    Column("at", Moment, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("route", "message_id", name="held_once"),
    Index("held_key", "route", "key", "id"),
)

route_states = Table(
    "route_states",
    metadata,
    Column("route", String(128), primary_key=True),
    Column("state", String(16), nullable=False),  # flowing, halted
    Column("code", String(64), nullable=False),
    Column("faults", JSON, nullable=False),
    Column("since", Moment, nullable=False),
)
