"""Time the decoder's products at a few rows: the library's, ours, and ours with AWQ weights.

Beside them, on the same sizes: PyTorch's own 4-bit product, and autoawq's kernels where that is installed.

    python -m bench.linears [--json OUT] [--sweep [many]]

Needs a CUDA GPU and about 12 GB of its memory. First each kernel is held to float64 on fresh random
numbers, its memory poisoned with NaNs before, and each row to the same bits whatever stands beside
it. Then medians of CUDA graph replays, over as many copies of a weight as the second-level cache
can't hold. TB/s counts the bytes of the weights' numbers alone; "of copy" compares them with a copy of 1 GB.
`--sweep` also times candidate blocks and parts: per shape, parts and rows the best blocks; and for
prompts, with the parts as they are set, AWQ's larger blocks beside a dequantised copy (`many`: only
this).
docs/performance.md, "Linears", says what to expect and how to read it.
"""

import argparse
import importlib.util
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
import triton
from torch import Tensor
from triton.runtime.errors import OutOfResources

from worker.minicpm import awq_triton, linear_triton
from worker.minicpm.awq import matmul_autoawq
from worker.minicpm.awq_tiles import untile
from worker.minicpm.split_k import count_parts

SHAPES = {  # outputs, inputs
    "qkv": (6144, 4096),
    "o": (4096, 4096),
    "gate_up": (24576, 4096),
    "down": (4096, 12288),
    "lm_head": (151748, 4096),
}
LAYER = ("qkv", "o", "gate_up", "down")
WAYS = ("library", "ours", "awq", "awq dequantised", "tinygemm", "autoawq")
ROWS = (1, 2, 4, 8, 16, 32, 48, 64)
MANY_ROWS = (96, 128, 192, 256, 320, 384, 448, 512)
"""Where the packed weight stops being the faster way."""
COLD_BYTES = 200 << 20  # four times the second-level cache
REPLAYS = 9
DEVICE = "cuda"

Product = Callable[[Tensor, Any], Tensor]

SWEPT_ROWS = (16, 32, 64)
SWEPT_PARTS = {"qkv": (3, 4, 5, 6, 8), "o": (4, 5, 6, 8), "gate_up": (1, 2), "down": (4, 6, 8, 12)}
AWQ_BLOCKS = (
    *((64, 4, 3), (64, 4, 4), (64, 4, 5), (64, 4, 7)),
    *((128, 8, 2), (128, 8, 3), (128, 8, 4), (128, 4, 3), (128, 4, 4), (256, 8, 3)),
)
MANY_ROWS_BLOCKS = [  # none spills on an H100
    awq_triton.Blocks(*numbers)
    for numbers in (
        *((64, 64, 4, 3), (64, 128, 8, 3), (64, 256, 8, 2), (64, 256, 8, 3), (64, 256, 8, 4)),
        *((128, 64, 4, 2), (128, 64, 4, 3), (128, 64, 8, 3)),
        *((128, 128, 8, 2), (128, 128, 8, 3), (128, 128, 8, 4)),
        *((256, 64, 8, 2), (256, 64, 8, 3)),
    )
]
FLOAT_BLOCKS = [
    linear_triton.Blocks(*numbers)
    for numbers in (
        *((64, 128, 4, 2), (64, 128, 4, 3), (64, 128, 4, 4), (64, 64, 4, 3), (64, 64, 4, 4)),
        *((64, 64, 4, 6), (128, 64, 8, 3), (128, 64, 8, 4), (128, 64, 4, 4), (128, 128, 8, 3)),
    )
]


@dataclass(frozen=True, slots=True)
class Figure:
    """One way to multiply, at one shape and number of rows."""

    way: str
    shape: str
    rows: int
    us: float
    tb_per_s: float  # of the weight's own bytes


@dataclass(frozen=True, slots=True)
class Swept:
    """A candidate."""

    way: str
    shape: str
    rows: int
    parts: int
    blocks: tuple[int, ...]
    us: float


@dataclass(slots=True)
class Report:
    hardware: str
    versions: dict[str, str]
    command: str
    copy_tb_per_s: float
    figures: list[Figure] = field(default_factory=list)
    swept: list[Swept] = field(default_factory=list)


