"""Start-up module of each Python process while `make coverage` measures: PYTHONPATH leads here.

What a process executed is kept in a mapped file, made before its program begins: so a process that
may open and write no file any more still saves into it, and what was saved survives SIGKILL.
"""

import atexit
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from coverage import Coverage

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOLDER = ROOT / ".coverage.d"  # a file for each process
PACKAGES = ("models", "worker", "web")
SECONDS_BETWEEN = 1  # saves
ROOM = 4 << 20  # bytes of a file; it takes up on the disk what is written
LENGTH = 8  # bytes before the data that say how long they are; 0 until they are whole


class Measurement(Coverage):
    """Coverage whose data lie in memory; each save copies them into the process's mapped file."""

    def __init__(self) -> None:
        super().__init__(
            data_file=None,
            config_file=str(ROOT / "pyproject.toml"),
            include=[f"{ROOT}/{package}/*" for package in PACKAGES],
        )
        self._turn = threading.RLock()  # a signal's handler may save within a save
        self._ended = False
        self._open_map()
        os.register_at_fork(
            before=self._turn.acquire,
            after_in_parent=self._turn.release,
            after_in_child=self._go_on_in_child,
        )

    def save_now_and_then(self) -> None:
        """Save every second from now on, in a thread of its own: servers are killed at any moment."""
        threading.Thread(target=self._save_for_ever, daemon=True).start()

    def _save_for_ever(self) -> None:
        while not self._ended:
            time.sleep(SECONDS_BETWEEN)
            with suppress(MemoryError):  # that limit is the program's, and it is tested
                self.save()

    def _go_on_in_child(self) -> None:
        self._open_map()  # the other one is its parent's
        self._turn.release()
        self.save_now_and_then()

    def end(self) -> None:
        """Save for the last time: Python still flushes its outputs when Coverage has let go of all."""
        self.save()
        self._ended = True

    def save(self) -> None:
        """Copy what was executed so far into the file."""
        with self._turn:
            if self._ended:
                return
            data = self.get_data().dumps()
            self._map[:LENGTH] = bytes(LENGTH)
            self._map[LENGTH : LENGTH + len(data)] = data
            self._map[:LENGTH] = len(data).to_bytes(LENGTH, "big")

    def _open_map(self) -> None:
        FOLDER.mkdir(exist_ok=True)
        descriptor, _ = tempfile.mkstemp(dir=FOLDER)
        os.ftruncate(descriptor, ROOM)
        self._map = mmap.mmap(descriptor, ROOM)
        os.close(descriptor)


def saved() -> Iterator[bytes]:
    """Yield what each process saved last; nothing of one that was killed before or while it did."""
    for path in FOLDER.iterdir():
        with path.open("rb") as file:
            if length := int.from_bytes(file.read(LENGTH), "big"):
                yield file.read(length)


class SavedFirst:
    """An output that saves before what was written to it is handed on."""

    def __init__(self, stream: Any, measurement: Measurement) -> None:
        self._stream = stream
        self._measurement = measurement

    def flush(self) -> None:
        with suppress(MemoryError):
            self._measurement.save()
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._stream, name)
        return SavedFirst(value, self._measurement) if name == "buffer" else value


def start() -> None:
    measurement = Measurement()
    measurement.start()
    atexit.register(measurement.end)  # after start(): so it is called before Coverage's own end
    measurement.save_now_and_then()
    measurement.save()  # imports what saving needs, while modules can be opened
    sys.addaudithook(lambda event, values: _watch(measurement, event, values))
    _hand_on()


def _watch(measurement: Measurement, event: str, values: tuple[Any, ...]) -> None:
    """A process that gives up writing files is one that its parent kills as soon as it has answered."""
    confined = event == "resource.setrlimit" and values[0] == resource.RLIMIT_FSIZE
    if confined and not isinstance(sys.stdout, SavedFirst):
        output: Any = SavedFirst(sys.stdout, measurement)
        sys.stdout = output


def _hand_on() -> None:
    """Have processes that are given an environment of their own measured too."""
    begin: Any = subprocess.Popen.__init__

    def begin_measured(
        self: "subprocess.Popen[Any]",
        *args: Any,
        env: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        if env is not None:
            env = {**env, "PYTHONPATH": f"{HERE}:{env.get('PYTHONPATH', '')}".rstrip(":")}
        begin(self, *args, env=env, **kwargs)

    setattr(subprocess.Popen, "__init__", begin_measured)  # noqa: B010 (typed as a method of its own)


if __name__ == "sitecustomize":
    start()
