"""The ledger in partitions, chained; bodies once by digest; replays. What was kept is taken over.

Old rows are chained in the order of their ids. Of a message published before, the ledger does not
know the whole envelope: such a message can be looked at, not replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.store.append import append
from hub.store.chain import first_link
from hub.store.partitions import REST, create, span_of
from hub.store.tables import Moment

revision = "hub0003"
down_revision = "hub0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CHUNK = 1000
TEXTS = {
    "key": 160,
    "event": 32,
    "message_id": 36,
    "record_id": 36,
    "source": 64,
    "resource": 64,
    "operation": 16,
    "subject": 128,
    "route": 128,
    "version": 16,
    "system": 64,
    "code": 64,
    "number": 128,
    "trace": 32,
    "digest": 64,
    "by": 64,
}
INDEXES = {
    "ledger_at": ("at", "id"),
    "ledger_message": ("message_id",),
    "ledger_record": ("record_id",),
    "ledger_subject": ("subject",),
    "ledger_trace": ("trace",),
    "ledger_event": ("event", "at"),
    "ledger_source": ("source", "at"),
    "ledger_system": ("system", "at"),
}
SPARSE = {"ledger_record": "record_id <> ''", "ledger_system": "system <> ''"}


def upgrade() -> None:
    connection = op.get_bind()
    op.rename_table("payloads", "payloads_before")
    op.rename_table("ledger", "ledger_before")
    for name in ("event_at", "message", "record", "subject", "trace"):
        op.drop_index(f"ledger_{name}", "ledger_before")
    if connection.dialect.name == "postgresql":
        _rename_keys()
    _create_registers()
    _create_ledger(connection)
    _create_payloads(connection)
    _take_over(connection)
    op.drop_table("payloads_before")
    op.drop_table("ledger_before")


def _rename_keys() -> None:
    """Names of constraints live on with a renamed table; ours need them."""
    for table, was, new in (
        ("payloads_before", "payloads_pkey", "payloads_before_pkey"),
        ("ledger_before", "ledger_pkey", "ledger_before_pkey"),
        ("ledger_before", "ledger_key_key", "ledger_before_key"),
    ):
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {was} TO {new}")
    op.execute("ALTER SEQUENCE ledger_id_seq RENAME TO ledger_before_id_seq")


def _create_registers() -> None:
    at = sa.DateTime(timezone=True)
    op.create_table(
        "ledger_keys",
        sa.Column("mark", sa.LargeBinary(16), primary_key=True),
    )
    op.create_table(
        "ledger_partitions",
        sa.Column("name", sa.String(10), primary_key=True),
        sa.Column("since", at, nullable=True),
        sa.Column("until", at, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        sa.Column("payloads", sa.String(16), nullable=False),
    )
    op.create_table(
        "ledger_checkpoints",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("part", sa.String(10), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        sa.Column("at", at, nullable=False),
        sa.Column("closing", sa.Boolean(), nullable=False),
        sa.Column("chained", sa.LargeBinary(32), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("signed_by", sa.String(64), nullable=False),
    )
    op.create_index("ledger_checkpoints_part", "ledger_checkpoints", ["part", "rows"])
    op.create_table(
        "replays",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("since", at, nullable=False),
        sa.Column("until", at, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("place", sa.String(128), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", at, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("position", sa.String(64), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
    )


def _create_ledger(connection: sa.Connection) -> None:
    partitioned = connection.dialect.name == "postgresql"
    # Bytes as they are: prefixes and ranges of ids and subjects are found by index.
    collation = "C" if partitioned else None
    texts = {
        name: sa.Column(name, sa.String(length, collation=collation), nullable=False)
        for name, length in TEXTS.items()
    }
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "ledger",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("part", sa.String(10), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        texts.pop("key"),
        sa.Column("at", moment, nullable=False),
        *texts.values(),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("doubts", sa.JSON(), nullable=False),
        sa.Column("envelope", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint(*(("id", "at") if partitioned else ("id",))),
        postgresql_partition_by="RANGE (at)",
    )
    for name, columns in INDEXES.items():
        sparse = SPARSE.get(name)
        where = sa.text(sparse) if sparse else None
        op.create_index(name, "ledger", list(columns), postgresql_where=where)
    if partitioned:
        op.execute("CREATE TABLE ledger_rest PARTITION OF ledger DEFAULT")
    else:
        op.create_index("ledger_part", "ledger", ["part"])
    register = sa.table("ledger_partitions", *map(sa.column, ("name", "state", "rows", "payloads")))
    register.append_column(sa.column("link", sa.LargeBinary()))
    op.bulk_insert(
        register,
        [
            {
                "name": REST,
                "state": "open",
                "rows": 0,
                "payloads": "kept",
                "link": first_link(REST),
            }
        ],
    )


def _create_payloads(connection: sa.Connection) -> None:
    op.create_table(
        "payloads",
        sa.Column("part", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("part", "digest"),
        postgresql_partition_by="LIST (part)",
    )
    if connection.dialect.name == "postgresql":
        op.execute("CREATE TABLE payloads_rest PARTITION OF payloads DEFAULT")
        # Sealed bytes do not shrink: PostgreSQL need not try.
        op.execute("ALTER TABLE payloads ALTER sealed SET STORAGE EXTERNAL")


def _take_over(connection: sa.Connection) -> None:
    """Append what was kept, in its order."""
    for rows in _before(connection):
        for at in sorted({span_of(row["at"], "month").since for row in rows}):
            create(connection, [at], by="month")
        bodies = {row["digest"]: row.pop("sealed") for row in rows if row["sealed"] is not None}
        for row in rows:
            row.pop("sealed", None)
        append(connection, rows, bodies, now=datetime.now(UTC))


def _before(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    plain = [name for name in (*TEXTS, "attempt", "took_ms") if name != "version"]
    old = sa.table(
        "ledger_before",
        sa.column("id"),
        sa.column("at", Moment()),
        sa.column("faults", sa.JSON()),
        sa.column("doubts", sa.JSON()),
        *map(sa.column, plain),
    )
    kept = sa.table("payloads_before", sa.column("message_id"), sa.column("sealed"))
    body = sa.select(kept.c.sealed).where(
        kept.c.message_id == old.c.message_id, old.c.event == "message.published"
    )
    query = sa.select(old, body.scalar_subquery().label("sealed")).order_by(old.c.id).limit(CHUNK)
    last = 0
    while found := connection.execute(query.where(old.c.id > last)).mappings().all():
        last = found[-1]["id"]
        yield [
            {
                **{name: value for name, value in row.items() if name != "id"},
                "version": "",
                "envelope": None,
            }
            for row in found
        ]


def downgrade() -> None:
    raise NotImplementedError("The ledger's chain cannot be taken apart and kept")
