"""A broker that is paused, emptied or lost, and a Postgres restarted while it is written to."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.feeder import PARAMETERS
from tests.faults.figures import Figures
from tests.faults.installation import Installation
from tests.journey.footage import write_moving_square
from tests.packaging.processes import wait_for

ANSWERED_WITHIN_S = 15.0  # an upload, whatever the broker does


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "square.mp4", seconds=4)


def test_a_paused_broker_costs_time_and_nothing_else(
    installation: Installation, clip: Path, figures: Figures
) -> None:
    first = submit(installation, clip)
    (broker,) = installation.processes("broker")
    with installation.frozen(broker):
        asked = time.monotonic()
        second = submit(installation, clip)
        answered = time.monotonic() - asked
        time.sleep(2)
    ended = end_and_inspect(installation)
    assert {first, second} <= installation.done()
    figures.tell(
        f"a paused broker, {installation.kind}",
        upload_answered_after_s=round(answered, 1),
        seconds_until_done=ended,
    )
    assert answered <= ANSWERED_WITHIN_S


def test_a_broker_that_forgets_everything_costs_time_and_nothing_else(
    installation: Installation, clip: Path, figures: Figures
) -> None:
    jobs = {submit(installation, clip) for _ in range(2)}
    wait_for(lambda: [h for h in installation.held() if h.job_id in jobs], "a claim")
    installation.flush_broker()
    time.sleep(0.5)
    installation.lose_broker()
    ended = end_and_inspect(installation)
    assert jobs <= installation.done()
    figures.tell(f"a broker emptied, then lost, {installation.kind}", seconds_until_done=ended)


def test_a_postgres_that_restarts_in_the_middle_of_writing(
    installation: Installation, clip: Path, figures: Figures, seed: int
) -> None:
    if installation.kind != "postgres":
        pytest.skip("a file has no server to restart")
    dice = random.Random(seed)
    jobs = {submit(installation, clip) for _ in range(2)}
    for _ in range(3):
        wait_for(lambda: [h for h in installation.held() if h.job_id in jobs], "a claim")
        time.sleep(dice.uniform(0.0, 0.5))
        installation.restart_postgres()
    ended = end_and_inspect(installation)
    assert jobs <= installation.done()
    figures.tell("postgres restarted three times", seconds_until_done=ended)


def submit(installation: Installation, clip: Path) -> str:
    with installation.stack.client() as client:
        return client.submit(clip, PARAMETERS)["id"]


def end_and_inspect(installation: Installation) -> float:
    """Wait for all jobs' end, see that all is well and return how long it took."""
    begun = time.monotonic()
    installation.wait_until_settled()
    assert installation.faults() == []
    return round(time.monotonic() - begun, 1)
