"""The model of the queue, against what is known without it."""

import json
import math
import random
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.queueing import Arrival, Fleet, Speed, simulate

ONE = Speed(((1, 1.0),))

arrivals = st.lists(
    st.builds(
        Arrival,
        at_s=st.floats(0, 500),
        windows=st.integers(1, 60),
        priority=st.integers(-1, 1),
        work=st.floats(0.1, 4),
    ),
    min_size=1,
    max_size=20,
)
fleets = st.builds(
    Fleet,
    processes=st.integers(1, 3),
    streams=st.integers(1, 6),
    speed=st.just(Speed(((1, 1.0), (4, 2.5)))),
    chunk_windows=st.integers(1, 9),
    job_parallelism=st.integers(1, 5),
    chunk_s=st.sampled_from([0.0, 0.3]),
    kills_per_hour=st.sampled_from([0.0, 20.0]),
)


@given(arrivals, fleets, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_nothing_is_lost_done_twice_or_done_faster_than_can_be(
    jobs: list[Arrival], fleet: Fleet, seed: int
) -> None:
    outcome = simulate(jobs, fleet, seed)
    assert len(outcome.fates) == len(jobs)
    assert outcome.stored == sum(job.windows for job in jobs)
    work = sum(job.windows * job.work for job in jobs)
    assert outcome.done_work == pytest.approx(work)
    assert outcome.ended_s >= work / fleet.windows_per_second * (1 - 1e-9)
    for fate in outcome.fates:
        assert fate.arrival.at_s <= fate.started_s < fate.ended_s <= outcome.ended_s
        alone = fate.arrival.windows * fate.arrival.work / fleet.windows_per_second
        assert fate.sojourn_s >= alone * (1 - 1e-9)
    assert simulate(jobs, fleet, seed) == outcome


@given(arrivals, fleets)
@settings(deadline=None, max_examples=30)
def test_jobs_in_the_system_are_arrivals_times_their_stay(
    jobs: list[Arrival], fleet: Fleet
) -> None:
    outcome = simulate(jobs, fleet)
    stay = sum(fate.sojourn_s for fate in outcome.fates)
    assert outcome.jobs_in_system * outcome.ended_s == pytest.approx(stay)


@pytest.mark.parametrize(("load", "streams"), [(0.5, 1), (0.8, 1), (0.7, 4)])
def test_random_jobs_wait_as_theory_says(load: float, streams: int) -> None:
    """One window a job, of exponential size: M/M/c. Erlang's formula gives the share that waits."""
    speed = Speed(((streams, float(streams)),))
    fleet = Fleet(processes=1, streams=streams, speed=speed, chunk_windows=1)
    outcome = simulate(_random_jobs(20_000, load * streams), fleet)
    waits = _erlang_c(streams, load * streams)
    expected = waits / (streams - load * streams)
    assert fmean(fate.waiting_s for fate in outcome.fates) == pytest.approx(expected, rel=0.1)
    assert fmean(fate.sojourn_s for fate in outcome.fates) == pytest.approx(expected + 1, rel=0.06)
    assert fmean(fate.waiting_s > 0 for fate in outcome.fates) == pytest.approx(waits, rel=0.05)
    assert outcome.utilisation(fleet) == pytest.approx(load, rel=0.03)


def test_two_processes_that_share_what_one_has_are_no_faster() -> None:
    jobs = _random_jobs(2000, 0.7)
    shared = Fleet(1, 2, Speed(((1, 1.0), (2, 1.0))), chunk_windows=1)
    alone = Fleet(1, 1, ONE, chunk_windows=1)
    assert simulate(jobs, shared).ended_s == pytest.approx(simulate(jobs, alone).ended_s)


def test_equal_jobs_take_turns() -> None:
    """A job that arrives counts as served just then: the first has one more turn before it."""
    outcome = simulate([Arrival(0, 80), Arrival(1, 80)], Fleet(1, 1, ONE))
    assert [fate.started_s for fate in outcome.fates] == [0, 16]
    assert [fate.ended_s for fate in outcome.fates] == [144, 160]


def test_an_urgent_job_goes_before_all_others_at_the_next_chunk() -> None:
    outcome = simulate([Arrival(0, 80), Arrival(1, 16, priority=1)], Fleet(1, 1, ONE))
    urgent = outcome.fates[1]
    assert (urgent.started_s, urgent.ended_s) == (8, 24)


def test_a_long_job_uses_no_more_streams_than_it_may() -> None:
    fleet = Fleet(2, 4, Speed(((1, 1.0), (4, 4.0))), chunk_windows=1, job_parallelism=2)
    assert simulate([Arrival(0, 100)], fleet).ended_s == pytest.approx(50)


def test_a_kill_costs_the_lease_and_the_windows_under_way() -> None:
    fleet = Fleet(1, 2, Speed(((2, 2.0),)), kills_per_hour=30, restart_s=5, lease_s=30)
    calm = simulate([Arrival(0, 1000)], Fleet(1, 2, Speed(((2, 2.0),))))
    outcome = simulate([Arrival(0, 1000)], fleet, seed=3)
    assert outcome.kills > 0
    assert outcome.lost <= 2 * outcome.kills
    assert outcome.stored == 1000
    assert outcome.ended_s > calm.ended_s


def test_it_foretells_what_was_measured_with_more_processes() -> None:
    """An hour of video, 8 threads in each process, half a second a window (bench.store)."""
    results = Path(__file__).parents[2] / "bench" / "results" / "store-scaling.json"
    for run in json.loads(results.read_text())["runs"]:
        speed = Speed(((1, 2.0), (run["threads"], 2.0 * run["threads"])))
        fleet = Fleet(run["processes"], run["threads"], speed, chunk_s=0.2)
        foretold = simulate([Arrival(0, run["windows"])], fleet).ended_s
        assert foretold == pytest.approx(run["seconds"], rel=0.05)


def _random_jobs(count: int, per_second: float) -> list[Arrival]:
    dice = random.Random(11)
    at_s, jobs = 0.0, []
    for _ in range(count):
        at_s += dice.expovariate(per_second)
        jobs.append(Arrival(at_s, 1, work=dice.expovariate(1)))
    return jobs


def _erlang_c(servers: int, load: float) -> float:
    """Return the probability that an arrival waits in M/M/c."""
    all_busy = load**servers / math.factorial(servers) * servers / (servers - load)
    return all_busy / (sum(load**n / math.factorial(n) for n in range(servers)) + all_busy)
