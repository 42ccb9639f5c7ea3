"""Time the decoder's products at a few rows: the library's, ours, and ours with AWQ weights.

Beside them, on the same sizes: PyTorch's own 4-bit product, and autoawq's kernels where that is installed.

    python -m bench.linears [--json OUT]

Needs a CUDA GPU and about 12 GB of its memory. First each kernel is held to float64 on fresh random
numbers, its memory poisoned with NaNs before, and each row to the same bits whatever stands beside
it. Then medians of CUDA graph replays, over as many copies of a weight as the second-level cache
can't hold. TB/s counts the bytes of the weights' numbers alone; "of copy" compares them with a copy of 1 GB.
"""

import argparse
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import torch
import torch.nn.functional as F
import triton
from torch import Tensor

from bench.timing import copy_ceiling, time_graph
from worker.minicpm import awq_triton, linear_triton
from worker.minicpm.awq import matmul_autoawq
from worker.minicpm.awq_tiles import untile

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
DEVICE = "cuda"

Product = Callable[[Tensor, Any], Tensor]


@dataclass(frozen=True, slots=True)
class Figure:
    """One way to multiply, at one shape and number of rows."""

    way: str
    shape: str
    rows: int
    us: float
    tb_per_s: float  # of the weight's own bytes


@dataclass(slots=True)
class Report:
    date: str
    hardware: str
    versions: dict[str, str]
    command: str
    copy_tb_per_s: float
    figures: list[Figure] = field(default_factory=list)

    @classmethod
    def begin(cls, program: str) -> Self:
        """Look at the card, and say what was found."""
        report = cls(
            date.today().isoformat(),
            torch.cuda.get_device_name(),
            {"torch": torch.__version__, "triton": triton.__version__},
            " ".join(("python -m", program, *sys.argv[1:])),
            copy_ceiling(),
        )
        print(f"{report.date}  {report.hardware}  {report.versions}")
        print(f"copy of 1 GB: {report.copy_tb_per_s:.2f} TB/s")
        return report


def main() -> int:
    options = _parse_options()
    if not torch.cuda.is_available():
        print("bench.linears needs a CUDA GPU; there is none here.", file=sys.stderr)
        return 2
    started = perf_counter()
    report = Report.begin("bench.linears")
    for name in SHAPES:
        check(name)
    print(f"correct, and the same bits beside any rows ({perf_counter() - started:.0f} s)")
    for name in SHAPES:
        report.figures += list(measure_shape(name, report.copy_tb_per_s))
    print_layers(report.figures)
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


def time_product(multiply: Product, x: Tensor, weights: list[Any]) -> float:
    return time_calls([partial(multiply, x, weight) for weight in weights])


def time_calls(calls: list[Callable[[], Any]]) -> float:
    """Median µs of one call of many, one behind the other."""
    return time_graph(calls * math.ceil(24 / len(calls)))


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


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
