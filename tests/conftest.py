"""Fixtures for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations import upgrade
from models.store import Store
from tests.broker import running_broker
from tests.postgres import fresh_database, postgres_server

MEDIA = Path(__file__).parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media() -> Path:
    """Return the folder of real clips that stands beside the project; skip where it is missing."""
    if not MEDIA.is_dir():
        pytest.skip("needs the clips of ../shared/media, which are not on this machine")
    return MEDIA


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str | None]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, _postgres: str | None
) -> Iterator[str]:
    """Yield an empty store's URL, as the setting DATABASE_URL takes it; one run for each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'reelnotes.db'}"
    elif _postgres is None:
        pytest.skip("needs Postgres: no server answers and no binaries are on this machine")
    else:
        with fresh_database(_postgres) as url:
            yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Yield a store built by the migrations."""
    store = Store.open(database_url.replace("postgresql://", "postgresql+psycopg://"))
    upgrade(store)
    yield store
    store.engine.dispose()


@pytest.fixture
def broker_url(tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a real broker with empty queues."""
    with running_broker(tmp_path) as url:
        yield url
