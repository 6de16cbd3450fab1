"""Versions of resources, acts on them, applications, grants and their use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalogue0001"
down_revision = None
branch_labels = ("catalogue",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalogue_codes",
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("resource", sa.String(64), nullable=False),
    )
    op.create_table(
        "catalogue_versions",
        sa.Column("resource", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.String(200), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.String(64), nullable=False),
        sa.Column("ends", sa.Date, nullable=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("accepted", sa.Boolean, nullable=False),
    )
    op.create_index("catalogue_versions_state", "catalogue_versions", ["state", "since"])
    op.create_table(
        "catalogue_acts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(96), nullable=False),
        sa.Column("act", sa.String(24), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("release", sa.Integer, nullable=True),
    )
    op.create_index("catalogue_acts_subject", "catalogue_acts", ["subject", "id"])
    op.create_table(
        "catalogue_applications",
        sa.Column("number", sa.String(16), primary_key=True),
        sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("system", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("provider", sa.String(200), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.String(64), nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
    )
    op.create_index("catalogue_applications_state", "catalogue_applications", ["state", "since"])
    op.create_table(
        "catalogue_grants",
        sa.Column("number", sa.String(16), primary_key=True),
        sa.Column("application", sa.String(16), nullable=False),
        sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("system", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("route", sa.String(128), nullable=False),
        sa.Column("items", sa.JSON, nullable=False),
        sa.Column("purpose", sa.String(512), nullable=False),
        sa.Column("per_day", sa.Integer, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned", sa.Boolean, nullable=False),
    )
    op.create_index("catalogue_grants_resource", "catalogue_grants", ["resource", "state"])
    op.create_index("catalogue_grants_state", "catalogue_grants", ["state", "ends"])
    op.create_table(
        "grant_days",
        sa.Column("grant", sa.String(16), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("taken", sa.Integer, nullable=False),
    )
    op.create_table(
        "grant_use",
        sa.Column("grant", sa.String(16), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("item", sa.String(160), primary_key=True),
        sa.Column("messages", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "grant_use_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    for table in (
        "grant_use_state",
        "grant_use",
        "grant_days",
        "catalogue_grants",
        "catalogue_applications",
        "catalogue_acts",
        "catalogue_versions",
        "catalogue_codes",
    ):
        op.drop_table(table)
