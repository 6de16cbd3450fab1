"""What one-thing keeps: applications, and for each item what has been reported of it.

Careful    personal values are kept sealed, and only where a later publication needs them
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

__all__ = ["Moment", "applications", "items", "metadata"]

metadata = MetaData()


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


applications = Table(
    "one_thing_applications",
    metadata,
    Column("number", String(50), primary_key=True),
    Column("region", String(6), nullable=False),
    Column("theme", String(200), nullable=False),
    Column("applicant_masked", String(100), nullable=False),
    Column("apply_time", String(19), nullable=False),
    Column("delivery_mode", String(1), nullable=False),
    Column("state", String(1), nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("one_thing_applications_state", "state", "updated_at"),
)

items = Table(
    "one_thing_items",
    metadata,
    Column("case_no", String(50), primary_key=True),
    Column("application", String(50), nullable=False),  # "" while the item case is not known
    Column("number", Integer, nullable=False),
    Column("catalog_code", String(12), nullable=False),
    Column("task_name", String(200), nullable=False),
    Column("org", String(100), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("state", String(1), nullable=False),
    Column("accepted_published", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Column("updated_at", Moment, nullable=False),
    Index("one_thing_items_application", "application"),
)
