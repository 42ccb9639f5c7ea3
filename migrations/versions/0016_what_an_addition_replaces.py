"""Keep what an addition is to replace until that is there: making it may fail or be cancelled

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("additions", sa.Column("before", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("additions", "before")
