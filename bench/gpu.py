"""Measure the runtime on a GPU: `python -m bench.gpu --bf16 FOLDER --awq FOLDER [--json OUT]`.

The folders hold checkpoints of full size (`bench.synthetic_checkpoint` writes some). Unit A is 4
frames of 448 × 448, 120 tokens of text, 48 new tokens; unit B is 20 frames, 120 and 100, and stands
for 10 seconds of video. The same weights are run through transformers' classes and `generate` for
comparison, and a floor is worked out from the speed at which the card itself copies, reads and
multiplies, in the same run.
"""

import argparse
import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers

from bench.reference import Reference
from bench.timing import copy_ceiling, product_ceiling, read_ceiling
from bench.units import UNIT_A, UNIT_B, Unit, Windows
from worker.minicpm import Engine, PromptStyle, Reply, Request, load
from worker.minicpm.cache import cache_bytes
from worker.minicpm.config import Config

GPU = torch.device("cuda:0")
CONTEXT = 40960
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the card itself can do, measured here."""

    flops: float  # a second, of a large bfloat16 product
    copied: float  # bytes a second, read and written by a copy
    read: float  # bytes a second, added up


@dataclass(slots=True)
class Report:
    """Rows as they are measured; printed at once, so that a run cut off has told what it knew."""

    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, **more: Any) -> None:
        self.rows.append({"what": what, "value": value, "unit": unit, **more})
        extra = "  ".join(f"{name} {text}" for name, text in more.items())
        print(f"{what:58} {value:10.4g} {unit:6} {extra}", flush=True)


def measure_ceilings() -> Ceilings:
    copied, read, product = copy_ceiling(), read_ceiling(), product_ceiling()
    torch.cuda.empty_cache()
    return Ceilings(flops=product * 1e12, copied=copied * 1e12, read=read * 1e12)


def floor_s(
    unit: Unit, config: Config, rows: int, ceilings: Ceilings, weight_bytes: float
) -> float:
    """Seconds a window must take with `rows` of them written at once, if nothing were ever lost.

    Arithmetic of the tower, the resampler and the prefill at the rate of a large product; a decode
    step reads all weights once for all rows, and each row's keys and values.
    """
    language, vision = config.language, config.vision
    patches = 1024
    tower = vision.layers * (4 * vision.hidden_size**2 + 2 * vision.hidden_size * vision.intermediate_size)  # fmt: skip
    resampler = vision.hidden_size * language.hidden_size + 2 * language.hidden_size**2
    view = 2 * patches * (tower + resampler) + 4 * vision.layers * patches**2 * vision.hidden_size
    width = language.head_dim * (2 * language.heads + 2 * language.kv_heads)
    layer = language.hidden_size * (width + 3 * language.intermediate_size)
    tokens = unit.frames * 64 + unit.text_tokens
    attention = 2 * language.layers * tokens**2 * language.heads * language.head_dim
    prefill = 2 * tokens * language.layers * layer + attention
    held = cache_bytes(language, 1, tokens + unit.new_tokens // 2, torch.bfloat16)
    step = weight_bytes / rows + held
    fastest = max(ceilings.copied, ceilings.read)
    return (unit.frames * view + prefill) / ceilings.flops + unit.new_tokens * step / fastest


def measure_reference(engine: Engine, room: int, report: Report) -> None:
    """One `generate` for one window, and for as many as one batch takes."""
    reference = Reference(engine.network)
    for unit, batch in ((UNIT_A, 64), (UNIT_B, 32)):
        if unit.tokens > room:
            continue
        windows = Windows(unit, engine.encoder)
        prompts = [
            engine.encoder.encode(windows.request(n).messages, PromptStyle(), CONTEXT)
            for n in range(1, batch + 1)
        ]
        for rows in (1, batch):
            seconds = _wall_s(lambda p=prompts[:rows], u=unit: reference.answer(p, u.new_tokens))  # type: ignore[misc]
            name = f"unit {unit.name}, transformers, {rows} at once"
            report.add(name, seconds / rows, "s", **_speed(unit, seconds / rows))


def _wall_s(work: Callable[[], Any]) -> float:
    """Seconds of a second call; the first one warms up."""
    found = []
    for _ in range(2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return found[-1]


def _speed(unit: Unit, seconds: float) -> dict[str, str]:
    return {"realtime": f"{unit.seconds / seconds:.1f}x"} if unit.seconds else {}


def measure_alone(engine: Engine, unit: Unit, times: int = 7) -> tuple[float, Reply]:
    """Median seconds of a window with nothing beside it, and the last reply."""
    requests = iter(Windows(unit, engine.encoder))
    found, reply = [], engine.comment(next(requests))  # captures the step
    for request in (next(requests) for _ in range(times)):
        start = time.perf_counter()
        reply = engine.comment(request)
        found.append(time.perf_counter() - start)
    return median(found), reply


class Turns:
    """An iterator that many threads share."""

    def __init__(self, source: Iterator[Request]) -> None:
        self._source, self._lock = source, threading.Lock()

    def __next__(self) -> Request:
        with self._lock:
            return next(self._source)


def measure_steady(engine: Engine, unit: Unit, streams: int, rounds: int, shared: int = 0) -> float:
    """Seconds a window while `streams` threads each ask for one after the other.

    Each stream's own pace counts, over `rounds` whole turns after its first answer; it goes on asking
    until all have theirs. Streams go in step with each other: what ends within a given time is no
    fair count.
    """
    requests = Turns(iter(Windows(unit, engine.encoder, shared)))
    left = threading.Semaphore(0)
    full = threading.Event()

    def stream() -> float:
        ended: list[float] = []
        while not full.is_set():
            engine.comment(next(requests))
            ended.append(time.perf_counter())
            if len(ended) == rounds + 1:
                left.release()
        return (ended[rounds] - ended[0]) / rounds

    with ThreadPoolExecutor(streams) as pool:
        turns = [pool.submit(stream) for _ in range(streams)]
        for _ in turns:
            left.acquire()
        full.set()
        return 1 / sum(1 / turn.result() for turn in turns)


def measure_burst(engine: Engine, unit: Unit, windows: int) -> float:
    """Seconds a window when so many come at once and none follows. Raises what a window raises."""
    requests = [r for r, _ in zip(Windows(unit, engine.encoder), range(windows), strict=False)]
    with ThreadPoolExecutor(windows) as pool:
        start = time.perf_counter()
        for answer in [pool.submit(engine.comment, request) for request in requests]:
            answer.result()
        return (time.perf_counter() - start) / windows


def measure_checkpoint(
    folder: Path, kind: str, ceilings: Ceilings, report: Report, slots: int, room: int,
    with_reference: bool,
) -> None:  # fmt: skip
    gc.collect()  # the network before may hang in a ring of references
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    load_started = time.perf_counter()
    engine = load(folder, GPU, slots=slots, room=room)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - load_started
    network = engine.network
    table = network.llm.model.embed_tokens.weight.nbytes  # on the host
    weights = sum(t.nbytes for t in [*network.parameters(), *network.buffers()]) - table
    report.add(f"{kind}: load", seconds, "s")
    report.add(f"{kind}: weights on the GPU", weights / 1e9, "GB")
    slots_gb = cache_bytes(network.config.language, slots + 1, room, network.dtype) / 1e9
    report.add(f"{kind}: process after load, without {slots} slots of {room}", taken_gb() - slots_gb, "GB", slots=f"{slots_gb:.1f} GB", torch=f"{torch.cuda.memory_reserved() / 1e9 - slots_gb:.2f} GB")  # fmt: skip
    read_each_step = sum(t.nbytes for t in [*network.llm.parameters(), *network.llm.buffers()]) - table  # fmt: skip
    try:
        if with_reference:
            measure_reference(engine, room, report)
        prepared = time.perf_counter()
        engine.prepare()
        report.add(f"{kind}: capturing prefill", time.perf_counter() - prepared, "s")
        for unit, rounds in ((UNIT_A, 5), (UNIT_B, 3)):
            if unit.tokens <= room:
                _measure_unit(engine, unit, kind, slots, rounds, ceilings, read_each_step, report)
    finally:
        engine.close()
    report.add(f"{kind}: peak of torch's memory", torch.cuda.max_memory_allocated() / 1e9, "GB")
    report.add(f"{kind}: memory of the process", taken_gb(), "GB")


def taken_gb() -> float:
    """All that is taken of the card, CUDA's own share too: this process is alone on it."""
    free, total = torch.cuda.mem_get_info()
    return (total - free) / 1e9


