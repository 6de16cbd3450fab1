"""The tables of the hub's own records. Changed by migrations only (`hub/store/migrations`)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
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
    "failure_acts",
    "failure_edits",
    "failures",
    "held",
    "inbox",
    "intake_keys",
    "ledger",
    "ledger_checkpoints",
    "ledger_keys",
    "ledger_partitions",
    "metadata",
    "outbox",
    "payloads",
    "pipelines",
    "processes",
    "release_state",
    "releases",
    "replays",
    "retry_jobs",
    "retry_rows",
    "route_queues",
    "route_states",
    "suspects",
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
    # In PostgreSQL partitioned by range of `at`, with (id, at) as its key.
    Column("id", AutoId, primary_key=True, autoincrement=True),
    Column("part", String(10), nullable=False),  # of the chain; see `ledger_partitions`
    Column("seq", BigInteger, nullable=False),  # place in the chain, from 1
    Column("link", LargeBinary(32), nullable=False),  # see `hub.store.chain`
    Column("key", String(160), nullable=False),
    Column("at", Moment, nullable=False),
    Column("event", String(32), nullable=False),
    Column("message_id", String(36), nullable=False),
    Column("record_id", String(36), nullable=False),
    Column("source", String(64), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("operation", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("route", String(128), nullable=False),
    Column("version", String(16), nullable=False),
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
    Column("envelope", JSON, nullable=True),  # of a published message: what no column holds
    Index("ledger_at", "at", "id"),
    Index("ledger_message", "message_id"),
    Index("ledger_record", "record_id"),
    Index("ledger_subject", "subject"),
    Index("ledger_trace", "trace"),
    Index("ledger_event", "event", "at"),
    Index("ledger_source", "source", "at"),
    Index("ledger_system", "system", "at"),
)

ledger_keys = Table(
    "ledger_keys",
    metadata,
    Column("mark", LargeBinary(16), primary_key=True),  # of a row's key; see `hub.store.append`
)

ledger_partitions = Table(
    "ledger_partitions",
    metadata,
    Column("name", String(10), primary_key=True),
    Column("since", Moment, nullable=True),  # none: what no other partition takes
    Column("until", Moment, nullable=True),
    Column("state", String(16), nullable=False),  # open, dropped
    Column("rows", BigInteger, nullable=False),
    Column("link", LargeBinary(32), nullable=False),  # of the last row
    Column("payloads", String(16), nullable=False),  # kept, dropped
)

ledger_checkpoints = Table(
    "ledger_checkpoints",
    metadata,
    Column("id", AutoId, primary_key=True, autoincrement=True),
    Column("part", String(10), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("link", LargeBinary(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("closing", Boolean, nullable=False),  # the last one: the partition was dropped
    Column("chained", LargeBinary(32), nullable=False),  # checkpoints are a chain of their own
    Column("signature", LargeBinary, nullable=True),  # SM2 over `chained`; none as yet
    Column("signed_by", String(64), nullable=False),  # id of the key; "" as yet
    Index("ledger_checkpoints_part", "part", "rows"),
)

payloads = Table(
    "payloads",
    metadata,
    # A body is kept once a partition, by its SM3. In PostgreSQL partitioned by list of `part`.
    Column("part", String(10), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

replays = Table(
    "replays",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("resource", String(64), nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("step", String(16), nullable=False),  # intake, stream, route, service
    Column("place", String(128), nullable=False),  # the route or service; "" otherwise
    Column("source", String(16), nullable=False),  # history, ledger
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(16), nullable=False),  # running, done
    Column("position", String(64), nullable=False),  # "" at the beginning
    Column("sent", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
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
    # waiting, retrying, resolved, discarded, redirected
    Column("state", String(16), nullable=False),
    Column("note", String(512), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("edited", LargeBinary, nullable=True),  # the last edit
    Column("mapped", LargeBinary, nullable=True),  # what the target was given, sealed
    Column("kind", String(16), nullable=False, server_default=""),  # the class of the error
    Column("version", String(32), nullable=False, server_default=""),  # of the route or rule
    Column("dataschema", String(96), nullable=False, server_default=""),
    Column("job_id", String(36), nullable=True),  # the retry that has claimed it
    Column("redirected_from", String(36), nullable=True),
    Column("redirected_to", String(36), nullable=True),
    UniqueConstraint("message_id", "stage", "route", name="failures_once"),
    Index("failures_state", "state", "fingerprint"),
)

failure_edits = Table(
    "failure_edits",
    metadata,
    Column("failure_id", String(36), primary_key=True),
    Column("n", Integer, primary_key=True),  # from 1
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", String(512), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

failure_acts = Table(
    "failure_acts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("act", String(32), nullable=False),
    Column("reason", String(512), nullable=False),
    Column("failure_id", String(36), nullable=True),  # none: the job as a whole
    Column("job_id", String(36), nullable=True),
    Column("told", Boolean, nullable=False),  # whether the ledger has been told
    Index("failure_acts_untold", "told", "id"),
    Index("failure_acts_failure", "failure_id"),
    Index("failure_acts_job", "job_id"),
)

retry_jobs = Table(
    "retry_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", String(512), nullable=False),
    Column("chosen", JSON, nullable=False),  # the filter, as it was asked for
    Column("total", Integer, nullable=False),
    Column("steps", JSON, nullable=False),  # how many in each of the first steps
    Column("pace_per_s", Float, nullable=False),  # 0: as fast as it goes
    Column("stop_share", Float, nullable=False),
    Column("step_timeout_s", Float, nullable=False),
    Column("state", String(16), nullable=False),  # running, paused, stopped, cancelled, done
    Column("step", Integer, nullable=False),  # from 0
    Column("ended_at", Moment, nullable=True),
    Column("lease_owner", String(36), nullable=True),
    Column("lease_until", Moment, nullable=True),
    Index("retry_jobs_state", "state"),
)

retry_rows = Table(
    "retry_rows",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("failure_id", String(36), nullable=False),
    Column("step", Integer, nullable=False),  # -1 until it is claimed
    # pinned, claimed, staged, sent, done, failed, skipped
    Column("state", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("job_id", "failure_id", name="retry_rows_once"),
    Index("retry_rows_state", "state"),
    Index("retry_rows_step", "job_id", "step", "state"),
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

releases = Table(
    "releases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("note", String(512), nullable=False),
    Column("texts", LargeBinary, nullable=False),  # JSON, deflated
)

release_state = Table(
    "release_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("live", Integer, nullable=False),
)

route_queues = Table(
    "route_queues",
    metadata,
    Column("route", String(128), primary_key=True),  # and ``:ordered``, where it is that queue
    Column("in_order", Boolean, nullable=False),
    Column("types", JSON, nullable=False),  # all that it was ever bound to
    Column("release", Integer, nullable=False),  # the last that declares it
)

processes = Table(
    "processes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("release", Integer, nullable=False),
    Column("code", String(64), nullable=False),  # why it is behind; "" where all is well
    Column("at", Moment, nullable=False),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
)

suspects = Table(
    "suspects",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("times", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("given_up", Boolean, nullable=False),
)
