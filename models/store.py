"""The store: SQLite for one machine, Postgres for many, behind the same sessions."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.errors import StoreBusy

_BUSY_TIMEOUT_MS = 15_000


@dataclass(frozen=True, slots=True)
class Store:
    """One pool of connections; two kinds of transaction.

    `write()` takes SQLite's write lock at once: a transaction that reads first and writes later
    would fail at once instead of waiting when another one has written in between.
    """

    engine: Engine

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect to an SQLAlchemy URL; nothing is created but an SQLite file's folder."""
        address = make_url(url)
        if address.get_backend_name() != "sqlite":
            return cls(create_engine(address, pool_pre_ping=True, pool_size=8, max_overflow=64))
        if address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            address, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000}, pool_size=8, max_overflow=64
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads; rows stay readable after it ends."""
        with _told_plainly(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that writes: committed at the end, undone by any error."""
        engine = self.engine.execution_options(writes=True)
        with _told_plainly(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise StoreBusy(
            f"The store can't be used just now ({error.orig}). Nothing is lost: try again in a moment."
        ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    _enter_wal(connection)
    for pragma in (
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _enter_wal(connection: Any) -> None:
    """Switch a new file to write-ahead logging; SQLite doesn't wait for others that do the same."""
    for _ in range(100):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            time.sleep(0.05)
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
