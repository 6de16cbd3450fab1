"""A grant's way, and its secret."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalogue0002"
down_revision = "catalogue0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "catalogue_grants",
        sa.Column("way", sa.String(32), nullable=False, server_default="interface"),
    )
    _take_ways()
    op.create_table(
        "grant_secrets",
        sa.Column("grant", sa.String(16), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("former", sa.LargeBinary, nullable=True),
        sa.Column("former_until", sa.DateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("grant_secrets")
    op.drop_column("catalogue_grants", "way")


def _take_ways() -> None:
    """As the applications that led to the grants say."""
    grants = sa.table("catalogue_grants", sa.column("application"), sa.column("way"))
    applications = sa.table(
        "catalogue_applications", sa.column("number"), sa.column("asked", sa.JSON)
    )
    connection = op.get_bind()
    for number, asked in connection.execute(
        sa.select(applications.c.number, applications.c.asked)
    ).all():
        mine = grants.c.application == number
        connection.execute(sa.update(grants).where(mine).values(way=asked["way"]))
