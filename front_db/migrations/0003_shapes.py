"""The shape of each partner's table that was agreed, and a later one that loses something."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "front0003"
down_revision = "front0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "front_shapes",
        sa.Column("system", sa.String(length=64), primary_key=True),
        sa.Column("table_name", sa.String(length=63), primary_key=True),
        sa.Column("agreed", sa.JSON(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("lost", sa.JSON(), nullable=False),
        sa.Column("grown", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("front_shapes")
