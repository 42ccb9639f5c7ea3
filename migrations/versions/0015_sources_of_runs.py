"""Remember with a run who said what it took over: that outlives their jobs

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.

Of a job that is gone already nobody knows who said it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

JOBS = sa.table(
    "jobs",
    sa.column("id", sa.String()),
    sa.column("commentator", sa.String()),
    sa.column("networks", sa.JSON()),
    sa.column("windows_taken", sa.Integer()),
    sa.column("sources", sa.JSON()),
)
SEGMENTS = sa.table(
    "segments", sa.column("job_id", sa.String()), sa.column("taken_from", sa.String())
)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("sources", sa.JSON(), nullable=False, server_default="[]"))
    runs = sa.select(JOBS.c.id).where(JOBS.c.windows_taken > 0)
    taken = (
        sa.select(
            SEGMENTS.c.job_id,
            JOBS.c.id.label("source_id"),
            JOBS.c.commentator,
            JOBS.c.networks,
            sa.func.count().over(partition_by=(SEGMENTS.c.job_id, JOBS.c.id)).label("windows"),
        )
        .join_from(SEGMENTS, JOBS, SEGMENTS.c.taken_from == JOBS.c.id)
        .where(SEGMENTS.c.job_id.in_(runs))
    )
    connection = op.get_bind()
    sources: dict[str, dict[str, dict[str, object]]] = {}
    for row in connection.execute(taken):
        sources.setdefault(row.job_id, {})[row.source_id] = {
            "job_id": row.source_id,
            "commentator": row.commentator,
            "networks": row.networks,
            "windows": row.windows,
        }
    for job_id, found in sources.items():
        connection.execute(
            sa.update(JOBS).where(JOBS.c.id == job_id).values(sources=list(found.values()))
        )


def downgrade() -> None:
    op.drop_column("jobs", "sources")
