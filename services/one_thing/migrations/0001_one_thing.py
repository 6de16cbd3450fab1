"""One-thing's applications and items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "onething0001"
down_revision = None
branch_labels = ("one_thing",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "one_thing_applications",
        sa.Column("number", sa.String(50), primary_key=True),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("theme", sa.String(200), nullable=False),
        sa.Column("applicant_masked", sa.String(100), nullable=False),
        sa.Column("apply_time", sa.String(19), nullable=False),
        sa.Column("delivery_mode", sa.String(1), nullable=False),
        sa.Column("state", sa.String(1), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "one_thing_applications_state", "one_thing_applications", ["state", "updated_at"]
    )
    op.create_table(
        "one_thing_items",
        sa.Column("case_no", sa.String(50), primary_key=True),
        sa.Column("application", sa.String(50), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("catalog_code", sa.String(12), nullable=False),
        sa.Column("task_name", sa.String(200), nullable=False),
        sa.Column("org", sa.String(100), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("state", sa.String(1), nullable=False),
        sa.Column("accepted_published", sa.Boolean, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("one_thing_items_application", "one_thing_items", ["application"])


def downgrade() -> None:
    op.drop_table("one_thing_items")
    op.drop_table("one_thing_applications")
