"""The tables of the catalogue's life: versions, acts on them, applications, grants and their use.

Changed by migrations only (`hub/store/migrations/catalogue`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from hub.store.tables import Moment

__all__ = [
    "catalogue_acts",
    "catalogue_applications",
    "catalogue_codes",
    "catalogue_grants",
    "catalogue_uploads",
    "catalogue_versions",
    "grant_days",
    "grant_secrets",
    "grant_use",
    "grant_use_state",
    "resource_days",
    "resource_days_state",
]

metadata = MetaData()

catalogue_codes = Table(
    "catalogue_codes",
    metadata,
    # Given out once and for all: a withdrawn resource keeps its code.
    Column("code", String(64), primary_key=True),
    Column("resource", String(64), nullable=False),
)

catalogue_versions = Table(
    "catalogue_versions",
    metadata,
    Column("resource", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("provider", String(200), nullable=False),
    Column("state", String(24), nullable=False),
    Column("since", Moment, nullable=False),
    Column("submitted_by", String(64), nullable=False),
    Column("ends", Date, nullable=True),
    Column("text", Text, nullable=False),  # the resource's file
    Column("accepted", Boolean, nullable=False),  # superseded, and still taken from producers
    Index("catalogue_versions_state", "state", "since"),
)

catalogue_acts = Table(
    "catalogue_acts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("unit", String(200), nullable=False),
    Column(
        "subject", String(96), nullable=False
    ),  # resource/number, or an application's, a grant's
    Column("act", String(24), nullable=False),
    Column("state", String(24), nullable=False),  # after it
    Column("reasons", JSON, nullable=False),
    Column("release", Integer, nullable=True),  # that it led to
    Index("catalogue_acts_subject", "subject", "id"),
)

catalogue_applications = Table(
    "catalogue_applications",
    metadata,
    Column("number", String(16), primary_key=True),
    Column("resource", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("unit", String(200), nullable=False),
    Column("provider", String(200), nullable=False),
    Column("state", String(24), nullable=False),
    Column("since", Moment, nullable=False),
    Column("submitted_by", String(64), nullable=False),
    Column("asked", JSON, nullable=False),
    Index("catalogue_applications_state", "state", "since"),
)

catalogue_grants = Table(
    "catalogue_grants",
    metadata,
    Column("number", String(16), primary_key=True),
    Column("application", String(16), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("unit", String(200), nullable=False),
    Column("route", String(128), nullable=False),
    Column("items", JSON, nullable=False),
    Column("purpose", String(512), nullable=False),
    Column("per_day", Integer, nullable=True),
    Column("state", String(16), nullable=False),  # active, ended, revoked
    Column("since", Moment, nullable=False),
    Column("ends", Moment, nullable=False),
    Column("warned", Boolean, nullable=False),
    Column("way", String(32), nullable=False, server_default="interface"),
    Index("catalogue_grants_resource", "resource", "state"),
    Index("catalogue_grants_state", "state", "ends"),
)

catalogue_uploads = Table(
    "catalogue_uploads",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("content", LargeBinary, nullable=False),  # a spreadsheet that waits to be confirmed
    Index("catalogue_uploads_at", "at"),
)

grant_secrets = Table(
    "grant_secrets",
    metadata,
    Column("grant", String(16), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("collected_at", Moment, nullable=True),  # shown to a person, once
    Column("former", LargeBinary, nullable=True),  # the one before, good until `former_until`
    Column("former_until", Moment, nullable=True),
)

grant_days = Table(
    "grant_days",
    metadata,
    Column("grant", String(16), primary_key=True),
    Column("day", String(10), primary_key=True),  # of Beijing
    Column("taken", Integer, nullable=False),
)

grant_use = Table(
    "grant_use",
    metadata,
    Column("grant", String(16), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("item", String(160), primary_key=True),  # "" for the message as a whole
    Column("messages", BigInteger, nullable=False),
)

resource_days = Table(
    "resource_days",
    metadata,
    Column("resource", String(64), primary_key=True),
    Column("day", Date, primary_key=True),  # of Beijing
    Column("messages", BigInteger, nullable=False),
)

resource_days_state = Table(
    "resource_days_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("position", BigInteger, nullable=False),  # how far the ledger has been read
)

grant_use_state = Table(
    "grant_use_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("position", String(64), nullable=False),  # how far the ledger has been read
)
