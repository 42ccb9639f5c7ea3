"""Keep programs running: restart what ends, and at the end leave no process behind.

Knows nothing of what the programs do.
"""

import os
import queue
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

from serve import guard
from serve.child import Child, Program
from serve.telling import Telling, in_text

FIRST_DELAY = 0.5  # seconds before a program that ended is started again; doubles each time
LONGEST_DELAY = 10.0
STEADY = 30.0  # seconds after which a program counts as well: the next delay is the first again
FAILED_STARTS = 4  # in a row, before the programs have settled: give up
HURRIED_GRACE = 1.0  # seconds, after a second Ctrl-C


@dataclass(slots=True)
class Post:
    """A program's place: its process if it runs, when to start it if not."""

    program: Program
    due: float = 0.0  # monotonic seconds; infinity: not again
    started: float = 0.0
    failures: int = 0  # in a row
    child: Child | None = None
    kill_at: float | None = None  # monotonic seconds; set when it was asked to end


class Supervisor:
    """Runs in one thread; `call` is the only method that another thread may use."""

    def __init__(
        self,
        programs: Iterable[Program],
        log: TextIO,
        guard_fds: tuple[int, ...] = (),
        write: Telling = in_text,
    ):
        """`guard_fds` stay open until the last process is gone, also after a kill -9."""
        self._posts = [Post(program) for program in programs]
        self._write = write
        self._log = log
        self._guard = _Guard(guard_fds)
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = os.pipe()
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._settled = False
        self._stopping = False
        self._hurried = False
        self._exit_status = 0

    def run(self) -> int:
        """Return the exit status when every program has ended."""
        with self._signals(), self._guard:
            self._selector.register(self._wake_out, selectors.EVENT_READ)
            while self._running() or not self._stopping:
                self._start_due()
                self._wait()
                self._reap()
                if self._stopping:
                    self._end_next()
        return self._exit_status

    def call(self, action: Callable[[], None]) -> None:
        """Have the supervisor's own thread do something soon."""
        self._calls.put(action)
        os.write(self._wake_in, b"\0")

    def settle(self) -> None:
        """Say that the start is over: from now on nothing is given up."""
        self._settled = True

    def add(self, program: Program) -> None:
        self._posts.append(Post(program))

    def say(self, text: str, name: str = "reelnotes") -> None:
        width = max(len(post.program.name) for post in self._posts) if self._posts else 0
        line = self._write(name, text, max(width, len("reelnotes")), self._log.isatty())
        with suppress(OSError):  # nobody reads any more: the work goes on
            print(line, file=self._log, flush=True)

    def stop(self, exit_status: int = 0) -> None:
        """End all programs, in their order. A second call shortens the wait."""
        self._hurried = self._stopping
        if not self._stopping:
            self._exit_status = exit_status
            self.say("Ending what runs (Ctrl-C again: in a hurry).")
        self._stopping = True
        for post in self._posts:
            post.due = float("inf")

    def _running(self) -> list[Post]:
        return [post for post in self._posts if post.child]

    def _start_due(self) -> None:
        for post in self._posts:
            if post.child is None and post.due <= time.monotonic():
                self._start(post)
        self._guard.watch(post.child.group for post in self._running() if post.child)

    def _start(self, post: Post) -> None:
        post.started = time.monotonic()
        try:
            post.child = Child(post.program)
        except OSError as error:  # no such program, no memory for it …
            self._plan_restart(post, str(error))
            return
        if post.child.output:
            self._selector.register(post.child.output, selectors.EVENT_READ, post)

    def _wait(self) -> None:
        """Sleep until a program writes or ends, a signal or a call comes, or something is due."""
        for key, _ in self._selector.select(self._until_next()):
            if key.fd == self._wake_out:
                os.read(self._wake_out, 4096)
            else:
                self._tell(key.data)
        with suppress(queue.Empty):
            while True:
                self._calls.get_nowait()()

    def _until_next(self) -> float | None:
        times = [post.due for post in self._posts if not post.child]
        times += [post.kill_at for post in self._running() if post.kill_at is not None]
        first = min(times, default=float("inf"))
        return None if first == float("inf") else max(0.0, first - time.monotonic())

    def _tell(self, post: Post) -> None:
        for line in post.child.read_lines() if post.child else ():
            if line and not any(words in line for words in post.program.hushed):
                self.say(line, post.program.name)

    def _reap(self) -> None:
        for post in self._running():
            if post.child and post.child.ended():
                self._tell(post)
                self._bury(post, post.child)

    def _bury(self, post: Post, child: Child) -> None:
        child.kill()  # what it started itself, and left
        if child.output:
            self._selector.unregister(child.output)
            child.output.close()
        post.child, post.kill_at = None, None
        if self._stopping:
            return
        if post.program.once:
            post.due = float("inf")
            if post.program.ends_all:
                self.stop(child.exit_status)
            return
        self._plan_restart(post, child.how_it_ended())

    def _plan_restart(self, post: Post, how: str) -> None:
        steady = time.monotonic() - post.started >= STEADY
        post.failures = 1 if steady else post.failures + 1
        if not self._settled and post.failures >= FAILED_STARTS:
            self.say(
                f"{post.program.name} ended {post.failures} times while starting ({how}). "
                "Its last lines stand above. Giving up."
            )
            self.stop(exit_status=1)
            return
        delay = min(FIRST_DELAY * 2 ** (post.failures - 1), LONGEST_DELAY)
        post.due = time.monotonic() + delay
        self.say(f"{post.program.name} ended ({how}); starting it again in {delay:g} s")

    def _end_next(self) -> None:
        """Ask the running programs that are next to end; kill those that took too long."""
        running = self._running()
        next_order = min((post.program.stop_order for post in running), default=0)
        now = time.monotonic()
        for post in running:
            if post.child is None or post.program.stop_order != next_order:
                continue
            grace = min(post.program.grace, HURRIED_GRACE) if self._hurried else post.program.grace
            if post.kill_at is None:
                post.child.terminate()
                post.kill_at = now + grace
            elif self._hurried:
                post.kill_at = min(post.kill_at, now + grace)
            if post.kill_at <= now:
                self.say(f"{post.program.name} took longer than {grace:g} s to end: killed")
                post.child.kill()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def on_stop(number: int, frame: FrameType | None) -> None:
            self._calls.put(
                self.stop
            )  # not here: the signal may have come in the middle of a print

        os.set_blocking(self._wake_in, False)
        handlers = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), on_stop)
        handlers[signal.SIGCHLD] = lambda number, frame: None
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        wakeup = signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)


class _Guard:
    """The process that ends the others if this one is killed; see guard.py."""

    def __init__(self, fds: tuple[int, ...]) -> None:
        self._fds = fds
        self._process: subprocess.Popen[str] | None = None
        self._told: list[int] = []

    def __enter__(self) -> None:
        self._start()

    def __exit__(self, *error: object) -> None:
        if self._process and self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()

    def watch(self, groups: Iterable[int]) -> None:
        """Tell it which process groups are alive now; start it again if it was ended."""
        wanted = sorted(groups)
        if self._process is None or self._process.poll() is not None:
            self._start()
        if wanted != self._told and self._process and self._process.stdin:
            self._told = wanted
            with suppress(BrokenPipeError):  # it was ended just now: SIGCHLD brings us back here
                print(*wanted, file=self._process.stdin, flush=True)

    def _start(self) -> None:
        self._told = []
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=self._fds,
            start_new_session=True,
            text=True,
        )
