"""Decoding on the GPU changes what a window costs, and nothing else."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from threading import Thread

import psutil
import pytest

from models.errors import AppError, BadFile, Unsupported, WorkerLost
from settings import Settings
from tests.video.clips import write_clip
from tests.video.conftest import clock_of, plan_of
from tests.video.test_media import GOOD
from web.probe import probe
from worker.video import gpu, process
from worker.video.decoder import Clock, Decoder, Sampled
from worker.video.gpu import GpuDecoders, NoGpuDecoder, open_gpu_decoders
from worker.video.tables import SharedTables

STAND_IN = "tests.video.shared_child"
SECOND = Fraction(1)
SIZE = (64, 48)
DAMAGED = {"bottles_truncated.mp4", "corrupt_after_2_7s.mp4", "pool_no_first_keyframe.ts"}
"""Clips with pictures that are made up: each decoder makes up its own."""

Shown = list[list[tuple[int, bytes]]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 30 seconds at 25 pictures a second."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, [i * 40 for i in range(750)], options={"g": "25"})


@pytest.fixture
def cpu() -> Iterator[Decoder]:
    """Yield a decoder that has not been used."""
    decoder = Decoder()
    yield decoder
    decoder.close()


@pytest.fixture
def shared() -> Iterator[GpuDecoders]:
    with closing(GpuDecoders(4, 5, SharedTables(), (STAND_IN,))) as decoders:
        yield decoders


@pytest.fixture(scope="module")
def nvdec() -> Iterator[GpuDecoders]:
    try:
        decoders = GpuDecoders(2)
    except NoGpuDecoder as error:
        pytest.skip(str(error))
    with closing(decoders):
        yield decoders


def sampled(decoders: GpuDecoders | None, cpu: Decoder, clip: Path) -> Iterator[Sampled]:
    facts = probe(clip, clip.name)
    plan = plan_of(facts)
    windows = [plan.sample_times(index) for index in range(len(plan))]
    asked = (clip, clock_of(facts), windows, SECOND, SIZE)
    return decoders.sample(cpu, *asked) if decoders else cpu.sample(*asked)


def shown(windows: Iterator[Sampled]) -> Shown:
    return [[(frame.pts, frame.picture.tobytes()) for frame in w.frames] for w in windows]


def test_threads_share_one_process(shared: GpuDecoders, decoder: Decoder, tmp_path: Path) -> None:
    """Each has its own file there, at the same time, and leaves its own decoder alone."""
    clips = [
        write_clip(tmp_path / f"{i}.mp4", [i * 1000 + n * 40 for n in range(300)]) for i in range(4)
    ]
    unused = [Decoder() for _ in clips]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda c, d: shown(sampled(shared, d, c)), clips, unused))
    assert found == [shown(sampled(None, decoder, clip)) for clip in clips]
    assert [own.child_pid for own in unused] == [None] * 4


def test_the_cpu_takes_what_no_decoder_is_free_for(cpu: Decoder, clip: Path) -> None:
    with closing(GpuDecoders(1, 5, SharedTables(), (STAND_IN,))) as one:
        first = sampled(one, cpu, clip)
        start = [next(first)]
        second = sampled(one, cpu, clip)
        start.append(next(second))
        assert cpu.child_pid is not None
        assert shown(iter(start))[0] == shown(iter(start))[1]
        assert shown(first) == shown(second)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_no_window_is_lost_with_the_process(
    shared: GpuDecoders, cpu: Decoder, clip: Path, number: signal.Signals
) -> None:
    """It ends, or hangs until its time is over: the CPU goes on with the window that was due."""
    windows = sampled(shared, cpu, clip)
    start = [next(windows)]
    os.kill(shared.pid, number)
    assert shown(iter([*start, *windows])) == shown(sampled(None, cpu, clip))
    assert shown(sampled(shared, cpu, clip)) == shown(sampled(None, cpu, clip))
    with pytest.raises(ProcessLookupError):  # nor does it wait for the next one
        os.kill(shared.pid, 0)


def test_a_process_that_ended_is_replaced_and_spares_itself_the_file(
    shared: GpuDecoders, cpu: Decoder, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_REST_S", 0.2)
    windows = sampled(shared, cpu, clip)
    next(windows)
    ended = shared.pid
    os.kill(ended, signal.SIGKILL)
    list(windows)
    other = write_clip(tmp_path / "other.mp4", [n * 40 for n in range(100)])
    list(sampled(shared, cpu, other))  # while it rests
    time.sleep(0.3)
    cpu.close()
    list(sampled(shared, cpu, other))
    assert shared.pid != ended
    assert cpu.child_pid is None
    list(sampled(shared, cpu, clip))
    assert cpu.child_pid is not None


def test_a_file_that_it_could_not_decode_is_tried_again_later(
    shared: GpuDecoders, cpu: Decoder, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory may have been short. What may have ended it is not."""
    facts = probe(clip, clip.name)
    shared._note(Unsupported("has packets that the GPU doesn't decode."), clip, clock_of(facts))
    list(sampled(shared, cpu, clip))
    assert cpu.child_pid is not None
    cpu.close()
    now = time.monotonic()
    monkeypatch.setattr("worker.video.gpu.monotonic", lambda: now + gpu._BARRED_S)
    list(sampled(shared, cpu, clip))
    assert cpu.child_pid is None
    shared._note(WorkerLost("The decoder crashed."), clip, clock_of(facts))
    monkeypatch.setattr("worker.video.gpu.monotonic", lambda: now + 100 * gpu._BARRED_S)
    list(sampled(shared, cpu, clip))
    assert cpu.child_pid is not None


