"""Note which process has the file of an upload in hand, so that it is soon freed when that is gone

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UPLOADS = sa.table("uploads", sa.column("holder", sa.String()), sa.column("job_id", sa.String()))


def upgrade() -> None:
    op.add_column("uploads", sa.Column("holder", sa.String(length=64), nullable=True))


def downgrade() -> None:
    # An older version would make jobs of them: nobody was told of one.
    held = UPLOADS.c.holder.is_not(None) & UPLOADS.c.job_id.is_(None)
    op.get_bind().execute(sa.delete(UPLOADS).where(held))
    op.drop_column("uploads", "holder")
