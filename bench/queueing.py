"""What becomes of a queue of jobs on given workers: a model of the claims, event by event.

It knows hints, chunks, turns and priorities as `models.chunks.claim_chunk` deals them out, streams that
share a processor or a GPU, kills and leases. It doesn't know files, texts or what a window costs: that
is measured (`Speed`) and given. Nothing in it is drawn by chance but the kills.

Left out: attempts (a job that fails after three deaths), people who pause and cancel, a store or broker
that is slow or away.
"""

import heapq
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

_SWEEP_S = 5.0  # SWEEP_SECONDS
_IDLE_S = 10.0  # as worker.sweep has it


@dataclass(frozen=True, slots=True)
class Speed:
    """How many windows a second a worker process comments, by how many streams are at work.

    `points` are measured: (streams, windows a second), in rising order. Between them it is a straight
    line, below the first it is proportional, beyond the last it stays.
    """

    points: tuple[tuple[int, float], ...]

    def at(self, streams: int) -> float:
        counts = [count for count, _ in self.points]
        place = bisect_left(counts, streams)
        if place == len(counts):
            return self.points[-1][1]
        (left, slower), (right, faster) = ((0, 0.0), *self.points)[place : place + 2]
        return slower + (faster - slower) * (streams - left) / (right - left)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers: as many processes of the same kind, and what happens to them."""

    processes: int
    streams: int  # of each process
    speed: Speed
    chunk_windows: int = 8  # CHUNK_WINDOWS
    job_parallelism: int = 64  # JOB_PARALLELISM
    chunk_s: float = 0.0  # a stream's seconds from a free place to its chunk's first window
    kills_per_hour: float = 0.0  # of each process
    restart_s: float = 10.0  # until a killed process is at work again
    lease_s: float = 30.0  # until its chunks are free again

    @property
    def windows_per_second(self) -> float:
        """Return what all of them comment when they are full."""
        return self.processes * self.speed.at(self.streams)


@dataclass(frozen=True, slots=True)
class Arrival:
    at_s: float
    windows: int
    priority: int = 0
    work: float = 1.0  # of a window, as a multiple of a measured one's


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a job; seconds since the simulation's beginning."""

    arrival: Arrival
    started_s: float  # when its first chunk was claimed
    ended_s: float

    @property
    def waiting_s(self) -> float:
        return self.started_s - self.arrival.at_s

    @property
    def sojourn_s(self) -> float:
        return self.ended_s - self.arrival.at_s


@dataclass(frozen=True, slots=True)
class Outcome:
    fates: Sequence[Fate]  # in the order of their arrivals
    ended_s: float  # the last job's end
    stored: int  # windows
    kills: int
    lost: int  # windows that were under way at a kill, and begun again
    done_work: float  # of stored windows, in windows as measured
    jobs_in_system: float  # mean over the time, counted by the clock

    def utilisation(self, fleet: Fleet) -> float:
        """Return the share of what the fleet could have commented until the end."""
        return self.done_work / (fleet.windows_per_second * self.ended_s)


def simulate(arrivals: Sequence[Arrival], fleet: Fleet, seed: int = 0) -> Outcome:
    """Let the jobs arrive and return what becomes of them; the same seed kills at the same moments."""
    return _Simulation(fleet, random.Random(seed)).run(arrivals)


@dataclass(eq=False, slots=True)
class _Job:
    number: int
    arrival: Arrival
    free: list[tuple[int, int]] = field(default_factory=list)  # a heap of chunks: (cursor, stop)
    missing: int = 0  # windows
    served_s: float = 0.0  # Job.hinted_ms
    epoch: int = 0  # hints of an older one are void
    started_s: float | None = None
    ended_s: float | None = None

    def urgency(self) -> tuple[int, float, int]:
        """Sort the jobs as a claim does."""
        return (-self.arrival.priority, self.served_s, self.number)


class _Hint(NamedTuple):
    job: _Job
    epoch: int


