"""The vision tower and the resampler on a GPU: `python -m bench.vision OUT.json`.

Checks the tower against itself in float32, then times it, whole and in parts, at 4, 16 and 64 views
of 24 × 43 patches: as it was, with each change alone, with each way to attend, as it is. `--sweep`
tries other block sizes for attention, `--compile` adds torch.compile as a yardstick (a minute).
Weights are random, sizes those of MiniCPM-o 4.5, the dtype is bfloat16.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.attention import show, try_settings
from bench.timing import (
    copy_ceiling,
    poison,
    product_ceiling,
    relative_error,
    time_graph,
    time_launched,
)
from worker.minicpm import attention, attention_triton
from worker.minicpm.config import VisionConfig
from worker.minicpm.resampler import Resampler
from worker.minicpm.vision import Remembered, VisionLayer, VisionTower, add_norm, linear_gelu

CONFIG = VisionConfig(1152, 4304, 27, 16, 14, 70, False)
GRID = (24, 43)  # of a 16:9 picture
PATCHES, WIDTH, FFN, HEADS = GRID[0] * GRID[1], 1152, 4304, 16
QUERIES, HIDDEN = 64, 4096
BF16 = torch.bfloat16
LIMIT = 1.5  # how much further from float32 than the plain tower in bfloat16
BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Way:
    """Which changes the tower runs with."""

    norms: bool = False  # sum and norm in one kernel
    gelu: bool = False  # inside the product
    attend: str = "sdpa"  # what torch chooses; a backend's name, "+" and a padded length; "ours"


WAYS = {
    "as it was": Way(),
    "norms alone": Way(norms=True),
    "gelu alone": Way(gelu=True),
    **{
        f"attention {name} alone": Way(attend=name) for name in (*BACKENDS, "flash+96", "cudnn+128")
    },
    "attention ours alone": Way(attend="ours"),
    "all, cudnn": Way(True, True, "cudnn"),
    "all, flash": Way(True, True, "flash"),
    "all, ours": Way(True, True, "ours"),
}


def settle(module: nn.Module) -> nn.Module:
    """Random weights that keep vectors at a plain size."""
    module = module.to_empty(device="cuda")
    for name, weight in module.named_parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        else:
            nn.init.constant_(weight, 1.0 if name.endswith("weight") else 0.01)
    return module.eval().requires_grad_(False)


def new_tower() -> VisionTower:
    with torch.device("meta"):
        tower = VisionTower(CONFIG)
    settle(tower)
    nn.init.normal_(tower.embeddings.position_embedding.weight, std=0.3)
    return tower


def attend(qkv: Tensor, way: str) -> Tensor:
    """(B, L, 3, heads, 72) → (B, L, width)"""
    if way == "ours":
        return attention.attend_views(qkv)
    backend, _, padded = way.partition("+")
    width = qkv.shape[-1]
    if padded:
        qkv = F.pad(qkv, (0, int(padded) - width))
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    chosen: AbstractContextManager[Any] = nullcontext()
    if backend in BACKENDS:
        chosen = sdpa_kernel(BACKENDS[backend])
    with chosen:
        mixed = F.scaled_dot_product_attention(q, k, v, scale=width**-0.5)
    return mixed.transpose(1, 2)[..., :width].flatten(-2)


def run_layer(
    layer: VisionLayer, x: Tensor, update: Tensor | None, way: Way
) -> tuple[Tensor, Tensor]:
    x, normed = norm(x, update, layer.layer_norm1, way)
    qkv = layer.self_attn.qkv_proj(normed).unflatten(-1, (3, HEADS, -1))
    x, normed = norm(x, layer.self_attn.out_proj(attend(qkv, way.attend)), layer.layer_norm2, way)
    mlp = layer.mlp
    if way.gelu:
        return x, mlp.fc2(linear_gelu(normed, mlp.fc1))
    return x, mlp.fc2(F.gelu(mlp.fc1(normed), approximate="tanh"))


def norm(x: Tensor, update: Tensor | None, module: nn.LayerNorm, way: Way) -> tuple[Tensor, Tensor]:
    if way.norms:
        return add_norm(x, update, module)
    x = x if update is None else x + update
    return x, module(x)


Layer = Callable[[VisionLayer, Tensor, Tensor | None, Way], tuple[Tensor, Tensor]]


def run_tower(tower: VisionTower, patches: Tensor, way: Way, layer: Layer = run_layer) -> Tensor:
    x, update = tower.embeddings(patches, GRID), None
    for module in tower.encoder.layers:
        assert isinstance(module, VisionLayer)
        x, update = layer(module, x, update, way)
    return norm(x, update, tower.post_layernorm, way)[1]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, device="cuda", dtype=BF16)


def tower_flops(views: int) -> int:
    tokens = views * PATCHES
    layer = 2 * tokens * WIDTH * (4 * WIDTH + 2 * FFN) + 4 * tokens * PATCHES * WIDTH
    return CONFIG.layers * layer + 2 * tokens * WIDTH * 3 * 14 * 14


def check_tower(exact_tower: VisionTower, tower: VisionTower) -> Rows:
    """How far each way is from float32, the plain way first."""
    patches = noise(3, PATCHES, 3 * 14 * 14)
    exact = run_tower(exact_tower, patches.float(), Way(attend="efficient"))
    rows: Rows = []
    for name in ("as it was", "norms alone", "gelu alone", "attention cudnn alone", "all, ours"):
        poison(3, PATCHES, WIDTH, dtype=BF16)
        rows.append(
            {
                "name": f"error, {name}",
                "error": relative_error(run_tower(tower, patches, WAYS[name]), exact),
            }
        )
    poison(3, PATCHES, WIDTH, dtype=BF16)
    rows.append({"name": "error, the tower", "error": relative_error(tower(patches, GRID), exact)})
    qkv = qkv_noise(3)
    alone = torch.cat([attention.attend_views(part) for part in qkv.split(1)])
    equal = torch.equal(alone, attention.attend_views(qkv))
    rows.append({"name": "attention of views alone is equal", "equal": equal})
    exact_mix = attend(qkv.float(), "efficient")
    for way in (*BACKENDS, "ours"):
        rows.append(
            {
                "name": f"error, attention {way}",
                "error": relative_error(attend(qkv, way), exact_mix),
            }
        )
    return rows


def qkv_noise(views: int) -> Tensor:
    return noise(views, PATCHES, 3, HEADS, WIDTH // HEADS)


def measure_tower(tower: VisionTower, views: int, peak: float) -> Iterator[dict[str, Any]]:
    patches = noise(views, PATCHES, 3 * 14 * 14)
    first = 0.0
    for name, way in {**WAYS, "the tower": Way()}.items():

        def work(way: Way = way, name: str = name) -> Tensor:
            return tower(patches, GRID) if name == "the tower" else run_tower(tower, patches, way)

        spent = time_launched(work)
        first = first or spent
        speed = tower_flops(views) / spent / 1e9
        yield {
            "name": name, "views": views, "ms": spent, "ms/view": spent / views,
            "was / is": first / spent, "TFLOP/s": speed, "of ceiling": speed / peak,
        }  # fmt: skip


def measure_parts(tower: VisionTower, views: int, peak: float) -> Iterator[dict[str, Any]]:
    """One layer's products, activations and attention, as captured graphs."""
    layer, tokens = tower.encoder.layers[0], views * PATCHES
    assert isinstance(layer, VisionLayer)
    x, wide, qkv = noise(views, PATCHES, WIDTH), noise(views, PATCHES, FFN), qkv_noise(views)
    mlp, heads = layer.mlp, layer.self_attn
    product, mix = 2 * tokens * WIDTH, 4 * tokens * PATCHES * WIDTH
    parts: dict[str, tuple[Callable[[], object], int]] = {
        "qkv_proj": (lambda: heads.qkv_proj(x), product * 3 * WIDTH),
        "out_proj": (lambda: heads.out_proj(x), product * WIDTH),
        "fc1": (lambda: mlp.fc1(x), product * FFN),
        "fc1, then gelu": (lambda: F.gelu(mlp.fc1(x), approximate="tanh"), product * FFN),
        "fc1 with gelu": (lambda: linear_gelu(x, mlp.fc1), product * FFN),
        "fc2": (lambda: mlp.fc2(wide), product * FFN),
        "sum, then norm": (lambda: norm(x, x, layer.layer_norm1, Way()), 0),
        "sum with norm": (lambda: norm(x, x, layer.layer_norm1, Way(norms=True)), 0),
        **{f"attention {way}": (partial(attend, qkv, way), mix) for way in (*BACKENDS, "ours")},
    }
    for name, (work, flops) in parts.items():
        spent = time_graph([work])
        speed = flops / spent / 1e6
        yield {
            "name": name,
            "views": views,
            "µs": spent,
            "TFLOP/s": speed,
            "of ceiling": speed / peak,
        }


