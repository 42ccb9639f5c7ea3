"""The whole product as it is run, on servers that a test may hurt, and the ways to hurt it."""

import random
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import psutil
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from models import job_lists
from models.chunks import MAX_ATTEMPTS
from models.errors import StoreBusy
from models.media import Media, folder_media
from models.owners import is_gone
from models.store import Store
from models.tables import Chunk, Job, JobState, Segment, Upload
from models.uploads import HELD_MS
from settings import Settings
from tests.faults.inspection import faults_of
from tests.faults.servers import Broker, Postgres, flush, running_own_broker, running_postgres
from tests.journey.stack import Stack, running_stack
from tests.packaging.processes import wait_for

PROGRAMS = {
    "sqlite": ("worker", "decoder", "web", "beat", "broker"),
    "postgres": ("worker", "decoder", "web", "beat", "broker", "postmaster", "backend"),
}
"""What may be killed, by the kind of store."""

_PATIENCE_S = 300.0  # for all jobs to end, on a busy machine
_FREED_WITHIN_S = HELD_MS / 1000 + 20.0  # what uploads left that broke off; beat may just start
_TAKEN_AWAY = re.compile(r"chunk taken away job_id=(\S+)")
_CLAIM = re.compile(r"\| (\S+ \S+) \S+ \S+ chunk begins job_id=(\S+) stage=\d+ steps=(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Taken:
    """A worker has begun with a chunk at window `first`; `last` is its end, and its name in its job."""

    at: float  # seconds since 1970, as the worker's log tells it
    job_id: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Held:
    """A chunk in the hands of an owner."""

    job_id: str
    cursor: int
    last: int
    owner: str


@dataclass
class Installation:
    kind: str  # of the store: sqlite, with the embedded broker, or postgres, with a Redis
    stack: Stack
    store: Store
    broker: Broker | None  # None: the embedded one, which `serve` starts again
    postgres: Postgres | None
    lease_seconds: int
    cancelled: set[str] = field(default_factory=set)  # jobs, by the tests

    def faults(self) -> list[str]:
        """Return what is lost, doubled, orphaned or in a wrong state, once all is settled."""
        expected = dict.fromkeys(self.cancelled, JobState.CANCELLED)
        return faults_of(self.store, self.media, expected)

    @property
    def media(self) -> Media:
        return folder_media(self.stack.data_dir / "media")

    @property
    def broker_url(self) -> str:
        return self.broker.url if self.broker else self._read_broker_url()

    @property
    def programs(self) -> Sequence[str]:
        return PROGRAMS[self.kind]

    def processes(self, program: str) -> list[psutil.Process]:
        """Return what runs of a program now."""
        if program == "postmaster" and self.postgres:
            return _alive(self.postgres.server.pid)
        if program == "backend" and self.postgres:
            return self.postgres.backends()
        if program == "broker" and self.broker:
            return _alive(self.broker.server.pid)
        return self.stack.program(program)

    def kill(self, program: str, dice: random.Random) -> tuple[float, int]:
        """Kill -9 one process of a program; start again what `serve` doesn't.

        Not while a chunk is at its third attempt: three deaths at one window are the rule by which a
        job is given up. Return when, in seconds since 1970, and its pid.
        """
        while True:
            victim = dice.choice(wait_for(lambda: self.processes(program), program))
            if self.attempts() >= MAX_ATTEMPTS:
                time.sleep(0.1)
                continue
            with suppress(psutil.NoSuchProcess):
                at = time.time()
                victim.kill()
                break
        if program == "postmaster" and self.postgres:
            self.postgres.server.kill()
            time.sleep(dice.uniform(0.0, 2.0))
            self.postgres.start()
        elif program == "broker" and self.broker:
            self.broker.server.kill()
            time.sleep(dice.uniform(0.0, 2.0))
            self.broker.start()
        return at, victim.pid

    def restart_postgres(self) -> None:
        """As an administrator would: the clients are thrown out, what they hadn't committed is undone."""
        assert self.postgres
        self.postgres.server.stop(signal.SIGINT)
        self.postgres.start()

    @contextmanager
    def frozen(self, process: psutil.Process) -> Iterator[None]:
        freeze(process)
        try:
            yield
        finally:
            process.resume()

    def flush_broker(self) -> None:
        flush(self.broker_url)

    def lose_broker(self) -> None:
        """Kill the broker and delete its files: it comes back and knows nothing."""
        if self.broker:
            self.broker.server.kill()
            shutil.rmtree(self.broker.folder / "appendonlydir")
            self.broker.start()
            return
        (process,) = self.processes("broker")
        process.kill()
        shutil.rmtree(self.stack.data_dir / "broker" / "appendonlydir")

    def _read_broker_url(self) -> str:
        config = (self.stack.data_dir / "run" / "broker.conf").read_text()
        port, password = (
            re.search(rf"^{word} (.+)$", config, re.M) for word in ("port", "requirepass")
        )
        assert port
        assert password
        return f"redis://:{password[1]}@127.0.0.1:{port[1]}/0"

    def held(self, pid: int | None = None) -> list[Held]:
        """Return the chunks that are in somebody's hands, or in those of one process."""
        with self.patiently() as store, store.read() as session:
            rows = session.scalars(select(Chunk).where(Chunk.owner.is_not(None))).all()
        held = [Held(row.job_id, row.cursor, row.stop - 1, row.owner or "") for row in rows]
        return [one for one in held if pid is None or f"-{pid}-" in one.owner]

    def owners(self) -> set[str]:
        """Return who holds a chunk now. Raises StoreBusy."""
        with self.store.read() as session:
            return {owner for owner in session.scalars(select(Chunk.owner)) if owner}

    def wait_until_settled(self) -> None:
        """Wait until every job has ended and nothing is in anybody's hands.

        What uploads left that broke off is given as long as is promised; then faults() tells of it.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while unfinished := self._unfinished():
            if time.monotonic() > deadline:
                raise AssertionError(
                    "\n".join([f"still open: {unfinished}", *self.stack.log[-60:]])
                )
            time.sleep(0.2)
        deadline = time.monotonic() + _FREED_WITHIN_S
        while self._broken_off() and time.monotonic() < deadline:
            time.sleep(0.2)

    def _broken_off(self) -> list[str]:
        """Return the uploads in one request that ended early, and that the sweep is to look at."""
        try:
            with self.patiently() as store, store.read() as session:
                held = session.scalars(select(Upload.id).where(Upload.holder.is_not(None))).all()
        except StoreBusy as error:
            return [str(error)]
        incoming = (path.name for path in (self.media.root / "incoming").glob("*"))
        return [*held, *(name for name in incoming if is_gone(name))]

    def _unfinished(self) -> list[str]:
        ended = [state for state in JobState if state.ended]
        try:
            with self.patiently() as store, store.read() as session:
                open_jobs = session.scalars(select(Job.id).where(Job.state.not_in(ended))).all()
                owners = session.scalars(select(Chunk.owner).where(Chunk.owner.is_not(None))).all()
        except StoreBusy as error:  # its server comes up after a kill, and hangs up once more
            return [str(error)]
        return [*open_jobs, *(owner or "" for owner in owners)]

    def count_jobs(self) -> dict[str, int]:
        with self.patiently() as store, store.read() as session:
            return {state.value: count for state, count in job_lists.count_jobs(session).items()}

    def done(self) -> set[str]:
        with self.patiently() as store, store.read() as session:
            return set(session.scalars(select(Job.id).where(Job.state == JobState.DONE)))

    def count_segments(self) -> int:
        with self.patiently() as store, store.read() as session:
            return session.scalar(select(func.count()).select_from(Segment)) or 0

    def attempts(self) -> int:
        """Return the most attempts that a chunk in somebody's hands has had without storing anything."""
        with self.patiently() as store, store.read() as session:
            return max(
                session.scalars(select(Chunk.attempts).where(Chunk.owner.is_not(None))), default=0
            )

    @contextmanager
    def patiently(self) -> Iterator[Store]:
        """Yield the store once it answers: its server may just have been killed."""
        wait_for(self._store_answers, "the store")
        yield self.store

    def is_writable(self) -> bool:
        """Tell whether somebody else could write to the store now, without waiting for a lock."""
        if self.postgres:
            return True
        with suppress(sqlite3.OperationalError):
            with closing(
                sqlite3.connect(self.stack.data_dir / "reelnotes.db", timeout=0.2)
            ) as file:
                file.execute("BEGIN IMMEDIATE")
            return True
        return False

    def _store_answers(self) -> bool:
        try:
            with self.store.read() as session:
                session.execute(select(1))
        except (StoreBusy, OperationalError):
            return False
        return True

    def taken(self) -> list[Taken]:
        """Return every chunk that a worker began, from the log."""
        found = (_CLAIM.search(line) for line in list(self.stack.log))
        return [
            Taken(
                datetime.strptime(m[1], "%Y-%m-%d %H:%M:%S,%f").timestamp(),
                m[2],
                int(m[3]),
                int(m[4]),
            )
            for m in found
            if m
        ]

    def count_taken_away(self) -> int:
        """Return how often a living worker lost a chunk of a job that goes on: it was slower than its lease."""
        with self.patiently() as store, store.read() as session:
            ended = {*session.scalars(select(Job.id).where(Job.state == JobState.CANCELLED))}
        found = (_TAKEN_AWAY.search(line) for line in list(self.stack.log))
        return sum(m[1] not in ended for m in found if m)


def _alive(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [psutil.Process(pid)]
    return []


@contextmanager
def running_installation(kind: str, folder: Path, **settings: str) -> Iterator[Installation | None]:
    """Start everything; stop it at the end and see that no process is left. None: no Postgres is here."""
    with ExitStack() as ending:
        broker = postgres = None
        if kind == "postgres":
            postgres = ending.enter_context(running_postgres())
            if postgres is None:
                yield None
                return
            broker = ending.enter_context(running_own_broker(folder / "redis"))
            settings |= {"DATABASE_URL": postgres.url, "REDIS_URL": broker.url}
        data_dir = folder / "data"
        stack = ending.enter_context(running_stack(data_dir, **settings))
        url = replace(
            Settings(), data_dir=data_dir, database_url=postgres.url if postgres else ""
        ).store_url
        store = Store.open(url)
        ending.callback(lambda: (folder / "log").write_text("".join(stack.log)))
        ending.callback(store.engine.dispose)
        yield Installation(kind, stack, store, broker, postgres, int(settings["LEASE_SECONDS"]))


def freeze(process: psutil.Process) -> None:
    """Stop a process, and return once all of it stands: its threads go on for a moment after the signal."""
    process.suspend()
    wait_for(lambda: set(_states(process)) == {"T"}, "a process to stand still")


def _states(process: psutil.Process) -> Iterator[str]:
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        with suppress(FileNotFoundError):  # it has just ended
            yield (thread / "stat").read_text().rpartition(")")[2].split()[0]
