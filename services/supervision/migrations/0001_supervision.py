"""Supervision's cases and cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "supervision0001"
down_revision = None
branch_labels = ("supervision",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supervision_cases",
        sa.Column("case_no", sa.String(50), primary_key=True),
        sa.Column("kept", sa.JSON, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
    )
    op.create_index("supervision_cases_open", "supervision_cases", ["open"])
    op.create_table(
        "supervision_cards",
        sa.Column("case_no", sa.String(50), primary_key=True),
        sa.Column("colour", sa.String(8), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("task_name", sa.String(200), nullable=False),
        sa.Column("org", sa.String(100), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("since", sa.String(32), nullable=False),
    )
    op.create_index("supervision_cards_colour", "supervision_cards", ["colour", "since"])


def downgrade() -> None:
    op.drop_table("supervision_cards")
    op.drop_table("supervision_cases")
