"""The store's schema, step by step. `upgrade(store)` brings any older store to today's."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config

from models.store import Store

_LOCK = 0x5245454C  # any number that only our migrations lock


def upgrade(store: Store, revision: str = "head") -> None:
    """Apply the missing steps; safe to call from several processes at once."""
    _run(store, lambda config: command.upgrade(config, revision))


def downgrade(store: Store, revision: str) -> None:
    """Undo steps down to `revision`; "base" leaves an empty store."""
    _run(store, lambda config: command.downgrade(config, revision))


def _run(store: Store, step: Callable[[Config], None]) -> None:
    """Give Alembic a connection on which nobody else migrates meanwhile."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
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
