"""Kill -9 of any process at any moment: the job ends done, every window once, almost nothing twice."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.journey.footage import write_moving_square
from tests.journey.stack import Stack, running_stack

KILLS = 3
WINDOWS = 60  # of 4 s
THREADS = 2


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "long.mp4", seconds=WINDOWS * 4)


@pytest.fixture(scope="module")
def seed() -> int:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed of the moments of the kills: {seed}")
    return seed


@pytest.mark.parametrize("program", ["worker", "web", "beat", "broker"])
def test_a_job_survives_kills(program: str, long_clip: Path, tmp_path: Path, seed: int) -> None:
    moments = random.Random(f"{seed} {program}")
    with running_stack(tmp_path, CHUNK_WINDOWS="5", WORKER_THREADS=str(THREADS)) as stack:
        with stack.client() as client:
            job_id = client.submit(long_clip, {})["id"]
        killed = 0
        while killed < KILLS and not ended(stack, job_id):
            time.sleep(moments.uniform(0.3, 2.0))
            stack.kill(program)
            killed += 1
        assert stack.wait_until_ended(job_id) == "done"
        with stack.client() as client:
            indexes = [segment["index"] for segment in client.segments(job_id)["segments"]]
        assert indexes == list(range(WINDOWS))
        assert killed == KILLS, "the job was done before the kills: make it longer"
        begun_again = Counter(job for job, *_ in stack.claims())[job_id] - WINDOWS // 5
        assert begun_again <= (KILLS * THREADS if program == "worker" else 0)


def ended(stack: Stack, job_id: str) -> bool:
    try:
        with stack.client() as client:
            return client.job(job_id)["state"] == "done"
    except Exception:  # noqa: BLE001 the web process was just killed
        return False
