"""Foresee waiting times, use and end of a queue: `python -m bench.simulate --speed awq --processes 4`.

Jobs arrive at random moments (Poisson) with lengths spread around a mean (exponential), or as a --trace
tells: a CSV with a line for each job, `seconds,windows` or `seconds,windows,priority`. Speeds are those
that were measured (bench/results), or given as points: 1:5.8,64:45.1 is 5.8 windows a second with one
stream at work and 45.1 with 64.
"""

import argparse
import csv
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, quantiles

from bench.queueing import Arrival, Fate, Fleet, Outcome, Speed, simulate

RESULTS = Path(__file__).parent / "results"
_SHARES = (50, 95, 99)


def main() -> int:
    options = _parse_options()
    fleet = Fleet(
        processes=options.processes,
        streams=options.streams or options.speed.points[-1][0],
        speed=options.speed,
        chunk_windows=options.chunk_windows,
        job_parallelism=options.job_parallelism,
        chunk_s=options.chunk_seconds,
        kills_per_hour=options.kills_per_day / 24,
        restart_s=options.restart,
        lease_s=options.lease,
    )
    arrivals = read_trace(options.trace) if options.trace else _draw_arrivals(options)
    outcome = simulate(arrivals, fleet, options.seed)
    print("\n".join(_report(outcome, fleet, options.window_seconds, options.price)))
    if options.json:
        options.json.write_text(json.dumps(_table(outcome, fleet, options.seed), indent=2) + "\n")
    return 0


def measured_speed(name: str) -> Speed:
    """Return the speed of `awq` or `bf16` (H100, unit A) or `builtin` (2 cores), as bench/results tell."""
    if name == "builtin":
        runs = json.loads((RESULTS / "pipeline-cpu.json").read_text())["runs"]
        windows, seconds = (sum(run[key] for run in runs) for key in ("windows", "wall_seconds"))
        return Speed(((2, windows / seconds),))
    rows = json.loads((RESULTS / "gpu-h100.json").read_text())["rows"]
    seconds_of = {row["what"]: row["value"] for row in rows}
    alone, steady = (
        1 / seconds_of[f"{name}: unit A, {kind}"] for kind in ("alone", "steady, 64 streams")
    )
    return Speed(((1, alone), (64, steady)))


def read_speed(text: str) -> Speed:
    """Read a measured speed's name, or points."""
    if text in ("awq", "bf16", "builtin"):
        return measured_speed(text)
    points = [point.split(":") for point in text.split(",")]
    speed = Speed(tuple(sorted((int(streams), float(windows)) for streams, windows in points)))
    if any(streams < 1 or windows <= 0 for streams, windows in speed.points):
        raise ValueError(text)
    return speed


def read_trace(path: Path) -> list[Arrival]:
    """Read arrivals from a CSV of seconds, windows and, if it differs from 0, priority."""
    with path.open(newline="") as file:
        return [
            Arrival(float(row[0]), int(row[1]), int(row[2]) if len(row) > 2 else 0)
            for row in csv.reader(file)
            if row
        ]


