"""Create fetches, which the server gets by itself, and the files of a watched folder

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fetches",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("validator", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("watched_key", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["id"], ["uploads.id"], name=op.f("fk_fetches_id_uploads"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetches")),
    )
    op.create_table(
        "watched_files",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("noted_ms", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_watched_files")),
        sa.UniqueConstraint("sha256", name=op.f("uq_watched_files_sha256")),
    )


def downgrade() -> None:
    # The upload of a fetch is nothing that an older version could go on with.
    op.execute("DELETE FROM uploads WHERE id IN (SELECT id FROM fetches)")
    op.drop_table("watched_files")
    op.drop_table("fetches")
