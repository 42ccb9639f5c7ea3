"""An installation of each kind, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.conftest import NO_POSTGRES
from tests.faults.figures import Figures
from tests.faults.installation import Installation, running_installation


@pytest.fixture(scope="package", params=["sqlite", "postgres"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Yield the product running on SQLite and its own broker, or on Postgres and Redis."""
    folder = tmp_path_factory.mktemp(request.param)
    lease = request.config.getoption("--lease")
    settings = {
        **{"WORKER_PROCESSES": "2", "WORKER_THREADS": "2", "CHUNK_WINDOWS": "5"},
        **{"LEASE_SECONDS": str(lease), "SWEEP_SECONDS": str(max(1, lease // 6))},
    }
    with running_installation(request.param, folder, **settings) as installation:
        if installation is None:
            pytest.skip(NO_POSTGRES)
        yield installation


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Return what the moments of the faults are drawn from."""
    return int(pytestconfig.getoption("--seed"))


@pytest.fixture(scope="session")
def kills(pytestconfig: pytest.Config) -> int | None:
    """Return how often to kill on each kind of store; None: each program once."""
    kills: int | None = pytestconfig.getoption("--kills")
    return kills


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Iterator[Figures]:
    """Yield where to tell what was measured: it is printed at the end of the run."""
    figures = Figures()
    pytestconfig.stash[_FIGURES] = figures
    yield figures
    if path := pytestconfig.getoption("--figures"):
        figures.write(path)


_FIGURES = pytest.StashKey[Figures]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if figures := config.stash.get(_FIGURES, None):
        terminalreporter.section("faults")
        for line in figures.lines():
            terminalreporter.write_line(line)