def main() -> int:
    options = _parse_options()
    if not torch.cuda.is_available():
        print("bench.linears needs a CUDA GPU; there is none here.", file=sys.stderr)
        return 2
    started = perf_counter()
    report = Report(
        torch.cuda.get_device_name(),
        {"torch": torch.__version__, "triton": triton.__version__},
        "python -m bench.linears" + "".join(f" {word}" for word in sys.argv[1:]),
        measure_copy(),
    )
    print(f"{date.today()}  {report.hardware}  {report.versions}")
    print(f"copy of 1 GB: {report.copy_tb_per_s:.2f} TB/s")
    for name in SHAPES:
        check(name)
    print(f"correct, and the same bits beside any rows ({perf_counter() - started:.0f} s)")
    for name in SHAPES:
        report.figures += list(measure_shape(name, report.copy_tb_per_s))
    print_layers(report.figures)
    if options.sweep == "all":
        report.swept = sweep()
        print_best(report.swept)
    if options.sweep is not None:
        many = sweep_many_rows()
        print_best_many(many)
        report.swept += many
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(report), indent=1) + "\n")
    print(f"{perf_counter() - started:.0f} s in all")
    return 0


# --- weights and the ways to multiply with them


def float_weights(name: str, copies: int | None = None) -> list[Tensor]:
    outputs, inputs = SHAPES[name]
    count = copies or math.ceil(COLD_BYTES / (2 * outputs * inputs))
    return [
        torch.randn(outputs, inputs, device=DEVICE, dtype=torch.bfloat16) / math.sqrt(inputs)
        for _ in range(count)
    ]


