"""What the hub keeps of the shape of tables that are not its own.

Changed by migrations only (`front_db/migrations`).
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from front_db.book_tables import metadata
from hub.store.tables import Moment

__all__ = ["shapes"]

shapes = Table(
    "front_shapes",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("table_name", String(63), primary_key=True),
    Column("agreed", JSON, nullable=False),  # columns by name: type, may be empty, of the key
    Column(
        "found", JSON, nullable=False
    ),  # the same, where it loses something; {} while it does not
    Column("lost", JSON, nullable=False),  # what of it loses, in words; [] likewise
    Column("grown", JSON, nullable=False),  # what has only been added, last time
    Column("at", Moment, nullable=False),  # of the last change
)
