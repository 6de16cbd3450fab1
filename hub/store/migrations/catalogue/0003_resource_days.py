"""On which days a resource had something new."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalogue0003"
down_revision = "catalogue0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "resource_days",
        sa.Column("resource", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("messages", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "resource_days_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("resource_days_state")
    op.drop_table("resource_days")