def awq_weights(name: str, copies: int | None = None) -> list[tuple[Tensor, Tensor]]:
    """Random tiles: every word is some eight numbers. Scales from 0.001 to 0.02."""
    outputs, inputs = SHAPES[name]
    count = copies or math.ceil(COLD_BYTES / (outputs * inputs // 2))
    groups = inputs // 128
    made = []
    for _ in range(count):
        tiles = torch.randint(-(2**31), 2**31, (groups, outputs, 16), device=DEVICE)
        scales = (torch.rand(groups, outputs, device=DEVICE) * 0.019 + 0.001).half()
        zeros = torch.randint(0, 16, (groups, outputs), device=DEVICE, dtype=torch.int32)
        bits = scales.view(torch.int16).int() << 16
        made.append((tiles.int(), bits | zeros))
    return made


def tinygemm_weights(name: str) -> list[tuple[Tensor, Tensor]]:
    """Random weights for torch's own 4-bit product, in groups of 128. None where it is missing."""
    outputs, inputs = SHAPES[name]
    made = []
    try:
        for _ in range(math.ceil(COLD_BYTES / (outputs * inputs // 2))):
            pairs = torch.randint(0, 256, (outputs, inputs // 2), device=DEVICE).to(torch.uint8)
            scales = torch.rand(inputs // 128, outputs, 2, device=DEVICE, dtype=torch.bfloat16)
            made.append((torch._convert_weight_to_int4pack(pairs, 8), scales))
    except (AttributeError, RuntimeError) as error:
        print(f"no tinygemm here: {error}")
        return []
    return made


def autoawq_weights(name: str) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Random weights as AWQ checkpoints store them, for autoawq's kernels. None where it is missing."""
    if importlib.util.find_spec("awq") is None:
        print("no autoawq here")
        return []
    outputs, inputs = SHAPES[name]
    groups, words = inputs // 128, outputs // 8
    made = []
    for _ in range(math.ceil(COLD_BYTES / (outputs * inputs // 2))):
        numbers = torch.randint(-(2**31), 2**31, (inputs, words), device=DEVICE)
        zeros = torch.randint(-(2**31), 2**31, (groups, words), device=DEVICE)
        scales = torch.rand(groups, outputs, device=DEVICE, dtype=torch.float16) * 0.019 + 0.001
        made.append((numbers.int(), zeros.int(), scales))
    return made


def multiply_awq(x: Tensor, weight: tuple[Tensor, Tensor]) -> Tensor:
    return awq_triton.multiply_packed(x, *weight)


def multiply_dequantised(x: Tensor, weight: tuple[Tensor, Tensor]) -> Tensor:
    return awq_triton.multiply_dequantised(x, *weight)


def multiply_tinygemm(x: Tensor, weight: tuple[Tensor, Tensor]) -> Tensor:
    return torch._weight_int4pack_mm(x, weight[0], 128, weight[1])


def multiply_autoawq(x: Tensor, weight: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return matmul_autoawq(x, *weight)


# --- correctness


def check(name: str) -> None:
    """Raise if a kernel strays from float64 or a row depends on its neighbours."""
    inputs = SHAPES[name][1]
    (weight,) = float_weights(name, 1)
    few = (64, 1, 2, 3, 7, 16, 17, 33, 48, 63)
    _check_way(f"{name} float", inputs, weight, linear_triton.multiply, weight.double(), few)
    if name not in LAYER:
        return
    (packed,) = awq_weights(name, 1)
    q, z, s = untile(*packed)
    exact = ((q - z.repeat_interleave(128, 0)) * s.double().repeat_interleave(128, 0)).T
    _check_way(f"{name} AWQ", inputs, packed, multiply_awq, exact, (384, 65, 130, 300, *few))
    step = torch.finfo(torch.bfloat16).eps
    dense = awq_triton.dequantise(*packed, torch.bfloat16, 0, SHAPES[name][0])
    if ((dense.double() - exact).abs() > step * exact.abs()).any():
        raise AssertionError(f"{name}: the dequantised weight is wrong")


def _check_way(
    label: str, inputs: int, weight: Any, multiply: Product, exact: Tensor, counts: Sequence[int]
) -> None:
    """Try so many rows; the first number is the largest."""
    step = torch.finfo(torch.bfloat16).eps
    x = torch.randn(counts[0], inputs, device=DEVICE, dtype=torch.bfloat16)
    wanted = x.double() @ exact.T
    together = _poisoned(multiply, x, weight)
    for rows in counts:
        y = _poisoned(multiply, x[:rows], weight)
        error = (y.double() - wanted[:rows]).abs().max()
        if not error < 2 * step * wanted[:rows].abs().max():
            raise AssertionError(f"{label}, {rows} rows: off by {error}")
        if not torch.equal(y, together[:rows]):
            raise AssertionError(f"{label}, {rows} rows: other bits than beside {counts[0]}")


def _poisoned(multiply: Product, x: Tensor, weight: Any) -> Tensor:
    """Multiply on memory that was freed full of NaNs."""
    for megabytes in (0.25, 0.5, 1, 4, 16, 64):
        torch.full((int(megabytes * 2**18),), float("nan"), device=DEVICE)
    return multiply(x, weight)


# --- time


def measure_copy() -> float:
    """TB/s, read and written, of copying 1 GB."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    us = time_calls([lambda: target.copy_(source)])
    return 2 * source.numel() / us / 1e6


def time_product(multiply: Product, x: Tensor, weights: list[Any]) -> float:
    return time_calls([partial(multiply, x, weight) for weight in weights])


def time_calls(calls: list[Callable[[], Any]]) -> float:
    """Median µs of one call, when recorded one behind the other and replayed."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        calls[0]()
    torch.cuda.current_stream().wait_stream(side)
    rounds = math.ceil(24 / len(calls)) if len(calls) > 1 else 4
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls * rounds:
            call()
    times = []
    for _ in range(REPLAYS + 1):  # the first warms up
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000 / (rounds * len(calls)))
    return median(times[1:])


def measure_shape(name: str, copy_tb_per_s: float) -> Iterator[Figure]:
    """Measure and print one shape, a line per number of rows."""
    outputs, inputs = SHAPES[name]
    floats = float_weights(name)
    packed = awq_weights(name) if name in LAYER else []
    tiny = tinygemm_weights(name) if name in LAYER else []
    theirs = autoawq_weights(name) if name in LAYER else []
    sizes = {way: 2.0 if way in ("library", "ours") else 0.5 for way in WAYS}
    print(f"\n{name}: {outputs} × {inputs}, µs (TB/s, of copy) and how often the library's")
    for rows in ROWS + (MANY_ROWS if packed else ()):
        x = torch.randn(rows, inputs, device=DEVICE, dtype=torch.bfloat16)
        ways: dict[str, tuple[Product, list[Any]]] = {"library": (F.linear, floats)}
        if rows <= linear_triton.FEW_ROWS:
            ways["ours"] = (linear_triton.multiply, floats)
        if packed:
            ways["awq"] = (multiply_awq, packed)
        if packed and rows > ROWS[-1]:
            ways["awq dequantised"] = (multiply_dequantised, packed)
        if tiny and rows <= ROWS[-1]:
            ways["tinygemm"] = (multiply_tinygemm, tiny)
        if theirs:
            ways["autoawq"] = (multiply_autoawq, theirs)
        line, library = f"{rows:5}", 0.0
        for way, (multiply, weights) in ways.items():
            us = time_product(multiply, x, weights)
            library = library or us
            rate = sizes[way] * outputs * inputs / us / 1e6
            share = rate / copy_tb_per_s
            line += f"  {way} {us:7.1f} ({rate:4.2f}, {share:4.0%}) {library / us:4.2f}×"
            yield Figure(way, name, rows, us, rate)
        print(line, flush=True)


def print_layers(figures: list[Figure]) -> None:
    print("\none layer's four products, ms")
    for rows in ROWS + MANY_ROWS:
        line = f"{rows:5}"
        for way in WAYS:
            parts = [f.us for f in figures if (f.way, f.rows) == (way, rows) and f.shape in LAYER]
            line += f"  {way} {sum(parts) / 1000:6.4f}" if len(parts) == len(LAYER) else ""
        print(line)


# --- sweep


def sweep() -> list[Swept]:
    """Time every candidate. They are compiled first, on all processors."""
    started = perf_counter()
    candidates = [
        ("ours", name, rows, parts, blocks)
        for name in SHAPES
        for parts in SWEPT_PARTS.get(name, (1,))
        for rows, blocks in product(SWEPT_ROWS, FLOAT_BLOCKS)
    ] + [
        ("awq", name, rows, parts, blocks)
        for name in LAYER
        for parts in SWEPT_PARTS[name]
        for rows, numbers in product(SWEPT_ROWS, AWQ_BLOCKS)
        for blocks in (awq_triton.Blocks(rows, *numbers),)
    ]
    compile_all(candidates)
    print(f"\n{len(candidates)} candidates compiled ({perf_counter() - started:.0f} s)", flush=True)
    swept = []
    for name in SHAPES:
        weights: dict[str, list[Any]] = {"ours": float_weights(name)}
        weights["awq"] = awq_weights(name) if name in LAYER else []
        for way, _, rows, parts, blocks in (c for c in candidates if c[1] == name):
            x = torch.randn(rows, SHAPES[name][1], device=DEVICE, dtype=torch.bfloat16)
            try:
                us = time_product(_with(way, parts, blocks), x, weights[way])
            except OutOfResources:
                continue
            swept.append(Swept(way, name, rows, parts, tuple(asdict(blocks).values()), us))
    print(f"timed ({perf_counter() - started:.0f} s)")
    return swept


def sweep_many_rows() -> list[Swept]:
    """Time AWQ's larger blocks at a prompt's rows."""
    started = perf_counter()
    parts = {name: count_parts(SHAPES[name][0], SHAPES[name][1] // 128) for name in LAYER}
    candidates = [
        ("awq", name, rows, parts[name], blocks)
        for name in LAYER
        for rows, blocks in product(MANY_ROWS, MANY_ROWS_BLOCKS)
    ]
    compile_all([c for c in candidates if c[2] == MANY_ROWS[0]])  # any number of rows is the same
    swept = []
    for name in LAYER:
        weights = awq_weights(name)
        for way, _, rows, count, blocks in (c for c in candidates if c[1] == name):
            x = torch.randn(rows, SHAPES[name][1], device=DEVICE, dtype=torch.bfloat16)
            try:
                us = time_product(_with(way, count, blocks), x, weights)
            except OutOfResources:
                continue
            swept.append(Swept(way, name, rows, count, tuple(asdict(blocks).values()), us))
        for rows in MANY_ROWS:
            x = torch.randn(rows, SHAPES[name][1], device=DEVICE, dtype=torch.bfloat16)
            us = time_product(multiply_dequantised, x, weights)
            swept.append(Swept("awq dequantised", name, rows, 1, (), us))
    print(f"\n{len(candidates)} candidates for many rows ({perf_counter() - started:.0f} s)")
    return swept


def _with(way: str, parts: int, blocks: Any) -> Product:
    if way == "ours":
        return lambda x, weight: linear_triton.multiply(x, weight, blocks, parts)
    return lambda x, weight: awq_triton.multiply_packed(x, weight[0], weight[1], blocks, parts)


def compile_all(candidates: list[tuple[str, str, int, int, Any]]) -> None:
    """Fill Triton's cache; a candidate that needs too much shared memory fails only when run."""
    unique = {
        (way, rows, parts, blocks, SHAPES[name][0] % 16 == 0)
        for way, name, rows, parts, blocks in candidates
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda key: _compile(*key), unique))


def _compile(way: str, rows: int, parts: int, blocks: Any, whole: bool) -> None:
    bf16, f32, i32 = torch.bfloat16, torch.float32, torch.int32
    outputs = 4096 if whole else 4100
    if way == "ours":
        linear_triton._matmul_kernel.warmup(
            bf16, bf16, bf16, f32, i32, rows, 4096, outputs, grid=(1,),
            **linear_triton.constants(rows, parts, blocks),
        )  # fmt: skip
    else:
        awq_triton._matmul_kernel.warmup(
            bf16, i32, i32, bf16, f32, i32, rows, 4096, outputs, grid=(1,),
            **awq_triton.constants(rows, parts, blocks),
        )  # fmt: skip


def print_best(swept: list[Swept]) -> None:
    """Per shape and parts the best blocks at each number of rows, best parts first."""
    print("\nbest blocks; µs at " + ", ".join(map(str, SWEPT_ROWS)) + " rows")
    chosen: dict[tuple[str, str], int] = {}
    for way, name in {(s.way, s.shape): None for s in swept}:
        ranking = []
        for parts in SWEPT_PARTS.get(name, (1,)):
            same = [s for s in swept if (s.way, s.shape, s.parts) == (way, name, parts)]
            best = [min((s for s in same if s.rows == r), key=lambda s: s.us) for r in SWEPT_ROWS]
            ranking.append((sum(s.us for s in best), parts, best))
        ranking.sort(key=lambda entry: entry[0])
        chosen[way, name] = ranking[0][1]
        for _, parts, best in ranking:
            cells = "  ".join(f"{s.us:7.1f} {s.blocks!s:18}" for s in best)
            print(f"{way:5}{name:9}parts {parts:2}  {cells}")
    print("\nthe same blocks for all four products, with the best parts: ms of a layer")
    for way, rows in product(("ours", "awq"), SWEPT_ROWS):
        sums: dict[tuple[int, ...], list[float]] = {}
        for s in swept:
            if (s.way, s.rows) == (way, rows) and s.shape in LAYER:
                us = [s.us] if s.parts == chosen[way, s.shape] else []
                sums.setdefault(s.blocks, []).extend(us)
        whole = sorted((sum(us) / 1000, b) for b, us in sums.items() if len(us) == len(LAYER))
        cells = "  ".join(f"{ms:.4f} {blocks!s}" for ms, blocks in whole[:4])
        print(f"{way:5}{rows:3} rows  {cells}")


def print_best_many(swept: list[Swept]) -> None:
    """Per number of rows all candidates by what a layer takes, and the best of each product."""
    print("\nlayer's four products at a prompt's rows, ms: (rows, outputs, warps, stages)")
    for rows in MANY_ROWS:
        sums: dict[tuple[str, tuple[int, ...]], list[Swept]] = {}
        for s in swept:
            if s.rows == rows:
                sums.setdefault((s.way, s.blocks), []).append(s)
        whole = sorted(
            (sum(s.us for s in same) / 1000, way, blocks)
            for (way, blocks), same in sums.items()
            if len(same) == len(LAYER)
        )
        print(f"{rows:5} " + "  ".join(f"{ms:.4f} {blocks or way}" for ms, way, blocks in whole))
        for name in LAYER:
            best = min((s for s in swept if (s.rows, s.shape) == (rows, name)), key=lambda s: s.us)
            print(f"      {name:9}{best.us:7.1f} µs {best.blocks or best.way}")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--sweep",
        nargs="?",
        const="all",
        choices=("all", "many"),
        help="also time candidate blocks and parts; many: only those for a prompt's rows",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
