"""Make everything that is said searchable: an index that triggers keep in step with the segments

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.

What is searched is what is shown: the correction, else what was said; nothing if that is empty.

SQLite: `search_words` gives each segment a number that stays; two FTS5 indexes without a copy of the
text, one by word stems (English), one by the words as they stand, for what is being typed.
Postgres: `search_words` holds both kinds of words of a segment in one vector.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SQLITE = (
    """
    CREATE TABLE search_words (
        id INTEGER PRIMARY KEY, job_id VARCHAR(16) NOT NULL, segment_index INTEGER NOT NULL,
        UNIQUE (job_id, segment_index)
    )
    """,
    """
    CREATE VIEW search_texts AS
    SELECT w.id AS id, coalesce(s.correction, s.text) AS text
    FROM search_words w JOIN segments s ON s.job_id = w.job_id AND s."index" = w.segment_index
    """,
    """
    CREATE VIRTUAL TABLE search_stems USING fts5(
        text, content='search_texts', content_rowid='id',
        tokenize='porter unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE VIRTUAL TABLE search_plain USING fts5(
        text, content='search_texts', content_rowid='id',
        tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    )
    """,
    """
    INSERT INTO search_words (job_id, segment_index)
    SELECT job_id, "index" FROM segments WHERE coalesce(correction, text) <> ''
    ORDER BY created_ms, job_id, "index"
    """,
    "INSERT INTO search_stems (search_stems) VALUES ('rebuild')",
    "INSERT INTO search_plain (search_plain) VALUES ('rebuild')",
)
_SQLITE_ADD = """
    INSERT INTO search_words (job_id, segment_index)
    SELECT new.job_id, new."index" WHERE coalesce(new.correction, new.text) <> '';
    INSERT INTO search_stems (rowid, text)
    SELECT id, coalesce(new.correction, new.text) FROM search_words
    WHERE job_id = new.job_id AND segment_index = new."index";
    INSERT INTO search_plain (rowid, text)
    SELECT id, coalesce(new.correction, new.text) FROM search_words
    WHERE job_id = new.job_id AND segment_index = new."index";
"""
_SQLITE_REMOVE = """
    INSERT INTO search_stems (search_stems, rowid, text)
    SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words
    WHERE job_id = old.job_id AND segment_index = old."index";
    INSERT INTO search_plain (search_plain, rowid, text)
    SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words
    WHERE job_id = old.job_id AND segment_index = old."index";
    DELETE FROM search_words WHERE job_id = old.job_id AND segment_index = old."index";
"""
_SQLITE_TRIGGERS = (
    f"CREATE TRIGGER search_added AFTER INSERT ON segments BEGIN {_SQLITE_ADD} END",
    f"CREATE TRIGGER search_removed BEFORE DELETE ON segments BEGIN {_SQLITE_REMOVE} END",
    "CREATE TRIGGER search_changed AFTER UPDATE OF text, correction ON segments "
    f"BEGIN {_SQLITE_REMOVE} {_SQLITE_ADD} END",
)

_POSTGRES = (
    """
    CREATE TABLE search_words (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id VARCHAR(16) NOT NULL, segment_index INTEGER NOT NULL, words TSVECTOR NOT NULL,
        UNIQUE (job_id, segment_index),
        FOREIGN KEY (job_id, segment_index) REFERENCES segments (job_id, "index") ON DELETE CASCADE
    )
    """,
    """
    INSERT INTO search_words (job_id, segment_index, words)
    SELECT job_id, "index",
           to_tsvector('english', coalesce(correction, text)) || to_tsvector('simple', coalesce(correction, text))
    FROM segments WHERE coalesce(correction, text) <> ''
    ORDER BY created_ms, job_id, "index"
    """,
    "CREATE INDEX ix_search_words_words ON search_words USING gin (words)",
    """
    CREATE FUNCTION search_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE shown text := coalesce(NEW.correction, NEW.text);
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            DELETE FROM search_words WHERE job_id = OLD.job_id AND segment_index = OLD."index";
        END IF;
        IF shown <> '' THEN
            INSERT INTO search_words (job_id, segment_index, words) VALUES (
                NEW.job_id, NEW."index", to_tsvector('english', shown) || to_tsvector('simple', shown)
            );
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER search_kept AFTER INSERT OR UPDATE OF text, correction ON segments
    FOR EACH ROW EXECUTE FUNCTION search_keep()
    """,
)


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in (*_SQLITE, *_SQLITE_TRIGGERS) if is_sqlite else _POSTGRES:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for name in ("search_added", "search_removed", "search_changed"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for name in ("search_plain", "search_stems"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        connection.exec_driver_sql("DROP VIEW search_texts")
    else:
        connection.exec_driver_sql("DROP TRIGGER search_kept ON segments")
        connection.exec_driver_sql("DROP FUNCTION search_keep()")
    connection.exec_driver_sql("DROP TABLE search_words")
