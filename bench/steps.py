"""Time decode steps with AWQ weights: one launch beside separate kernels. `python -m bench.steps [--json OUT]`

The decoder has the real network's size and random weights; the scores over the vocabulary are not
part of it. Needs one of NVIDIA's Hopper GPUs and 5 GB of its memory. Medians of CUDA graph replays.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path

import torch
from torch import nn

from bench.timing import time_graph
from worker.minicpm.awq import GROUP, KERNELS, AwqLinear
from worker.minicpm.cache import KVCache
from worker.minicpm.config import LanguageConfig
from worker.minicpm.language import LanguageModel, RMSNorm
from worker.minicpm.megakernel import ROWS, Megakernel, runs_on

GPU = torch.device("cuda:0")
REAL = LanguageConfig(4096, 12288, 36, 32, 8, 128, 512, 40960, 1e-6, 1e6)
ROOM = 2048
LENGTHS = (424, 1500)  # tokens that a window has: unit A's at its end, and a long one


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds of all layers."""

    rows: int
    length: int
    one_launch: float
    separate: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    there = torch.cuda.is_available() and runs_on(GPU)
    torch.manual_seed(1)
    model = random_model(REAL, GPU) if there else None
    kernel = model.megakernel if model else None
    if model is None or kernel is None:
        print("Steps in one launch need one of NVIDIA's Hopper GPUs, a large one.", file=sys.stderr)
        return 1
    figures = [
        measure(model, kernel, rows, length)
        for rows in ROWS
        if kernel.takes(rows)
        for length in LENGTHS
    ]
    if options.json:
        report = {
            "date": date.today().isoformat(),
            "hardware": torch.cuda.get_device_name(GPU),
            "torch": torch.__version__,
            "figures": [asdict(figure) for figure in figures],
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def measure(model: LanguageModel, kernel: Megakernel, rows: int, length: int) -> Figure:
    cache = KVCache(REAL, rows, ROOM, GPU, torch.bfloat16)
    cache.both.normal_()
    x = torch.randn(rows, REAL.hidden_size, device=GPU).bfloat16()
    slots = torch.arange(rows, device=GPU)
    lengths = torch.full((rows,), length, device=GPU)
    with torch.inference_mode():
        one_launch, separate = (
            time_graph([partial(step, x, slots, lengths, cache)]) / 1000
            for step in (kernel.decode_step, model.step_layers)
        )
    print(
        f"{rows} rows of {length}: {one_launch:.3f} ms, separate kernels {separate:.3f}", flush=True
    )
    return Figure(rows, length, one_launch, separate)


def random_model(config: LanguageConfig, device: torch.device) -> LanguageModel:
    """A decoder with random AWQ weights, for Triton's kernels on a GPU."""
    kernel = KERNELS["triton" if device.type == "cuda" else "torch"]
    with torch.device("meta"):
        model = LanguageModel(config).bfloat16()
        for layer in model.model.layers:
            for part in layer.children():
                for name, linear in part.named_children():
                    if isinstance(linear, nn.Linear):
                        packed = AwqLinear(linear.in_features, linear.out_features, kernel)
                        setattr(part, name, packed)
    model = model.to_empty(device=device)
    for module in model.modules():
        if isinstance(module, AwqLinear):
            _fill(module)
        elif isinstance(module, RMSNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
        elif isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    return model.requires_grad_(False)


def _fill(linear: AwqLinear) -> None:
    """With numbers whose products neither grow nor shrink much from layer to layer."""
    qweight, qzeros, scales = linear.buffers()
    for packed in (qweight, qzeros):
        numbers = torch.randint(-(2**31), 2**31, packed.shape, device=packed.device)
        packed.copy_(numbers.to(torch.int32))
    scales.copy_(torch.rand(linear.inputs // GROUP, linear.outputs) * 0.004 + 0.002)
    linear.pack()


if __name__ == "__main__":
    sys.exit(main())
