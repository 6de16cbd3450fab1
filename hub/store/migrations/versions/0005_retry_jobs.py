"""Failures as an operator needs them: what judged them, edits, acts, links, and retries as jobs.

A retry of the time before jobs that never ended waits again: what it sent resolves it all the same.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "hub0005"
down_revision = "hub0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("failures") as failures:
        failures.add_column(sa.Column("mapped", sa.LargeBinary(), nullable=True))
        for name, length in (("kind", 16), ("version", 32), ("dataschema", 96)):
            failures.add_column(
                sa.Column(name, sa.String(length=length), nullable=False, server_default="")
            )
        for name in ("job_id", "redirected_from", "redirected_to"):
            failures.add_column(sa.Column(name, sa.String(length=36), nullable=True))
    op.execute("UPDATE failures SET state = 'waiting' WHERE state = 'retrying'")
    op.create_table(
        "failure_edits",
        sa.Column("failure_id", sa.String(length=36), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("failure_id", "n"),
    )
    op.create_table(
        "failure_acts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=False),
        sa.Column("failure_id", sa.String(length=36), nullable=True),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("failure_acts_untold", "failure_acts", ["told", "id"])
    op.create_index("failure_acts_failure", "failure_acts", ["failure_id"])
    op.create_index("failure_acts_job", "failure_acts", ["job_id"])
    _jobs()


def _jobs() -> None:
    op.create_table(
        "retry_jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=False),
        sa.Column("chosen", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("pace_per_s", sa.Float(), nullable=False),
        sa.Column("stop_share", sa.Float(), nullable=False),
        sa.Column("step_timeout_s", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("lease_owner", sa.String(length=36), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("retry_jobs_state", "retry_jobs", ["state"])
    op.create_table(
        "retry_rows",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("failure_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "n"),
        sa.UniqueConstraint("job_id", "failure_id", name="retry_rows_once"),
    )
    op.create_index("retry_rows_state", "retry_rows", ["state"])
    op.create_index("retry_rows_step", "retry_rows", ["job_id", "step", "state"])


def downgrade() -> None:
    for table in ("retry_rows", "retry_jobs", "failure_acts", "failure_edits"):
        op.drop_table(table)
    with op.batch_alter_table("failures") as failures:
        for name in (
            "mapped",
            "kind",
            "version",
            "dataschema",
            "job_id",
            "redirected_from",
            "redirected_to",
        ):
            failures.drop_column(name)
