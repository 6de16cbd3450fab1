"""Spreadsheets that wait to be confirmed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalogue0004"
down_revision = "catalogue0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalogue_uploads",
        sa.Column("token", sa.String(32), primary_key=True),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_index("catalogue_uploads_at", "catalogue_uploads", ["at"])


def downgrade() -> None:
    op.drop_table("catalogue_uploads")
