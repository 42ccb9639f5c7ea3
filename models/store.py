"""The store: SQLite for one machine, Postgres for many, behind the same sessions."""

import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    Connection,
    Engine,
    PoolProxiedConnection,
    create_engine,
    event,
    inspect,
    make_url,
)
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.orm import Session

from models.errors import DiskFull, NotFound, StoreBusy
from models.tables import Job

_BUSY_TIMEOUT_MS = 15_000
_POSTGRES_DISK_FULL = "53100"
_POSTGRES_NO_SUCH = ("42P01", "42703")  # table, column
_SILENCE = {
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # ms
}
"""Of libpq: a server whose host or line is gone is noticed in 25 seconds, not after a quarter of an hour."""

_LONGEST_PAUSE_MS = 10_000  # of a transaction's owner, on Postgres: then it is undone


@dataclass(frozen=True, slots=True)
class Store:
    """One pool of connections; two kinds of transaction.

    `write()` takes SQLite's write lock at once: a transaction that reads first and writes later
    would fail at once instead of waiting when another one has written in between. The threads of a
    process take turns at that lock, for SQLite has who waits for it sleep and look again.
    """

    engine: Engine
    versions: Callable[[], Hashable]  # behind version()
    turn: AbstractContextManager[Any] = field(default_factory=nullcontext)

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect to an SQLAlchemy URL; nothing is created but an SQLite file's folder."""
        address = make_url(url)
        if address.get_backend_name() != "sqlite":
            # A client that freezes, or whose host is gone, would keep its locks for hours.
            options = f"-c idle_in_transaction_session_timeout={_LONGEST_PAUSE_MS}"
            engine = create_engine(
                address,
                connect_args={"options": options, **_SILENCE},
                pool_pre_ping=True,
                pool_size=16,
                max_overflow=56,
            )
            event.listen(
                engine, "connect", _need_utf8, insert=True
            )  # before SQLAlchemy asks anything
            return cls(engine, lambda: _postgres_version(engine))
        if address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            address,
            connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000},
            pool_size=64,
            max_overflow=8,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, _SqliteVersion(engine), threading.Lock())

    @classmethod
    def open_made(cls, url: str) -> Self:
        """Connect to a store that has its schema. Raises NotFound, and leaves no file, where there is none."""
        address = make_url(url)
        where = address.render_as_string()  # without its password
        missing = NotFound(
            f"There is no store at {where}. Is DATA_DIR (or DATABASE_URL) the server's? `reelnotes migrate` "
            "makes a new store there."
        )
        if address.get_backend_name() == "sqlite" and not Path(str(address.database)).exists():
            raise missing
        store = cls.open(url)
        with _told_plainly(), store.engine.connect() as connection:
            is_made = inspect(connection).has_table(Job.__tablename__)
        if not is_made:
            store.engine.dispose()
            raise missing
        return store

    def version(self) -> Hashable:
        """Return what differs from an earlier answer once anything has been committed since.

        What was read after an earlier answer, and before an equal one, is still as it was. On Postgres
        it differs as well after what was written to any other database of the server.
        """
        with _told_plainly():
            return self.versions()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads; rows stay readable after it ends."""
        with _told_plainly(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that writes: committed at the end, undone by any error."""
        engine = self.engine.execution_options(writes=True)
        with (
            _told_plainly(),
            self.turn,
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session


def _postgres_version(engine: Engine) -> Hashable:
    """Say which transactions have ended: only those that write have a number in it."""
    with engine.connect() as connection:
        version: str = connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one()
        return version


class _SqliteVersion:
    """Asks on a connection that never writes: SQLite counts what other connections have committed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: PoolProxiedConnection | None = None
        event.listen(engine, "engine_disposed", lambda _: self._close())

    def __call__(self) -> Hashable:
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            (version,) = self._connection.cursor().execute("PRAGMA data_version").fetchone()
            return int(version)

    def _close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.invalidate()
            self._connection = None


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).partition("\n")[0]  # then Postgres names processes and statements
        if _lacks_schema(error):
            raise StoreBusy(
                f"The store lacks what this version needs ({reason}). `reelnotes migrate` makes "
                "what is missing and keeps all that is there."
            ) from error
        # Postgres tells of a frozen client's end, and of a standby's refusal, by an InternalError.
        is_away = (
            isinstance(error, OperationalError | InternalError) or error.connection_invalidated
        )
        if not is_away:
            raise
        if _is_disk_full(error):
            raise DiskFull(
                "The store's disk is full. What was stored is safe: delete old jobs, or make room on the "
                "disk, then try again."
            ) from error
        raise StoreBusy(
            f"The store can't be used just now ({reason}). Nothing is lost: try again in a moment."
        ) from error


def _lacks_schema(error: DBAPIError) -> bool:
    """Tell whether nobody has migrated: SQLite says it by words alone."""
    return getattr(error.orig, "sqlstate", None) in _POSTGRES_NO_SUCH or (
        isinstance(error.orig, sqlite3.OperationalError)
        and str(error.orig).startswith(("no such table", "no such column"))
    )


def _is_disk_full(error: DBAPIError) -> bool:
    """Tell what SQLite says by a number and Postgres by an SQLSTATE."""
    return (
        getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(error.orig, "sqlstate", None) == _POSTGRES_DISK_FULL
    )


def _need_utf8(connection: Any, _record: Any) -> None:
    """Refuse a Postgres database that can't hold every text, or hands out bytes in place of it."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise StoreBusy(
            f"The store's database is in {encoding}, and it must be in UTF8: make another one (CREATE DATABASE "
            "reelnotes ENCODING 'UTF8' TEMPLATE template0) and name it in DATABASE_URL."
        )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's knows only ASCII
    _enter_wal(connection)
    for pragma in (
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


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