def draw_arrivals(
    dice: random.Random, *, hours: float, per_hour: float, windows: float, urgent: float
) -> list[Arrival]:
    """Draw the jobs of some hours: `windows` each on average, a share of them urgent."""
    at_s, arrivals = 0.0, []
    while (at_s := at_s + dice.expovariate(per_hour / 3600)) < hours * 3600:
        count = max(1, round(dice.expovariate(1 / windows)))
        arrivals.append(Arrival(at_s, count, priority=int(dice.random() < urgent)))
    return arrivals


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return mean, median, 95th and 99th percentile and the longest."""
    cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [*seconds] * 99
    named = {f"p{share}": cuts[share - 1] for share in _SHARES}
    return {"mean": fmean(seconds), **named, "max": max(seconds)}


def _draw_arrivals(options: argparse.Namespace) -> list[Arrival]:
    return draw_arrivals(
        random.Random(options.seed),
        hours=options.hours,
        per_hour=options.jobs_per_hour,
        windows=options.minutes * 60 / options.window_seconds,
        urgent=options.urgent,
    )


def _report(outcome: Outcome, fleet: Fleet, window_s: float, price: float) -> list[str]:
    if not outcome.fates:
        return ["No job arrived."]
    hours, video_h = outcome.ended_s / 3600, outcome.stored * window_s / 3600
    lines = [
        f"{len(outcome.fates)} jobs, {outcome.stored} windows, {video_h:.1f} h of video; "
        f"{fleet.processes} processes of {fleet.streams} streams, "
        f"{fleet.windows_per_second:.1f} windows/s = {fleet.windows_per_second * window_s:.0f} × real time when full",
        f"{'seconds':22}{'mean':>10}{'median':>10}{'p95':>10}{'p99':>10}{'longest':>10}",
        _line("until begun", outcome.fates, lambda fate: fate.waiting_s),
        _line("until done", outcome.fates, lambda fate: fate.sojourn_s),
    ]
    priorities = {fate.arrival.priority for fate in outcome.fates}
    for priority in sorted(priorities, reverse=True) if len(priorities) > 1 else ():
        fates = [fate for fate in outcome.fates if fate.arrival.priority == priority]
        lines.append(_line(f"  priority {priority}", fates, lambda fate: fate.sojourn_s))
    lines.append(
        f"all done after {hours:.2f} h; {outcome.utilisation(fleet):.0%} used; "
        f"{outcome.jobs_in_system:.1f} jobs open on average"
    )
    if outcome.kills:
        lines.append(f"{outcome.kills} kills, {outcome.lost} windows begun again")
    if price:
        paid = price * fleet.processes * hours
        lines.append(
            f"{paid:.2f} for {fleet.processes} processes, {paid / video_h:.4f} a video hour"
        )
    return lines


def _line(what: str, fates: Sequence[Fate], seconds: Callable[[Fate], float]) -> str:
    return f"{what:22}" + "".join(f"{s:10.1f}" for s in spread([*map(seconds, fates)]).values())


def _table(outcome: Outcome, fleet: Fleet, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "fleet": asdict(fleet),
        "jobs": len(outcome.fates),
        "windows": outcome.stored,
        "waiting_s": spread([fate.waiting_s for fate in outcome.fates]),
        "sojourn_s": spread([fate.sojourn_s for fate in outcome.fates]),
        "ended_s": outcome.ended_s,
        "utilisation": outcome.utilisation(fleet),
        "jobs_in_system": outcome.jobs_in_system,
        "kills": outcome.kills,
        "windows_begun_again": outcome.lost,
    }


def _positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise ValueError(text)
    return number


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("--speed", type=read_speed, default="builtin", help="awq, bf16, builtin, or points")
    add("--processes", type=int, default=1, help="worker processes, one per GPU (1)")
    add("--streams", type=int, help="of each process (as many as the speed's last point)")
    add("--jobs-per-hour", type=_positive, default=60, help="that arrive (60)")
    add("--minutes", type=_positive, default=10, help="mean length of a video (10)")
    add("--window-seconds", type=_positive, default=4, help="of video in a window (4)")
    add("--hours", type=_positive, default=24, help="in which jobs arrive (24)")
    add("--urgent", type=float, default=0, help="share of jobs with a higher priority (0)")
    add("--trace", type=Path, help="a CSV of arrivals instead")
    add("--chunk-windows", type=int, default=8, help="CHUNK_WINDOWS (8)")
    add("--job-parallelism", type=int, default=64, help="JOB_PARALLELISM (64)")
    add("--chunk-seconds", type=float, default=0.2, help="to begin a chunk (0.2, as bench.store)")
    add("--kills-per-day", type=float, default=0, help="of each process (0)")
    add("--restart", type=float, default=30, help="seconds until one is at work again (30)")
    add("--lease", type=float, default=30, help="LEASE_SECONDS (30)")
    add("--price", type=float, default=0, help="of a process (GPU) for an hour, in your money")
    add("--seed", type=int, default=1, help="from which arrivals and kills are drawn (1)")
    add("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