def _measure_unit(
    engine: Engine, unit: Unit, kind: str, streams: int, rounds: int, ceilings: Ceilings,
    weight_bytes: float, report: Report,
) -> None:  # fmt: skip
    config = engine.network.config

    def tell(what: str, seconds: float, rows: int, **more: Any) -> None:
        floor = floor_s(unit, config, rows, ceilings, weight_bytes)
        report.add(
            f"{kind}: unit {unit.name}, {what}", seconds, "s",
            floor=f"{floor:.4f}", over_floor=f"{seconds / floor:.2f}", **_speed(unit, seconds), **more,
        )  # fmt: skip

    seconds, reply = measure_alone(engine, unit)
    parts = (reply.vision_ms, reply.prefill_ms, reply.generate_ms)
    tell("alone", seconds, 1, ms=" + ".join(f"{part:.0f}" for part in parts), tokens=reply.tokens_in)  # fmt: skip
    if unit is UNIT_A:
        for _ in range(2):  # steps are captured the first time, looks the second
            measure_burst(engine, unit, streams)
    tell(f"{streams} at once", measure_burst(engine, unit, streams), streams)
    tell(f"steady, {streams} streams", measure_steady(engine, unit, streams, rounds), streams)
    if unit is UNIT_A:
        shared = 60
        seconds = measure_steady(engine, unit, streams, rounds, shared)
        tell(f"steady, {shared} of its tokens the same in all", seconds, streams)


