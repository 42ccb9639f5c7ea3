"""Time candidate blocks and parts of our products: `python -m bench.linears_sweep [--many] [--json OUT]`.

Per shape, parts and rows the best blocks; and for prompts, with the parts as they are set, AWQ's
larger blocks beside a dequantised copy (`--many`: only this). Needs a CUDA GPU and about 12 GB of its
memory. Run it where a kernel, Triton or the card is another than before.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from triton.runtime.errors import OutOfResources

from bench.linears import (
    DEVICE,
    LAYER,
    MANY_ROWS,
    SHAPES,
    Product,
    Report,
    awq_weights,
    float_weights,
    multiply_dequantised,
    time_product,
)
from worker.minicpm import awq_triton, linear_triton
from worker.minicpm.split_k import count_parts

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
class Swept:
    """A candidate."""

    way: str
    shape: str
    rows: int
    parts: int
    blocks: tuple[int, ...]
    us: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.linears_sweep", description=__doc__)
    parser.add_argument("--many", action="store_true", help="only those for a prompt's rows")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("bench.linears_sweep needs a CUDA GPU; there is none here.", file=sys.stderr)
        return 2
    report = Report.begin("bench.linears_sweep")
    swept: list[Swept] = []
    if not options.many:
        swept += sweep()
        print_best(swept)
    many = sweep_many_rows()
    print_best_many(many)
    if options.json is not None:
        figures = [asdict(candidate) for candidate in [*swept, *many]]
        options.json.write_text(json.dumps({**asdict(report), "figures": figures}, indent=1) + "\n")
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
