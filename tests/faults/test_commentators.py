"""A commentator that kills its worker, hangs, raises, runs out of memory or says rubbish.

All of them at once, on real workers: each job ends for its own reason, after three attempts at its own
window, with what was said before it; and the jobs beside them end as if they had been alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from models.tables import JobState
from tests.faults.inspection import faults_of
from tests.faults.installation import Installation, running_installation
from tests.faults.troubled import write_script
from web.shapes import JobShape

TROUBLES = {
    "kills": ("worker-lost", "The worker ended 3 times while it was at this window"),
    "hangs": ("timeout", "longer than 6 s (setting CALL_TIMEOUT_SECONDS)"),
    "raises": ("internal", "failed at this window (ZeroDivisionError)"),
    "exhausts": ("out-of-memory", "ran out of memory at this window"),
    "returns nothing": ("internal", "failed at this window (AttributeError)"),
    "returns rubbish": ("internal", "failed at this window (StatementError)"),
}
"""What happens at the third window of a clip, and how the job ends: kind, and words of the sentence."""

NEIGHBOURS = 3
LONG = 24  # windows


@dataclass(frozen=True)
class Aftermath:
    installation: Installation
    jobs: Mapping[str, JobShape]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """Yield what became of a job for each trouble, and of others that ran beside them."""
    folder = tmp_path_factory.mktemp("troubled")
    clips = {
        name: write_script(folder / f"{name.replace(' ', '-')}.mp4", "calm", "calm", name, "calm")
        for name in (*TROUBLES, "talks rubbish")
    }
    long = write_script(folder / "long.mp4", *["calm"] * LONG)
    clips |= {f"neighbour {number}": long for number in range(NEIGHBOURS)}
    with running_installation(
        "sqlite",
        folder,
        module="tests.faults.troubled",
        CHUNK_WINDOWS="4",
        WORKER_PROCESSES="2",
        WORKER_THREADS="2",
        CALL_TIMEOUT_SECONDS="6",  # of decoders too, on a busy machine
        LEASE_SECONDS="2",
    ) as installation:
        assert installation
        with installation.stack.client() as client:
            ids = {name: client.submit(clip, {})["id"] for name, clip in clips.items()}
            for job_id in ids.values():
                installation.stack.wait_until_ended(job_id)
            jobs = {name: client.job(job_id) for name, job_id in ids.items()}
        yield Aftermath(installation, jobs)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_window_that_brings_its_worker_into_trouble_fails_its_job(
    aftermath: Aftermath, trouble: str
) -> None:
    kind, words = TROUBLES[trouble]
    job = aftermath.jobs[trouble]
    assert job["state"] == "failed"
    assert job["windows_done"] == 2
    assert job["failure"] is not None
    assert (job["failure"]["kind"], job["failure"]["window"]) == (kind, 2)
    assert words in job["failure"]["message"]


def test_the_jobs_beside_them_are_unharmed(aftermath: Aftermath) -> None:
    for number in range(NEIGHBOURS):
        job = aftermath.jobs[f"neighbour {number}"]
        assert (job["state"], job["windows_done"], job["failure"]) == ("done", LONG, None)


def test_rubbish_is_cleaned_and_bounded(aftermath: Aftermath) -> None:
    job = aftermath.jobs["talks rubbish"]
    assert job["state"] == "done"
    with aftermath.installation.stack.client() as client:
        texts = [segment["text"] for segment in client.segments(job["id"])["segments"]]
    assert texts[2].startswith("[2J<script>alert(1)</script>AAA")
    assert len(texts[2]) < 10_000
    assert texts[3] == "Window 3."


def test_nothing_is_lost_doubled_or_left_over(aftermath: Aftermath) -> None:
    installation = aftermath.installation
    expected = {job["id"]: JobState(job["state"]) for job in aftermath.jobs.values()}
    assert faults_of(installation.store, installation.media, expected) == []