def measure_small_card(folder: Path, gigabytes: float, report: Report) -> None:
    """AWQ in a process that can have so much of this card, CUDA's own share of it included.

    This process takes the rest beforehand, and looks how much the other one leaves.
    """
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    ballast = torch.empty(int(free - gigabytes * 1e9), dtype=torch.uint8, device=GPU)
    at_start, least = torch.cuda.mem_get_info()[0], torch.cuda.mem_get_info()[0]
    command = (sys.executable, "-m", "bench.small_card", str(folder))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            least = min(least, torch.cuda.mem_get_info()[0])
            time.sleep(0.002)
        for line in process.stdout or ():
            what, value, unit = line.rstrip("\n").split("\t")
            report.add(f"awq in {gigabytes:g} GB: {what}", float(value), unit)
    report.add(f"awq in {gigabytes:g} GB: exit status", process.returncode, "")
    report.add(f"awq in {gigabytes:g} GB: room at the start", at_start / 1e9, "GB")
    report.add(f"awq in {gigabytes:g} GB: most the process took", (at_start - least) / 1e9, "GB")
    del ballast


def describe() -> Iterator[tuple[str, str]]:
    properties = torch.cuda.get_device_properties(GPU)
    yield "card", f"{properties.name}, {properties.total_memory / 1e9:.1f} GB"
    yield "software", f"torch {torch.__version__}, transformers {transformers.__version__}"
    yield "date", date.today().isoformat()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--bf16", type=Path, help="checkpoint folder")
    parser.add_argument("--awq", type=Path, help="checkpoint folder")
    parser.add_argument("--slots", type=int, default=64, help="windows at once (default 64)")
    parser.add_argument("--room", type=int, default=1600, help="tokens of a window, prompt and answer together (default 1600); a unit that needs more is left out")  # fmt: skip
    parser.add_argument("--no-reference", action="store_true", help="leave transformers out")
    parser.add_argument("--small-card", type=float, metavar="GB", help="also AWQ in so much memory")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    if not (options.bf16 or options.awq):
        parser.error("name a checkpoint folder by --bf16 or --awq, or both")
    if options.small_card and not options.awq:
        parser.error("--small-card needs --awq")
    about, report = dict(describe()), Report()
    print(*(f"{name}: {text}" for name, text in about.items()), sep="\n", flush=True)
    ceilings = measure_ceilings()
    report.add("a large bfloat16 product", ceilings.flops / 1e12, "TFLOP/s")
    report.add("a copy, bytes read and written", ceilings.copied / 1e12, "TB/s")
    report.add("a sum, bytes read", ceilings.read / 1e12, "TB/s")
    try:
        for kind in ("bf16", "awq"):
            if folder := getattr(options, kind):
                reference = kind == "bf16" and not options.no_reference
                measure_checkpoint(
                    folder, kind, ceilings, report, options.slots, options.room, reference
                )
        if options.small_card:
            measure_small_card(options.awq, options.small_card, report)
    finally:
        if options.json:
            options.json.write_text(json.dumps({"about": about, "rows": report.rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
