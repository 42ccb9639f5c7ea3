"""Workers share the work: one long video over several, many jobs fairly, the urgent one first."""

import time
from pathlib import Path

import pytest

from client import Client
from tests.journey.footage import write_moving_square
from tests.journey.stack import Stack, running_stack
from tests.packaging.processes import wait_for
from web.shapes import SegmentShape


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "clip.mp4", seconds=120)


def begin(stack: Stack, client: Client, clip: Path, **parameters: str) -> str:
    """Submit and return the job's id once its first chunk is in a worker's hands."""
    job_id = client.submit(clip, parameters)["id"]
    wait_for(lambda: job_id in {job for job, *_ in stack.claims()}, "its first chunk")
    return job_id


def settled(client: Client, job_id: str) -> list[SegmentShape]:
    """Return the segments once none has come for as long as any window takes."""
    segments, since = client.segments(job_id)["segments"], time.monotonic()
    while time.monotonic() - since < 4:
        time.sleep(0.2)
        if (now := client.segments(job_id)["segments"]) != segments:
            segments, since = now, time.monotonic()
    return segments


def test_one_long_video_is_spread_over_several_workers(clip: Path, tmp_path: Path) -> None:
    settings = {"WORKER_PROCESSES": "2", "WORKER_THREADS": "1", "CHUNK_WINDOWS": "3"}
    with running_stack(tmp_path, **settings) as stack, stack.client() as client:
        job_id = client.submit(clip, {})["id"]
        assert stack.wait_until_ended(job_id) == "done"
        lines = [line for line in stack.log if "chunk begins" in line and job_id in line]
        workers = {line.split("|")[0].strip() for line in lines}
    assert workers == {"worker-1", "worker-2"}
    assert len(lines) == 10


def test_equal_jobs_take_turns(clip: Path, tmp_path: Path) -> None:
    settings = {"WORKER_THREADS": "1", "CHUNK_WINDOWS": "3"}
    with running_stack(tmp_path, **settings) as stack, stack.client() as client:
        first = begin(stack, client, clip)
        second = client.submit(clip, {})["id"]
        for job_id in (first, second):
            assert stack.wait_until_ended(job_id) == "done"
        order = [job for job, *_ in stack.claims() if job in (first, second)]
    shared = order[order.index(second) :][:10]
    assert abs(shared.count(first) - shared.count(second)) <= 1


def test_the_urgent_job_goes_first(clip: Path, tmp_path: Path) -> None:
    settings = {"WORKER_THREADS": "1", "CHUNK_WINDOWS": "3"}
    with running_stack(tmp_path, **settings) as stack, stack.client() as client:
        first = begin(stack, client, clip)
        second = client.submit(clip, {})["id"]
        urgent = client.submit(clip, {"priority": "5", "capture_fps": "1"})["id"]
        for job_id in (first, second, urgent):
            assert stack.wait_until_ended(job_id) == "done"
        order = [job for job, *_ in stack.claims() if job in (first, second, urgent)]
    waited = order.index(urgent)
    assert set(order[waited : waited + 5]) == {urgent}  # nobody comes between


def test_pause_resume_cancel_and_retry_keep_what_was_said(clip: Path, tmp_path: Path) -> None:
    settings = {"WORKER_THREADS": "1", "CHUNK_WINDOWS": "3"}
    with running_stack(tmp_path, **settings) as stack, stack.client() as client:
        job_id = begin(stack, client, clip)
        client.change(job_id, "pause")
        paused = settled(client, job_id)
        assert len(paused) < 30
        client.change(job_id, "resume")
        wait_for(lambda: len(client.segments(job_id)["segments"]) > len(paused), "another one")
        client.change(job_id, "cancel")
        cancelled = client.segments(job_id)["segments"]
        assert settled(client, job_id) == cancelled
        client.change(job_id, "retry")
        assert stack.wait_until_ended(job_id) == "done"
        segments = client.segments(job_id)["segments"]
    assert [segment["index"] for segment in segments] == list(range(30))
    assert [segment for segment in segments if segment in cancelled] == cancelled


def test_a_restart_goes_on_where_it_was_without_a_lease_running_out(
    clip: Path, tmp_path: Path
) -> None:
    settings = {"WORKER_THREADS": "2", "CHUNK_WINDOWS": "5", "LEASE_SECONDS": "300"}
    with running_stack(tmp_path, **settings) as stack, stack.client() as client:
        job_id = begin(stack, client, clip)
    with running_stack(tmp_path, **settings) as stack:
        assert stack.wait_until_ended(job_id, patience_s=60) == "done"
        with stack.client() as client:
            segments = client.segments(job_id)["segments"]
    assert [segment["index"] for segment in segments] == list(range(30))
