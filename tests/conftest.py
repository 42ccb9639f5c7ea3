"""Fixtures for every test."""

import faulthandler
import gc
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from migrations import upgrade
from models.store import Store
from settings import Settings
from tests.broker import running_broker
from tests.postgres import fresh_database, left_open, postgres_server

NO_POSTGRES = "needs Postgres: no server answers and no binaries are on this machine"
LONG_FIRST = ("hostile", "security", "journey", "bucket", "web/browser", "packaging", "doctor")
"""Folders whose files take up to minutes each. Begun last, one would run on while all others are done."""

_WORDS = pytest.StashKey[int]()
"""The descriptor on which a process of the tests says its last words; pytest takes the usual one."""

MEDIA = Path(__file__).parents[2] / "shared" / "media"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--patience",
        type=float,
        default=600,
        help="seconds a test, its setup or its teardown may take each; 0: for ever",
    )
    group = parser.getgroup("hostile files")
    group.addoption("--mutations", type=int, default=200, help="how many broken files are read")
    group.addoption("--examples", type=int, default=25, help="requests tried for each route")
    group.addoption("--seed", type=int, default=1, help="from which they are made")
    faults = parser.getgroup("faults", "faults (their moments come from --seed)")
    faults.addoption(
        "--kills", type=int, help="kills on each kind of store; else one of each program"
    )
    faults.addoption("--lease", type=int, default=3, help="LEASE_SECONDS meanwhile")
    faults.addoption("--figures", type=Path, help="file to write what was measured to, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    assert sys.__stderr__ is not None
    config.stash[_WORDS] = os.dup(sys.__stderr__.fileno())


def _with_an_end(item: pytest.Item) -> Generator[None, object, object]:
    """End the process when a step of a test hangs, and say where each thread of it stands.

    One that hangs would keep the whole run from telling what it found; a run of one process can
    tell no more than this. pytest's own faulthandler_timeout ends with the first exception: not for
    the teardown that follows.
    """
    if patience := item.config.getoption("patience"):
        faulthandler.dump_traceback_later(patience, exit=True, file=item.config.stash[_WORDS])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


pytest_runtest_setup = pytest.hookimpl(wrapper=True, tryfirst=True)(_with_an_end)
pytest_runtest_call = pytest.hookimpl(wrapper=True, tryfirst=True)(_with_an_end)
pytest_runtest_teardown = pytest.hookimpl(wrapper=True, tryfirst=True)(_with_an_end)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files begin in the order of LONG_FIRST; each file's own order stays."""
    folders = [Path(__file__).parent / name for name in LONG_FIRST]

    def turn(item: pytest.Item) -> int:
        found = (at for at, folder in enumerate(folders) if folder in item.path.parents)
        return next(found, len(folders))

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported, 700,000 objects: it stays to the end."""
    gc.freeze()


@pytest.fixture(scope="session")
def media() -> Path:
    """Return the folder of real clips that stands beside the project; skip where it is missing."""
    if not MEDIA.is_dir():
        pytest.skip(f"needs the folder of real clips {MEDIA}, which is not on this machine")
    return MEDIA


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str | None]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(
    request: pytest.FixtureRequest, tmp_path: Path, _postgres: str | None
) -> Iterator[str]:
    """Yield the URL of a store without a schema, as the setting DATABASE_URL takes it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    elif _postgres is None:
        pytest.skip(NO_POSTGRES)
    else:
        with fresh_database(_postgres) as url:
            yield url


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _migrated_postgres(_postgres: str | None) -> Iterator[str | None]:
    if _postgres is None:
        yield None
        return
    with fresh_database(_postgres) as url:
        with psycopg.connect(url, autocommit=True) as connection:  # no test of it ends the server
            connection.execute(
                f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit TO off"
            )
        _migrate(url)
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    _migrated_file: Path,
    _migrated_postgres: str | None,
) -> Iterator[str]:
    """Yield the URL of a store with the schema that the migrations build, and no rows."""
    if request.param == "sqlite":
        shutil.copy(_migrated_file, tmp_path / "reelnotes.db")
        yield f"sqlite:///{tmp_path / 'reelnotes.db'}"
    elif _migrated_postgres is None:
        pytest.skip(NO_POSTGRES)
    else:
        yield _migrated_postgres
        left = left_open(_migrated_postgres)
        with psycopg.connect(_migrated_postgres) as connection:
            for table in (
                *("segments", "passages", "utterances", "additions", "chunks", "jobs", "videos"),
                *("tokens", "fetches", "uploads", "presets", "workers", "watched_files"),
                *("kept_answers", "deliveries", "webhooks"),
            ):
                connection.execute(f"DELETE FROM {table}")
        assert left == [], "connections were left open, and these were their last words"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Yield a migrated store without rows; one run for each kind."""
    store = open_store(database_url)
    yield store
    store.engine.dispose()


def open_store(url: str) -> Store:
    return Store.open(replace(Settings(), database_url=url).store_url)


def _migrate(url: str) -> None:
    store = open_store(url)
    upgrade(store)
    store.engine.dispose()


@pytest.fixture
def broker_url(tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a real broker with empty queues."""
    with running_broker(tmp_path) as url:
        yield url
