"""The process that reads a hostile file can open, run, change, reach and signal nothing else."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from worker.video import sandbox

ROOT = Path(__file__).parents[2]

ATTEMPTS = {
    "open a file": "open('/etc/passwd')",
    "open a file of our own": "open(THERE)",
    "list a folder": "os.listdir('/')",
    "write a file": "os.open(THERE + '.new', os.O_WRONLY | os.O_CREAT)",
    "remove a file": "os.unlink(THERE)",
    "rename a file": "os.rename(THERE, THERE + '.moved')",
    "cut a file": "os.truncate(THERE, 0)",
    "change a file's rights": "os.chmod(THERE, 0)",
    "change a file's rights by its folder": "os.chmod('there', 0, dir_fd=FOLDER)",
    "give a file away": "os.chown(THERE, -1, -1)",
    "make a folder": "os.mkdir(THERE + '.folder')",
    "run a program": "os.execv('/bin/sh', ['sh', '-c', 'exit 0'])",
    "start a process": "os.fork() or os._exit(0)",
    "reach the network": "socket.create_connection(('127.0.0.1', PORT))",
    "send a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "reach a local socket": "socket.socket(socket.AF_UNIX)",
    "signal its parent": "os.kill(os.getppid(), 0)",
    "queue input and output past the filter": "io_uring()",
    "do so in a thread": "in_a_thread(lambda: open('/etc/passwd'))",
    "reach the network in a thread that was there before": "in_the_earlier_thread()",
}

PROGRAM = """
import ctypes, os, socket, sys, threading
from worker.video.confinement import confine
THERE, PORT, CONFINED = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "confined"
FOLDER = os.open(os.path.dirname(THERE), os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)

def io_uring():
    if libc.syscall(425, 1, None) < 0 and ctypes.get_errno() == 13:
        raise PermissionError

def in_a_thread(step):
    errors = []
    def run():
        try:
            step()
        except OSError as error:
            errors.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]

confined, refusals = threading.Event(), []

def reach():
    confined.wait()
    try:
        socket.socket()
    except OSError as error:
        refusals.append(error)

earlier = threading.Thread(target=reach, daemon=True)
earlier.start()

def in_the_earlier_thread():
    confined.set()
    earlier.join()
    if refusals:
        raise refusals[0]

if CONFINED:
    confine(None)
try:
    {attempt}
except PermissionError:
    sys.exit(13)
"""


def outcome(attempt: str, there: Path, port: int, manner: str) -> int:
    program = PROGRAM.replace("{attempt}", attempt)
    command = [sys.executable, "-c", program, str(there), str(port), manner]
    return subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_confined_process_is_refused_what_others_may(attempt: str, tmp_path: Path) -> None:
    if sandbox.missing():
        pytest.skip(f"needs a kernel with every lock: {'; '.join(sandbox.missing())}")
    there = tmp_path / "there"
    there.write_text("precious")
    there.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert outcome(attempt, there, port, "confined") == 13
        assert there.read_text() == "precious"
        assert there.stat().st_mode & 0o777 == 0o644
        assert [path.name for path in tmp_path.iterdir()] == ["there"]
        assert outcome(attempt, there, port, "free") == 0


def test_what_was_open_stays_readable(tmp_path: Path) -> None:
    program = """
import os
from worker.video.confinement import allow_pixels, confine
from worker.video.source import Source
source = Source(os.open("README.md", os.O_RDONLY))
confine(None)
allow_pixels(64 << 20)
print(source.head(11).decode())
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "# Reelnotes\n"


def test_a_kernel_without_locks_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_CREATE_RULESET", 99_999)  # a system call that no kernel has
    monkeypatch.setattr(sandbox, "_ARCHITECTURES", {})
    first, second = sandbox.missing()
    assert "no Landlock" in first
    assert "no system call filter" in second


OLDER = {
    "without Landlock": "sandbox._CREATE_RULESET = 99_999",
    "before it knew the network": "sandbox._NETWORK_SINCE = sandbox._SCOPES_SINCE = 99",
    "before it knew signals": "sandbox._SCOPES_SINCE = 99",
    "without a filter": "sandbox._ARCHITECTURES = {}",
}
MAY = {
    "open a file": {"without Landlock"},
    "reach the network": set[str](),
    "send a datagram": {"without a filter"},
    "signal its parent": {*OLDER} - {"without a filter"},
}
"""What such a kernel lets a confined process do all the same."""


@pytest.mark.parametrize("kernel", OLDER)
def test_an_older_kernel_locks_what_it_can(kernel: str, tmp_path: Path) -> None:
    if sandbox.missing():
        pytest.skip(f"needs a kernel with every lock: {'; '.join(sandbox.missing())}")
    (tmp_path / "there").write_text("precious")
    program = PROGRAM.replace("if CONFINED:", f"from worker.video import sandbox\n{OLDER[kernel]}\nif CONFINED:")  # fmt: skip
    for attempt, kernels in MAY.items():
        with socket.create_server(("127.0.0.1", 0)) as server:
            place = (str(tmp_path / "there"), str(server.getsockname()[1]), "confined")
            tried = program.replace("{attempt}", ATTEMPTS[attempt])
            done = subprocess.run([sys.executable, "-c", tried, *place], cwd=ROOT, check=False)
        assert done.returncode == (0 if kernel in kernels else 13), attempt


@pytest.mark.parametrize(
    ("since", "lack"),
    [("_NETWORK_SINCE", "the network is locked by"), ("_SCOPES_SINCE", "from sending signals")],
)
def test_an_older_landlock_is_told_of(
    since: str, lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sandbox.missing():
        pytest.skip(f"needs a kernel with every lock: {'; '.join(sandbox.missing())}")
    monkeypatch.setattr(sandbox, since, 99)
    (told,) = sandbox.missing()
    assert lack in told
