"""Note when a video's file was removed by the server's retention

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("videos", sa.Column("removed_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("videos", "removed_ms")