def measure_first_call() -> Iterator[dict[str, Any]]:
    """What the first call at a new number of patches costs: libraries plan, we may compile."""
    for way in ("cudnn", "flash", "ours"):
        for patches in (1023, 1001, 1035):
            qkv = noise(5, patches, 3, HEADS, WIDTH // HEADS)
            torch.cuda.synchronize()
            started = perf_counter()
            attend(qkv, way)
            torch.cuda.synchronize()
            spent = (perf_counter() - started) * 1000
            yield {"name": f"first call, {way}", "patches": patches, "ms": spent}


def measure_resampler(views: int) -> Iterator[dict[str, Any]]:
    with torch.device("meta"):
        resampler = Resampler(QUERIES, HIDDEN, HIDDEN // 128, WIDTH)
    settle(resampler)
    resampler.to(BF16)
    seen = noise(views, PATCHES, WIDTH)

    def forgetful() -> Tensor:
        resampler._queries, resampler._places = Remembered(), Remembered()
        return resampler(seen, GRID)

    for name, work in (
        ("resampler, nothing kept", forgetful),
        ("resampler", lambda: resampler(seen, GRID)),
    ):
        spent = time_launched(work)
        yield {"name": name, "views": views, "ms": spent, "ms/view": spent / views}


def measure_compiled(tower: VisionTower, views: int) -> Iterator[dict[str, Any]]:
    patches = noise(views, PATCHES, 3 * 14 * 14)
    compiled: Layer = torch.compile(run_layer, dynamic=False)
    for attend_by in ("sdpa", "cudnn"):
        way = replace(Way(), attend=attend_by)
        spent = time_launched(partial(run_tower, tower, patches, way, compiled))
        yield {
            "name": f"torch.compile, {attend_by}",
            "views": views,
            "ms": spent,
            "ms/view": spent / views,
        }


def sweep() -> Iterator[dict[str, Any]]:
    names = ("VIEW_ROWS", "VIEW_BLOCK", "VIEW_WARPS", "VIEW_STAGES")
    choices = [
        (128, 64, 8, 3), (128, 64, 8, 2), (128, 64, 8, 4), (128, 128, 8, 2), (128, 128, 8, 3),
        (128, 64, 4, 3), (128, 32, 4, 3), (64, 64, 4, 2), (64, 64, 4, 3), (64, 128, 4, 2),
        (64, 32, 4, 4), (128, 32, 8, 4), (256, 64, 8, 2),
    ]  # fmt: skip
    qkv = qkv_noise(64)
    yield from try_settings(
        attention_triton,
        names,
        choices,
        "attention of 64 views",
        [lambda: attention.attend_views(qkv)],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.vision", description=__doc__)
    parser.add_argument("out", type=Path, help="JSON goes here")
    parser.add_argument("--sweep", action="store_true", help="try other block sizes too")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    options = parser.parse_args(arguments)
    torch.manual_seed(1)
    peak = product_ceiling()
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(), "copy TB/s": copy_ceiling(), "product TFLOP/s": peak,
    }  # fmt: skip
    show(result)
    exact_tower = new_tower()
    tower = new_tower().to(BF16)
    tower.load_state_dict(exact_tower.state_dict())
    for weight in exact_tower.parameters():
        weight.copy_(weight.to(BF16))
    with torch.inference_mode():
        errors = check_tower(exact_tower, tower)
        rows = result["rows"] = [*errors]
        for row in errors:
            show(row)
        del exact_tower
        for measured in measure(tower, peak, options):
            rows.append(measured)
            show(measured)
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    plain, ours = errors[0]["error"], errors[5]["error"]
    right = ours < LIMIT * plain and all(row.get("equal", True) for row in errors)
    print("all right" if right else "WRONG: see the errors")
    return int(not right)


def measure(
    tower: VisionTower, peak: float, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    for views in (4, 16, 64):
        yield from measure_tower(tower, views, peak)
        yield from measure_resampler(views)
    yield from measure_parts(tower, 64, peak)
    yield from measure_first_call()
    if options.sweep:
        yield from sweep()
    if options.compile:
        yield from measure_compiled(tower, 64)


if __name__ == "__main__":
    sys.exit(main())
