"""Keep summaries, chapters and transcripts, and the chunks that make them

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.

Chunks so far are of stage 1, the windows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("stage", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("chunks") as chunks:
        chunks.add_column(sa.Column("stage", sa.Integer(), nullable=False, server_default="1"))
        chunks.drop_constraint(op.f("uq_chunks_job_id_first"), type_="unique")
        chunks.create_unique_constraint(
            op.f("uq_chunks_job_id_stage_first"), ["job_id", "stage", "first"]
        )
    op.create_table(
        "additions",
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.Column("failure_kind", sa.String(length=16), nullable=True),
        sa.Column("failure_text", sa.Text(), nullable=True),
        _of_a_job("additions"),
        sa.PrimaryKeyConstraint("job_id", "kind", name=op.f("pk_additions")),
    )
    op.create_table(
        "passages",
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_chapter", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("waiting_ms", sa.Float(), nullable=False),
        sa.Column("prefill_ms", sa.Float(), nullable=False),
        sa.Column("generate_ms", sa.Float(), nullable=False),
        sa.Column("total_ms", sa.Float(), nullable=False),
        sa.Column("tokens_in", sa.Integer(), nullable=True),
        sa.Column("tokens_out", sa.Integer(), nullable=True),
        sa.Column("told_ms", sa.BigInteger(), nullable=True),
        _of_a_job("passages"),
        sa.PrimaryKeyConstraint("job_id", "level", "index", name=op.f("pk_passages")),
    )
    op.create_table(
        "utterances",
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("piece", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        _of_a_job("utterances"),
        sa.PrimaryKeyConstraint("job_id", "piece", "number", name=op.f("pk_utterances")),
    )


def downgrade() -> None:
    for name in ("utterances", "passages", "additions"):
        op.drop_table(name)
    op.execute("DELETE FROM chunks WHERE stage <> 1")
    with op.batch_alter_table("chunks") as chunks:
        chunks.drop_constraint(op.f("uq_chunks_job_id_stage_first"), type_="unique")
        chunks.create_unique_constraint(op.f("uq_chunks_job_id_first"), ["job_id", "first"])
        chunks.drop_column("stage")
    op.drop_column("jobs", "stage")


def _of_a_job(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["job_id"], ["jobs.id"], name=op.f(f"fk_{table}_job_id_jobs"), ondelete="CASCADE"
    )
