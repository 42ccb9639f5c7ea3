"""Keep corrections beside what was said, and which run a job came from

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segments", sa.Column("correction", sa.Text(), nullable=True))
    op.add_column(
        "segments", sa.Column("revision", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("segments", sa.Column("corrected_by", sa.String(length=80), nullable=True))
    op.add_column("segments", sa.Column("corrected_ms", sa.BigInteger(), nullable=True))
    op.add_column("segments", sa.Column("taken_from", sa.String(length=16), nullable=True))
    op.add_column("jobs", sa.Column("source_id", sa.String(length=16), nullable=True))
    op.add_column(
        "jobs", sa.Column("windows_taken", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    for name in ("windows_taken", "source_id"):
        op.drop_column("jobs", name)
    for name in ("taken_from", "corrected_ms", "corrected_by", "revision", "correction"):
        op.drop_column("segments", name)
