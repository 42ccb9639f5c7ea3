"""Remember of a job that its stills were removed, though its video may have come back since

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.

Of a video that had come back before nobody knows which jobs it was without: their stills are still told.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    stills_removed: sa.Column[bool] = sa.Column(
        "stills_removed", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("jobs", stills_removed)
    op.execute(
        "UPDATE jobs SET stills_removed = TRUE"
        " WHERE video_id IN (SELECT id FROM videos WHERE removed_ms IS NOT NULL)"
    )


def downgrade() -> None:
    op.drop_column("jobs", "stills_removed")
