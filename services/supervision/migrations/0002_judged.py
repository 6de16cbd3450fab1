"""By which day, rules and calendar an open case was last judged: the sweep takes up the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "supervision0002"
down_revision = "supervision0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    judged = sa.Column("judged", sa.String(200), nullable=False, server_default="")
    op.add_column("supervision_cases", judged)
    op.drop_index("supervision_cases_open", "supervision_cases")
    op.create_index("supervision_cases_open", "supervision_cases", ["open", "judged"])


def downgrade() -> None:
    op.drop_index("supervision_cases_open", "supervision_cases")
    op.create_index("supervision_cases_open", "supervision_cases", ["open"])
    op.drop_column("supervision_cases", "judged")
