"""How far tables that are not ours are read, and what of them was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "front0001"
down_revision = None
branch_labels = ("front_db",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "front_captures",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("table_name", sa.String(length=63), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("system", "table_name", name="front_captures_once"),
    )
    capture = sa.ForeignKey("front_captures.id")
    op.create_table(
        "front_rows",
        sa.Column("capture", sa.Integer(), capture, primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("digest", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("handed", sa.String(length=16), nullable=True),
        sa.Column("handed_version", sa.BigInteger(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("stamp", sa.String(length=64), nullable=True),
        sa.Column("found", sa.String(length=16), nullable=True),
    )
    op.create_index("front_rows_part", "front_rows", ["capture", "part"])
    for name in ("stamp", "handed_version", "found"):
        some = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"front_rows_{name}",
            "front_rows",
            ["capture", name],
            postgresql_where=some,
            sqlite_where=some,
        )
    op.create_table(
        "front_parts",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("capture", sa.Integer(), sa.ForeignKey("front_captures.id"), nullable=False),
        sa.Column("low", sa.Text(), nullable=False),
        sa.Column("high", sa.Text(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("total", sa.String(length=20), nullable=False),
        sa.UniqueConstraint("capture", "low", name="front_parts_once"),
    )
    op.create_table(
        "front_gaps",
        sa.Column("capture", sa.Integer(), sa.ForeignKey("front_captures.id"), primary_key=True),
        sa.Column("low", sa.BigInteger(), primary_key=True),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("front_gaps_since", "front_gaps", ["capture", "since"])


def downgrade() -> None:
    for name in ("front_gaps", "front_parts", "front_rows", "front_captures"):
        op.drop_table(name)