@dataclass(eq=False, slots=True)
class _Turn:
    """A chunk in the hands of a stream."""

    hint: _Hint  # that was followed; it may be another job's
    job: _Job
    cursor: int
    stop: int
    due: float = 0.0  # on its process's `progress`, the end of the window under way


@dataclass(eq=False, slots=True)
class _Process:
    """Streams that share a processor or a GPU: all those at a window advance alike."""

    alive: bool = True
    turns: set[_Turn] = field(default_factory=set)
    at_window: set[_Turn] = field(default_factory=set)
    progress: float = 0.0  # windows that each stream would have done since the beginning
    seen_s: float = 0.0  # when it was that far
    plan: int = 0  # older plans are void


class _Simulation:
    def __init__(self, fleet: Fleet, dice: random.Random) -> None:
        self.fleet, self.dice = fleet, dice
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.event_count = 0
        self.processes = [_Process() for _ in range(fleet.processes)]
        self.hints: deque[_Hint] = deque()
        self.with_work: list[tuple[tuple[int, float, int], _Job]] = []  # a heap of jobs, by urgency
        self.jobs: list[_Job] = []
        self.open_jobs = self.coming = 0
        self.stored = self.kills = self.lost = 0
        self.done_work = self.job_seconds = 0.0

    def run(self, arrivals: Sequence[Arrival]) -> Outcome:
        ordered = sorted(arrivals, key=lambda arrival: arrival.at_s)
        self.coming = len(ordered)
        for number, arrival in enumerate(ordered):
            self._later(arrival.at_s, partial(self._arrive, _Job(number, arrival)))
        if self.fleet.kills_per_hour:
            self._sweep()
            for process in self.processes:
                self._plan_kill(process)
        while self.coming or self.open_jobs:
            at_s, _, event = heapq.heappop(self.events)
            self.job_seconds += self.open_jobs * (at_s - self.now)
            self.now = at_s
            event()
        fates = [
            Fate(job.arrival, job.started_s, job.ended_s)
            for job in self.jobs
            if job.started_s is not None and job.ended_s is not None
        ]
        return Outcome(
            fates,
            self.now,
            self.stored,
            self.kills,
            self.lost,
            self.done_work,
            self.job_seconds / self.now if self.now else 0.0,
        )

    def _later(self, at_s: float, event: Callable[[], None]) -> None:
        self.event_count += 1  # of two at one moment, the one that was planned first
        heapq.heappush(self.events, (at_s, self.event_count, event))

    def _arrive(self, job: _Job) -> None:
        windows, size = job.arrival.windows, self.fleet.chunk_windows
        job.free = [(first, min(first + size, windows)) for first in range(0, windows, size)]
        job.missing, job.served_s = windows, self.now
        self.jobs.append(job)
        self.coming -= 1
        self.open_jobs += 1
        self._offer(job)
        self._send(job, len(job.free))

    def _offer(self, job: _Job) -> None:
        heapq.heappush(self.with_work, (job.urgency(), job))

    def _send(self, job: _Job, count: int) -> None:
        self.hints.extend([_Hint(job, job.epoch)] * min(count, self.fleet.job_parallelism))
        self._follow_hints()

    def _follow_hints(self) -> None:
        """Give each free stream a hint: of the process that has most room, as the first to ask."""
        while self.hints:
            process = min(
                (one for one in self.processes if one.alive and self._has_room(one)),
                key=lambda one: len(one.turns),
                default=None,
            )
            if process is None:
                return
            self._claim(process, self.hints.popleft())

    def _has_room(self, process: _Process) -> bool:
        return len(process.turns) < self.fleet.streams

    def _claim(self, process: _Process, hint: _Hint) -> None:
        """Follow a hint: the most urgent job that is no less urgent than the hint's; else nothing."""
        self._drop_stale()
        if not self.with_work or hint.epoch != hint.job.epoch:
            return
        job = self.with_work[0][1]
        if job.arrival.priority < hint.job.arrival.priority:
            return
        heapq.heappop(self.with_work)
        turn = _Turn(hint, job, *heapq.heappop(job.free))
        job.served_s = self.now
        job.started_s = self.now if job.started_s is None else job.started_s
        if job.free:
            self._offer(job)
        process.turns.add(turn)
        self._later(self.now + self.fleet.chunk_s, partial(self._begin, process, turn))

    def _drop_stale(self) -> None:
        """Forget what was offered more than once, or before the job was served again."""
        while self.with_work:
            urgency, job = self.with_work[0]
            if job.free and urgency == job.urgency():
                return
            heapq.heappop(self.with_work)

    def _begin(self, process: _Process, turn: _Turn) -> None:
        if turn in process.turns:  # its process may have been killed meanwhile
            self._advance(process)
            process.at_window.add(turn)
            turn.due = process.progress + turn.job.arrival.work
            self._plan_window(process)

    def _advance(self, process: _Process) -> None:
        """Bring a process's progress to this moment."""
        if sharing := len(process.at_window):
            share = self.fleet.speed.at(sharing) / sharing
            process.progress += (self.now - process.seen_s) * share
        process.seen_s = self.now

    def _plan_window(self, process: _Process) -> None:
        """Foresee the next end of a window, as things are; whoever comes or goes plans anew."""
        process.plan += 1
        if not process.at_window:
            return
        turn = min(process.at_window, key=lambda turn: (turn.due, turn.job.number, turn.cursor))
        share = self.fleet.speed.at(len(process.at_window)) / len(process.at_window)
        left_s = max(0.0, turn.due - process.progress) / share
        self._later(self.now + left_s, partial(self._store, process, turn, process.plan))

    def _store(self, process: _Process, turn: _Turn, plan: int) -> None:
        """End a window; with the chunk's last one the hint goes to the tail, if its job has more."""
        if plan != process.plan:
            return
        self._advance(process)
        process.progress = turn.due  # exactly, whatever was rounded
        turn.cursor += 1
        turn.job.missing -= 1
        self.stored += 1
        self.done_work += turn.job.arrival.work
        if turn.job.missing == 0:
            turn.job.ended_s = self.now
            self.open_jobs -= 1
        if turn.cursor < turn.stop:
            turn.due = process.progress + turn.job.arrival.work
            self._plan_window(process)
            return
        process.at_window.remove(turn)
        process.turns.remove(turn)
        self._plan_window(process)
        if turn.hint.job.free:
            self.hints.append(turn.hint)
        self._follow_hints()

    def _plan_kill(self, process: _Process) -> None:
        in_s = self.dice.expovariate(self.fleet.kills_per_hour / 3600)
        self._later(self.now + in_s, partial(self._kill, process))

    def _kill(self, process: _Process) -> None:
        self._advance(process)
        self.kills += 1
        self.lost += len(process.at_window)
        held = sorted(process.turns, key=lambda turn: (turn.job.number, turn.cursor))
        process.turns.clear()
        process.at_window.clear()
        process.alive = False
        self._plan_window(process)
        self._later(self.now + self.fleet.lease_s, partial(self._free, held))
        self._later(self.now + self.fleet.restart_s, partial(self._start, process))

    def _free(self, turns: Sequence[_Turn]) -> None:
        """Take the chunks of a dead process back, as the sweep does."""
        for turn in turns:
            heapq.heappush(turn.job.free, (turn.cursor, turn.stop))
            self._offer(turn.job)
            self._send(turn.job, 1)

    def _sweep(self) -> None:
        """Give new hints to jobs that lost theirs: another job's chunk may die with their hint."""
        idle = [job for job in self.jobs if job.free and job.served_s < self.now - _IDLE_S]
        if len(self.hints) < len(idle):
            for job in sorted(idle, key=_Job.urgency):
                job.epoch += 1
                job.served_s = self.now
                self._offer(job)
                self._send(job, len(job.free))
        self._later(self.now + _SWEEP_S, self._sweep)

    def _start(self, process: _Process) -> None:
        process.alive = True
        process.seen_s = self.now
        self._plan_kill(process)
        self._follow_hints()
