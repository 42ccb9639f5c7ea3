"""What goes wrong in a worker and in the sweep is counted by its kind."""

from pathlib import Path

import pytest

from models.errors import CommentatorFailed, StoreBusy
from models.jobs import cancel
from models.store import Store
from telemetry.registry import REGISTRY
from tests.store.rows import claim, make_job
from tests.worker.test_advance import Bench, Counting, bench, clip  # noqa: F401 (fixtures)
from tests.worker.test_sweep import a_sweep
from worker.accelerators import AcceleratorCollector, utilization
from worker.advance import advance
from worker.commentator import Accelerator, Window
from worker.meters import measured_step

DRIVER = """#!/bin/sh
[ "$1" = "--id=GPU-a" ] || exit 9
echo "37"
"""


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class Rise:
    """How much a series has risen since."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = value(name, **labels)

    def __call__(self) -> float:
        return value(self._name, **self._labels) - self._before


def test_failed_attempts_are_counted_by_kind(bench: Bench, clip: Path) -> None:  # noqa: F811
    def fail(window: Window) -> None:
        if window.index == 2:
            raise CommentatorFailed("It fails.")

    job, site = bench.job(clip), bench.site(Counting(fail))
    name = site.commentator.name
    attempts = Rise("reelnotes_attempts_failed_total", commentator=name, kind="commentator")
    chunks = Rise("reelnotes_chunks_total", commentator=name, outcome="failed")
    windows = Rise("reelnotes_windows_total", commentator=name, kind="said")
    while advance(site, job.id, 0):
        pass
    assert (attempts(), chunks(), windows()) == (3, 3, 2)
    assert value("reelnotes_streams_busy", commentator=name) == 0


def test_a_chunk_taken_away_is_counted_and_its_window_is_not(
    bench: Bench,  # noqa: F811
    clip: Path,  # noqa: F811
) -> None:
    def cancel_it(window: Window) -> None:
        with bench.store.write() as session:
            cancel(session, job.id)

    job, site = bench.job(clip), bench.site(Counting(cancel_it))
    name = site.commentator.name
    lost = Rise("reelnotes_chunks_total", commentator=name, outcome="lost")
    windows = Rise("reelnotes_windows_total", commentator=name, kind="said")
    advance(site, job.id, 0)
    assert (lost(), windows()) == (1, 0)


def test_expired_leases_and_hints_are_counted(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    with store.write() as session:
        job = make_job(session)
        for _ in range(2):
            assert claim(session, job, lease_ms=-1)
    expired, sent = Rise("reelnotes_leases_expired_total"), Rise("reelnotes_hints_sent_total")
    sweep.lost_work()
    assert (expired(), sent()) == (2, 2)


def test_hints_that_nobody_takes_are_counted(store: Store, tmp_path: Path) -> None:
    sweep = a_sweep(store, "redis://127.0.0.1:1/0", tmp_path)
    with store.write() as session:
        assert claim(session, make_job(session), lease_ms=-1)
    unsent = Rise("reelnotes_hints_unsent_total")
    sweep.lost_work()
    assert unsent() == 1


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "done"), (StoreBusy("away"), "away"), (KeyError("x"), "failed")]
)
def test_a_step_of_the_sweep_says_how_it_went(error: Exception | None, outcome: str) -> None:
    def step() -> None:
        if error:
            raise error

    measured = measured_step("a-test", step)
    rise = Rise("reelnotes_sweeps_total", step="a-test", outcome=outcome)
    times = Rise("reelnotes_sweep_duration_seconds_count", step="a-test")
    if error:
        with pytest.raises(type(error)):
            measured()
    else:
        measured()
        assert value("reelnotes_sweep_last_done_timestamp_seconds", step="a-test") > 1e9
    assert (rise(), times()) == (1, 1)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text(DRIVER)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")


class OnOneGpu(Counting):
    def accelerator(self) -> Accelerator:
        return Accelerator("GPU-a", "some card", 3, 8)


@pytest.mark.usefixtures("driver")
def test_the_gpu_of_a_worker_is_told_with_its_load() -> None:
    samples = [
        sample for family in AcceleratorCollector(OnOneGpu()).collect() for sample in family.samples
    ]
    assert {sample.name: sample.value for sample in samples} == {
        "reelnotes_gpu_memory_used_bytes": 3,
        "reelnotes_gpu_memory_total_bytes": 8,
        "reelnotes_gpu_utilization_ratio": 0.37,
    }
    assert samples[0].labels == {"gpu": "GPU-a", "name": "some card"}
    assert utilization("GPU-b") is None


def test_without_a_gpu_nothing_is_told_of_one() -> None:
    families = list(AcceleratorCollector(Counting()).collect())
    assert [family.samples for family in families] == [[], [], []]
