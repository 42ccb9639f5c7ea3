"""The child that decodes may hang, crash or be killed, and reads no file but the one it is given."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from models.errors import AppError, BadFile, OutOfMemory, TimedOut, Unsupported, WorkerLost
from tests.video.clips import HEIGHT, TITLE, WIDTH, number_of, write_clip
from tests.video.conftest import clock_of
from web.probe import probe
from worker.video.decoder import Clock, Decoder, Sampled

SECOND = Fraction(1)
ROOT = Path(__file__).parents[2]
MEASURING = str(ROOT / "tests" / "measuring")
LONG_AGO = 1_000_000_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 60 seconds at 25 pictures a second."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, [i * 40 for i in range(1500)], options={"g": "25"})


@pytest.fixture
def own_decoder() -> Iterator[Decoder]:
    """Yield a decoder whose child may be hurt."""
    decoder = Decoder(window_seconds=5)
    yield decoder
    decoder.close()


def windows_of(decoder: Decoder, clip: Path, size: tuple[int, int]) -> Iterator[Sampled]:
    clock = clock_of(probe(clip, clip.name))
    windows = [[Fraction(second), second + Fraction(1, 2)] for second in range(60)]
    return decoder.sample(clip, clock, windows, Fraction(1, 2), size)


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGKILL, OutOfMemory), (signal.SIGSEGV, WorkerLost), (signal.SIGABRT, WorkerLost)],
)
def test_a_child_that_dies_is_told_and_replaced(
    own_decoder: Decoder, clip: Path, number: signal.Signals, error: type[AppError]
) -> None:
    windows = windows_of(own_decoder, clip, (640, 320))
    next(windows)
    assert own_decoder.child_pid is not None
    os.kill(own_decoder.child_pid, number)
    with pytest.raises(error) as caught:
        list(windows)
    assert "s of the video" in str(caught.value)
    assert number_of(next(windows_of(own_decoder, clip, (128, 64))).frames[0].picture) == 0


def test_a_decoder_gives_way_to_whom_its_pictures_are_for(own_decoder: Decoder, clip: Path) -> None:
    windows = windows_of(own_decoder, clip, (640, 320))
    next(windows)
    assert psutil.Process(own_decoder.child_pid).nice() == min(psutil.Process().nice() + 10, 19)


def test_a_child_that_hangs_is_ended(own_decoder: Decoder, clip: Path) -> None:
    windows = windows_of(own_decoder, clip, (640, 320))
    next(windows)
    pid = own_decoder.child_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TimedOut, match="took longer than 5 s"):
        list(windows)
    assert not psutil.pid_exists(pid)


def test_a_caller_that_stops_early_leaves_nothing_in_the_pipe(
    own_decoder: Decoder, clip: Path
) -> None:
    windows = windows_of(own_decoder, clip, (640, 320))
    next(windows)
    windows.close()  # type: ignore[attr-defined]
    numbers = [number_of(w.frames[0].picture) for w in windows_of(own_decoder, clip, (128, 64))]
    assert numbers == [second * 25 % 256 for second in range(60)]


def test_one_child_serves_many_requests(own_decoder: Decoder, clip: Path) -> None:
    list(windows_of(own_decoder, clip, (64, 32)))
    pid = own_decoder.child_pid
    list(windows_of(own_decoder, clip, (128, 64)))
    assert own_decoder.child_pid == pid


def test_the_child_lives_on_when_the_last_window_is_the_last_that_is_asked_for(
    own_decoder: Decoder, clip: Path
) -> None:
    """A job that ends with the window asks its decoder no more."""
    windows = windows_of(own_decoder, clip, (WIDTH, HEIGHT))
    for _ in range(60):
        next(windows)
    pid = own_decoder.child_pid
    del windows
    assert pid is not None
    assert own_decoder.child_pid == pid
    assert len(list(windows_of(own_decoder, clip, (WIDTH, HEIGHT)))) == 60
    assert own_decoder.child_pid == pid


def test_the_child_does_not_outlive_its_parent(clip: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from tests.video.test_child import windows_of
from worker.video.decoder import Decoder
decoder = Decoder()
windows = windows_of(decoder, Path({str(clip)!r}), (640, 320))
next(windows)
print(decoder.child_pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=20)


def test_memory_stays_flat_on_both_sides(own_decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", [i * 40 for i in range(3000)], options={"g": "50"})
    facts = probe(clip, clip.name)
    windows = [[Fraction(second)] for second in range(120)]
    sampled = own_decoder.sample(clip, clock_of(facts), windows, SECOND, (960, 480))
    peak = 0
    before = psutil.Process().memory_info().rss
    for window in sampled:
        assert len(window.frames) == 1
        assert own_decoder.child_pid is not None
        peak = max(peak, psutil.Process(own_decoder.child_pid).memory_info().rss)
        assert psutil.Process().memory_info().rss - before < 30 << 20  # all frames: 158 MiB
    assert peak < 200 << 20


def test_the_child_is_confined(own_decoder: Decoder, clip: Path) -> None:
    next(windows_of(own_decoder, clip, (64, 32)))
    windows = windows_of(own_decoder, clip, (640, 320))
    next(windows)
    assert own_decoder.child_pid is not None
    child = psutil.Process(own_decoder.child_pid)
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_AS)[0] < 8 << 30
    environment = child.environ()
    if environment.get("PYTHONPATH") == MEASURING:  # how `make coverage` reaches it
        del environment["PYTHONPATH"]
    assert set(environment) <= {"LC_ALL", "LC_CTYPE", "MALLOC_ARENA_MAX", "OPENBLAS_NUM_THREADS"}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    "name",
    ["-rf .mp4", "two\nlines.mp4", "concat:a|b.mp4", "http:..x.mp4", "%d.mp4", "ü 😀'\".mp4"],
)
def test_names_are_only_names(decoder: Decoder, clip: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(clip.read_bytes())
    facts = probe(path, name)
    (window,) = decoder.sample(path, clock_of(facts), [[SECOND]], SECOND, (WIDTH, HEIGHT))
    assert number_of(window.frames[0].picture) == 25
    path.write_bytes(b"nothing that anyone knows")
    with pytest.raises(BadFile) as caught:
        probe(path, name)
    assert str(caught.value).startswith(name)


def test_a_title_that_is_no_text_is_no_trouble(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    content = clip.read_bytes()
    assert TITLE.encode() in content
    path.write_bytes(content.replace(TITLE.encode(), b"\xff" * len(TITLE)))
    assert probe(path, path.name) == probe(clip, clip.name)


DISGUISES = {
    "concat.mp4": "ffconcat version 1.0\nfile '{canary}'\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{canary}\n#EXT-X-ENDLIST\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
    "<AdaptationSet><Representation><BaseURL>{canary}</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_list_of_files_opens_none_of_them(clip: Path, tmp_path: Path, name: str) -> None:
    canary = _unread_copy(clip, tmp_path / "canary.mp4")
    control = _unread_copy(clip, tmp_path / "control.mp4")
    control.read_bytes()
    if os.stat(control).st_atime == LONG_AGO:
        pytest.skip("needs a file system that notes when a file was read")
    disguise = tmp_path / name
    disguise.write_text(DISGUISES[name].format(canary=canary))
    with pytest.raises((Unsupported, BadFile)):
        probe(disguise, name)
    with pytest.raises((Unsupported, BadFile)):
        list(Decoder().sample(disguise, Clock(0, SECOND, 0, 9), [[SECOND]], SECOND, (64, 32)))
    assert os.stat(canary).st_atime == LONG_AGO, "the canary was read"


def _unread_copy(clip: Path, path: Path) -> Path:
    path.write_bytes(clip.read_bytes())
    os.utime(path, (LONG_AGO, LONG_AGO + 1))
    return path


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing", "device"])
def test_only_plain_files_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing.mp4"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(BadFile, match=r"^thing\.mp4 "):
        probe(path, "thing.mp4")


def test_a_file_that_has_vanished_is_told(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [0, 40])
    clock = clock_of(probe(clip, clip.name))
    clip.unlink()
    with pytest.raises(BadFile, match="no longer in its place"):
        list(decoder.sample(clip, clock, [[Fraction(0)]], SECOND, (64, 32)))


def test_a_decoder_can_be_closed_twice_and_used_again(clip: Path) -> None:
    decoder = Decoder()
    decoder.close()
    assert next(windows_of(decoder, clip, (64, 32))).frames
    decoder.close()
    decoder.close()
    started = time.monotonic()
    assert next(windows_of(decoder, clip, (64, 32))).decode_ms < (time.monotonic() - started) * 1000
    decoder.close()
