"""Which failures of records were told in their writers' tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "front0002"
down_revision = "front0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "front_refusals",
        sa.Column("failure_id", sa.String(length=36), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("front_refusals")
