"""Create workers: the processes that comment, and what they last said of themselves

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=40), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("commentator", sa.String(length=32), nullable=False),
        sa.Column("streams", sa.Integer(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("accelerator", sa.String(length=80), nullable=True),
        sa.Column("accelerator_used_bytes", sa.BigInteger(), nullable=True),
        sa.Column("accelerator_total_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_index(op.f("ix_segments_created_ms"), "segments", ["created_ms"])


def downgrade() -> None:
    op.drop_index(op.f("ix_segments_created_ms"), "segments")
    op.drop_table("workers")
