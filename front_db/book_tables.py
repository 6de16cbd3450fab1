"""What the hub keeps of tables that are not its own: how far each is read, and what was told.

Changed by migrations only (`front_db/migrations`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hub.store.tables import Moment

__all__ = ["captures", "gaps", "leases", "metadata", "parts", "rows"]

metadata = MetaData()

captures = Table(
    "front_captures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("system", String(64), nullable=False),
    Column("table_name", String(63), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("position", Text, nullable=False),  # in the reader's own words; "" at the beginning
    Column("version", BigInteger, nullable=False),  # the highest that was given to a change
    Column("code", String(64), nullable=False),  # why it stands still; "" while it goes on
    Column("facts", JSON, nullable=False),  # of that
    Column("allowed", Boolean, nullable=False),  # a person has said that it shall go on
    Column("figures", JSON, nullable=False),  # what its status shows
    Column("at", Moment, nullable=False),
    UniqueConstraint("system", "table_name", name="front_captures_once"),
)

rows = Table(
    "front_rows",
    metadata,
    Column("capture", Integer, ForeignKey("front_captures.id"), primary_key=True),
    Column("key", Text, primary_key=True),  # see `front_db.keys`
    Column(
        "digest", String(16), nullable=False
    ),  # of what was told last; "" where nothing is there
    Column("version", BigInteger, nullable=False),  # of that
    Column("handed", String(16), nullable=True),  # digest of what was handed on and is not safe yet
    Column("handed_version", BigInteger, nullable=True),
    Column("part", Integer, nullable=True),  # the range of keys that it is compared in
    Column("stamp", String(64), nullable=True),  # of the mark; see `front_db.watermark`
    Column("found", String(16), nullable=True),  # digest by which a comparison found it different
    Index("front_rows_part", "capture", "part"),
)
# Of millions of rows few are in the window, in flight or different.
for _name in ("stamp", "handed_version", "found"):
    _some = rows.c[_name].is_not(None)
    Index(
        f"front_rows_{_name}",
        rows.c.capture,
        rows.c[_name],
        postgresql_where=_some,
        sqlite_where=_some,
    )

parts = Table(
    "front_parts",
    metadata,
    # A range of keys, in the partner's order: behind *low*, up to *high*; "" is an open end.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("capture", Integer, ForeignKey("front_captures.id"), nullable=False),
    Column("low", Text, nullable=False),
    Column("high", Text, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("total", String(20), nullable=False),  # of the rows' digests; "" where it must be read
    UniqueConstraint("capture", "low", name="front_parts_once"),
)

gaps = Table(
    "front_gaps",
    metadata,
    Column("capture", Integer, ForeignKey("front_captures.id"), primary_key=True),
    Column("low", BigInteger, primary_key=True),  # the first number that is missing
    Column("high", BigInteger, nullable=False),  # the last
    Column("since", Moment, nullable=False),
    Index("front_gaps_since", "capture", "since"),
)

leases = Table(
    "front_leases",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", Moment, nullable=False),
)