HOLDER = """
import ctypes, sys
SEIZE, STOP_AT_ITS_END = 0x4206, 0x40  # linux/ptrace.h
if ctypes.CDLL(None).ptrace(SEIZE, int(sys.argv[1]), 0, STOP_AT_ITS_END) == 0:
    print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(pid: int) -> Iterator[None]:
    """As by a driver that hangs: a process that is killed doesn't end, until the block does."""
    command = (sys.executable, "-c", HOLDER, str(pid))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"held\n":
            pytest.skip("this machine lets no process trace another")
        yield


def test_a_process_that_no_kill_ends_keeps_nobody_waiting(
    cpu: Decoder, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_REST_S", 0)
    monkeypatch.setattr(gpu, "SECONDS_TO_DIE", 0.2)
    other = write_clip(tmp_path / "other.mp4", [n * 40 for n in range(100)])
    with closing(GpuDecoders(1, 6, SharedTables(), (STAND_IN,))) as shared:
        hung = shared.pid
        with held(hung):
            os.kill(hung, signal.SIGSTOP)
            list(sampled(shared, cpu, clip))
            assert cpu.child_pid is not None
            cpu.close()
            list(sampled(shared, cpu, other))
            assert shared.pid != hung
            assert cpu.child_pid is None
        patience = time.monotonic() + 20
        while time.monotonic() < patience and psutil.pid_exists(hung):
            time.sleep(0.05)
        assert not psutil.pid_exists(hung), "it ended at last, and stays as a zombie"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import time; time.sleep(60)", "its process was not ready within 1 s"),
        ("raise SystemExit(3)", "its process ended with status 3"),
        ("raise SystemExit('no such GPU')", "no such GPU"),
    ],
)
def test_a_process_that_does_not_begin_is_told_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, reason: str
) -> None:
    monkeypatch.setattr(gpu, "_PATIENCE_S", 1)
    (tmp_path / "stand_in.py").write_text(program)
    monkeypatch.setattr(process, "ROOT", tmp_path)
    with pytest.raises(NoGpuDecoder, match=reason):
        GpuDecoders(1, program=("stand_in",))


def test_what_the_gpu_refuses_the_cpu_decodes(cpu: Decoder, clip: Path) -> None:
    """Here because there is no GPU."""
    refusing = GpuDecoders(1, 5, SharedTables(), (STAND_IN, "refuses"))
    with closing(refusing):
        assert shown(sampled(refusing, cpu, clip)) == shown(sampled(None, cpu, clip))
        assert cpu.child_pid is not None


