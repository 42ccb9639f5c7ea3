"""Make speech and summaries searchable, too: the index of 0005 for three tables

Rules: works on SQLite and Postgres; keeps every row; has a downgrade; never changes once released.
SQLite rebuilds a table to alter it (op.batch_alter_table), which drops its triggers: make them anew.

What is searched is what is shown: of a comment the correction, else what was said; what was heard; title
and text of the chapters and of the whole video's summary, not of the passages in between. Nothing of what
is empty.

`search_words` gives each of them a number that stays, with the key that it has in its own table: source
('comment', 'speech' or 'summary'), part and number in it. The view `search_texts` says what stands behind
a number. SQLite: two FTS5 indexes without a copy of the text, one by word stems (English), one by the
words as they stand, for what is being typed. Postgres: both kinds of words in one vector.
"""

from dataclasses import dataclass
from importlib import import_module

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_first_index = import_module("migrations.versions.0005_search")


@dataclass(frozen=True)
class _Source:
    """A table whose texts are searched; `{}` stands for a row of it."""

    name: str
    table: str
    part: str  # with `number` the row's key in its job
    number: str
    text: str
    watched: str  # the columns that the text is made of
    corrected: str = "FALSE"
    shown: str = "TRUE"

    @property
    def key(self) -> str:
        return f"source = '{self.name}' AND part = {self.part} AND number = {self.number}"


_SOURCES = (
    _Source(
        *("comment", "segments", "0", '{}."index"', "coalesce({}.correction, {}.text)"),
        watched="text, correction",
        corrected="{}.correction IS NOT NULL",
    ),
    _Source("speech", "utterances", "{}.piece", "{}.number", "{}.text", watched="text"),
    _Source(
        *("summary", "passages", "{}.level", '{}."index"'),
        "CASE WHEN {}.title = '' OR {}.text = '' THEN {}.title || {}.text "
        "ELSE {}.title || ': ' || {}.text END",
        watched="title, text",
        shown="({}.is_chapter OR NOT EXISTS (SELECT 1 FROM passages AS higher "
        "WHERE higher.job_id = {}.job_id AND higher.level > {}.level))",
    ),
)


def _of(template: str, row: str) -> str:
    return template.replace("{}", row)


def _view() -> str:
    return "CREATE VIEW search_texts AS " + " UNION ALL ".join(
        _of(
            f"""
            SELECT w.id, w.job_id, w.source, w.part, w.number, {{}}.start_ms, {{}}.end_ms,
                   {source.text} AS text, {source.corrected} AS corrected
            FROM search_words w JOIN {source.table} {{}} ON {{}}.job_id = w.job_id
            AND {source.part} = w.part AND {source.number} = w.number
            WHERE w.source = '{source.name}'
            """,
            "row",
        )
        for source in _SOURCES
    )


def _fill(columns: str = "", words: str = "") -> str:
    """Index all that there is, the oldest jobs first: of many hits the newest are ranked."""
    found = " UNION ALL ".join(
        _of(
            f"""
            SELECT {{}}.job_id, '{source.name}' AS source, {source.part} AS part,
                   {source.number} AS number, {source.text} AS text
            FROM {source.table} {{}} WHERE {source.shown}
            """,
            "row",
        )
        for source in _SOURCES
    )
    return f"""
        INSERT INTO search_words (job_id, source, part, number{columns})
        SELECT found.job_id, source, part, number{words} FROM ({found}) AS found
        JOIN jobs ON jobs.id = found.job_id WHERE text <> ''
        ORDER BY jobs.created_ms, found.job_id, source, part, number
    """


_SQLITE_TABLES = (
    """
    CREATE TABLE search_words (
        id INTEGER PRIMARY KEY, job_id VARCHAR(16) NOT NULL, source VARCHAR(8) NOT NULL,
        part INTEGER NOT NULL, number INTEGER NOT NULL, UNIQUE (job_id, source, part, number)
    )
    """,
    _view(),
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
    _fill(),
    "INSERT INTO search_stems (search_stems) VALUES ('rebuild')",
    "INSERT INTO search_plain (search_plain) VALUES ('rebuild')",
)


