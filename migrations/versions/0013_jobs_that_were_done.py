"""Remember of a job that it was done, however often it is opened again for an addition

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.

Of a job that is open just now nobody knows whether it was done before: it is told of once more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    was_done: sa.Column[bool] = sa.Column(
        "was_done", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("jobs", was_done)
    op.execute("UPDATE jobs SET was_done = TRUE WHERE state = 'done'")


def downgrade() -> None:
    op.drop_column("jobs", "was_done")
