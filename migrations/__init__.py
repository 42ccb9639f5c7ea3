"""The store's schema, step by step. `upgrade(store)` brings any older store to today's."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from models.search import PREFIX
from models.store import Store

_LOCK = 0x5245454C  # any number that only our migrations lock


def upgrade(store: Store, revision: str = "head") -> None:
    """Apply the missing steps; safe to call from several processes at once."""
    _run(store, lambda config: command.upgrade(config, revision))


def downgrade(store: Store, revision: str) -> None:
    """Undo steps down to `revision`; "base" leaves an empty store."""
    _run(store, lambda config: command.downgrade(config, revision))


def revision(connection: Connection) -> str:
    """Return a store's revision, "" for one without a schema."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Tell Alembic which tables are held together with models/tables.py: all but the search index's."""
    return kind != "table" or not (name or "").startswith(PREFIX)


def standing(connection: Connection) -> Literal["empty", "current", "older", "newer"]:
    """Tell how a store's schema stands to this version's; changes nothing."""
    steps = ScriptDirectory.from_config(_config())
    theirs = revision(connection)
    if not theirs:
        return "empty"
    if theirs == steps.get_current_head():
        return "current"
    return "older" if theirs in revisions() else "newer"


def revisions() -> list[str]:
    """Return every revision there is, the newest first."""
    return [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _run(store: Store, step: Callable[[Config], None]) -> None:
    """Give Alembic a connection on which nobody else migrates meanwhile."""
    config = _config()
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # A table that is rebuilt is dropped first, which would delete what refers to it.
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        config.attributes["connection"] = connection
        step(config)
        connection.commit()
        connection.invalidate()  # takes its pragma with it
