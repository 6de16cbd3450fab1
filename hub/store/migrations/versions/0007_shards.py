"""Processes that share the pipeline's queues, and messages that may break one of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "hub0007"
down_revision = "hub0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "suspects",
        sa.Column("key", sa.String(length=64), primary_key=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_up", sa.Boolean(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("suspects")
    op.drop_table("pipelines")