def test_a_pipe_in_the_place_of_a_file_holds_nobody(
    shared: GpuDecoders, cpu: Decoder, tmp_path: Path
) -> None:
    """To open one waits for who writes to it."""
    os.mkfifo(tmp_path / "pipe")
    asked = (tmp_path / "pipe", Clock(0, SECOND, 0, 1), [[SECOND]], SECOND, SIZE)
    refusals: list[BadFile] = []

    def ask() -> None:
        try:
            list(shared.sample(cpu, *asked))
        except BadFile as refusal:
            refusals.append(refusal)

    asker = Thread(target=ask, daemon=True)
    asker.start()
    asker.join(20)
    assert len(refusals) == 1


def test_who_hangs_up_halfway_leaves_the_others_their_decoders(
    shared: GpuDecoders, cpu: Decoder, decoder: Decoder, clip: Path
) -> None:
    for _ in range(6):  # more often than there are decoders
        windows = sampled(shared, cpu, clip)
        next(windows)
        assert isinstance(windows, Iterator)
        windows.close()  # type: ignore[attr-defined]
    assert shown(sampled(shared, cpu, clip)) == shown(sampled(None, decoder, clip))
    assert cpu.child_pid is None


def test_a_process_that_may_hold_no_more_files_refuses_one_and_goes_on(
    shared: GpuDecoders, cpu: Decoder, clip: Path, tmp_path: Path
) -> None:
    other = write_clip(tmp_path / "other.mp4", [n * 40 for n in range(100)])
    _, most = before = resource.prlimit(shared.pid, resource.RLIMIT_NOFILE)
    process = shared.pid
    resource.prlimit(process, resource.RLIMIT_NOFILE, (3, most))
    list(sampled(shared, cpu, clip))
    assert cpu.child_pid is not None
    cpu.close()
    resource.prlimit(process, resource.RLIMIT_NOFILE, before)
    list(sampled(shared, cpu, other))
    assert cpu.child_pid is None
    assert shared.pid == process


def test_a_conversation_that_fails_is_over_at_once(
    cpu: Decoder, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its thread ends with a fault that nobody foresaw: here, a picture of no size."""
    with closing(GpuDecoders(1, 60, SharedTables(), (STAND_IN,))) as one:
        facts = probe(clip, clip.name)
        asked = (clip, clock_of(facts), [[SECOND]], SECOND, (0, 0))
        began = time.monotonic()
        with pytest.raises(AppError):
            list(one.sample(cpu, *asked))
        assert time.monotonic() - began < 30
        assert shown(sampled(one, cpu, clip)) == shown(sampled(None, cpu, clip))


def test_without_such_a_gpu_the_worker_says_so_and_uses_the_cpu(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # on machines that have one
    with pytest.raises(NoGpuDecoder, match="no GPU whose driver decodes video"):
        GpuDecoders(2)
    assert open_gpu_decoders(Settings(gpu_decoders=2), SharedTables()) is None
    assert "the CPU decodes" in caplog.text
    assert open_gpu_decoders(Settings(), SharedTables()) is None


@pytest.mark.gpu
@pytest.mark.parametrize("name", GOOD)
def test_a_gpu_shows_what_the_cpu_shows(
    media: Path, nvdec: GpuDecoders, cpu: Decoder, name: str
) -> None:
    """The same times for every clip, the same bits for those that are sound."""
    clip = media / name
    if not clip.exists():
        pytest.skip(f"{name} is not here")
    expected = shown(sampled(None, cpu, clip))
    cpu.close()
    found = shown(sampled(nvdec, cpu, clip))
    print(f"{name}: by the {'GPU' if cpu.child_pid is None else 'CPU'}")
    assert [[pts for pts, _ in window] for window in found] == [
        [pts for pts, _ in window] for window in expected
    ]
    assert name in DAMAGED or found == expected
