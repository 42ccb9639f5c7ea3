"""A program to run, and its process while it runs."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.printable import printable
from serve import guard

LONGEST_LINE = 16_384  # bytes; a longer line of output is told in pieces


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, as data."""

    name: str  # before each line of its output
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)  # beside the supervisor's own
    fds: tuple[int, ...] = ()  # open files that it is handed
    stop_order: int = 0  # programs of a lower one are ended first
    grace: float = 5.0  # seconds between SIGTERM and SIGKILL
    once: bool = False  # it is an errand: its end is no failure
    ends_all: bool = False  # an errand whose end, and exit status, are everybody's
    speaks: bool = False  # its output goes out as it is, without a name before it
    hushed: tuple[str, ...] = ()  # lines of output with one of these are not told


class Child:
    """The running process of a program. Its group holds whatever it starts itself."""

    def __init__(self, program: Program) -> None:
        self.program = program
        output = None if program.speaks else subprocess.PIPE
        self._process = subprocess.Popen(
            program.argv,
            env={**os.environ, **program.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if program.speaks else subprocess.STDOUT,
            pass_fds=program.fds,
            start_new_session=True,  # Ctrl-C at the terminal reaches only the supervisor
        )
        self.group = self._process.pid
        self.output = self._process.stdout
        self._unfinished = b""
        if self.output:
            os.set_blocking(self.output.fileno(), False)

    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def exit_status(self) -> int:
        """As a shell counts: 128 and more for a signal."""
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def how_it_ended(self) -> str:
        code = self._process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """End the process and whatever is left of its group."""
        guard.kill_group(self.group)
        self._process.wait()

    def read_lines(self) -> list[str]:
        """Return the lines that it wrote since; the last one, without an end, when it has ended."""
        if self.output is None:
            return []
        data = self._unfinished + (self.output.read() or b"")
        *lines, self._unfinished = data.split(b"\n")
        if self._unfinished and (self.ended() or len(self._unfinished) > LONGEST_LINE):
            lines.append(self._unfinished)
            self._unfinished = b""
        return [printable(line.decode(errors="replace").rstrip()) for line in lines]


def run_to_end(program: Program) -> int:
    """Run a program before there is a supervisor; return its exit status."""
    return subprocess.run(
        program.argv, env={**os.environ, **program.env}, stdin=subprocess.DEVNULL, check=False
    ).returncode