def _sqlite_triggers(source: _Source) -> list[str]:
    indexes = ("search_stems", "search_plain")
    chosen = f"FROM search_words WHERE job_id = {{}}.job_id AND {source.key}"
    add = _of(
        f"""
        INSERT INTO search_words (job_id, source, part, number)
        SELECT {{}}.job_id, '{source.name}', {source.part}, {source.number}
        WHERE {source.text} <> '' AND {source.shown};
        """
        + "".join(
            f"INSERT INTO {name} (rowid, text) SELECT id, {source.text} {chosen};"
            for name in indexes
        ),
        "new",
    )
    remove = _of(
        "".join(
            f"INSERT INTO {name} ({name}, rowid, text) SELECT 'delete', id, {source.text} {chosen};"
            for name in indexes
        )
        + f"DELETE {chosen};",
        "old",
    )
    name, table = f"search_{source.name}", source.table
    return [
        f"CREATE TRIGGER {name}_added AFTER INSERT ON {table} BEGIN {add} END",
        f"CREATE TRIGGER {name}_removed BEFORE DELETE ON {table} BEGIN {remove} END",
        f"CREATE TRIGGER {name}_changed AFTER UPDATE OF {source.watched} ON {table} "
        f"BEGIN {remove} {add} END",
    ]


_POSTGRES_TABLES = (
    """
    CREATE TABLE search_words (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id VARCHAR(16) NOT NULL,
        source VARCHAR(8) NOT NULL, part INTEGER NOT NULL, number INTEGER NOT NULL,
        words TSVECTOR NOT NULL, UNIQUE (job_id, source, part, number)
    )
    """,
    _view(),
    _fill(", words", ", to_tsvector('english', text) || to_tsvector('simple', text)"),
    "CREATE INDEX ix_search_words_words ON search_words USING gin (words)",
)


def _postgres_triggers(source: _Source) -> list[str]:
    name, table = f"search_{source.name}", source.table
    return [
        f"""
        CREATE FUNCTION {name}_keep() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM search_words WHERE job_id = OLD.job_id AND {_of(source.key, "OLD")};
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO search_words (job_id, source, part, number, words)
                SELECT NEW.job_id, '{source.name}', {_of(source.part, "NEW")}, {_of(source.number, "NEW")},
                       to_tsvector('english', told) || to_tsvector('simple', told)
                FROM (SELECT {_of(source.text, "NEW")} AS told) AS one
                WHERE told <> '' AND {_of(source.shown, "NEW")};
            END IF;
            RETURN NULL;
        END $$
        """,
        f"""
        CREATE TRIGGER {name}_kept AFTER INSERT OR DELETE OR UPDATE OF {source.watched} ON {table}
        FOR EACH ROW EXECUTE FUNCTION {name}_keep()
        """,
    ]


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    _first_index.downgrade()
    triggers = _sqlite_triggers if is_sqlite else _postgres_triggers
    tables = _SQLITE_TABLES if is_sqlite else _POSTGRES_TABLES
    for statement in (*tables, *(one for source in _SOURCES for one in triggers(source))):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    for source in _SOURCES:
        name = f"search_{source.name}"
        if connection.dialect.name == "sqlite":
            for what in ("added", "removed", "changed"):
                connection.exec_driver_sql(f"DROP TRIGGER {name}_{what}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {name}_kept ON {source.table}")
            connection.exec_driver_sql(f"DROP FUNCTION {name}_keep()")
    if connection.dialect.name == "sqlite":
        for name in ("search_plain", "search_stems"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
    connection.exec_driver_sql("DROP VIEW search_texts")
    connection.exec_driver_sql("DROP TABLE search_words")
    _first_index.upgrade()
