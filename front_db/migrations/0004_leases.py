"""Who reads a partner's tables, so that no two do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "front0004"
down_revision = "front0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "front_leases",
        sa.Column("system", sa.String(length=64), primary_key=True),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("front_leases")
