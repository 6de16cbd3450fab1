"""Releases of the declarations, which one is live, their queues, and who runs which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "hub0006"
down_revision = "hub0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=512), nullable=False),
        sa.Column("texts", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "release_state",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("live", sa.Integer(), nullable=False),
    )
    op.create_table(
        "route_queues",
        sa.Column("route", sa.String(length=128), primary_key=True),
        sa.Column("in_order", sa.Boolean(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    for table in ("processes", "route_queues", "release_state", "releases"):
        op.drop_table(table)
