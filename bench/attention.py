"""Attention and pointwise kernels of the decoder on a GPU: `python -m bench.attention OUT.json`.

Checks them first, then prints the median time of each beside torch's own and the machine's ceilings.
`--sweep` tries other block sizes, warps and stages than those in use. The shapes are MiniCPM-o
4.5's: 32 heads on 8 kv heads of 128, width 4096, 12288 in between; the tower's norm 1152.
Every figure is of one layer, in bfloat16, replayed as a CUDA graph over several layers' data.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from triton.runtime.errors import OutOfResources

from bench.timing import (
    Work,
    copy_ceiling,
    poison,
    product_ceiling,
    relative_error,
    time_graph,
)
from worker.minicpm import attention, attention_triton, pointwise, pointwise_triton
from worker.minicpm.rotary import rotate

HEADS, KV_HEADS, D, WIDTH, FFN, VISION = 32, 8, 128, 4096, 12288, 1152
BF16, EPS = torch.bfloat16, 1e-6
LIMIT = 6e-3  # relative error; bfloat16 operands land at 2e-3 to 4e-3
Rows = list[dict[str, Any]]


def noise(*shape: int, dtype: torch.dtype = BF16) -> Tensor:
    return torch.randn(shape, device="cuda", dtype=dtype)


def whole(values: Sequence[int]) -> Tensor:
    return torch.tensor(values, device="cuda")


@dataclass(frozen=True, slots=True)
class Cache:
    """One layer's, full of noise; `layers` of them keep each other out of the L2 cache."""

    keys: Tensor
    values: Tensor

    @classmethod
    def layers(cls, count: int, slots: int, room: int) -> list["Cache"]:
        shape = (slots, KV_HEADS, room, D)
        return [cls(noise(*shape), noise(*shape)) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class Steps:
    """One new query per row."""

    q: Tensor
    slots: Tensor
    lengths: Tensor
    caches: list[Cache]

    @classmethod
    def draw(cls, rows: int, shortest: int, longest: int, room: int = 2048) -> "Steps":
        dice = torch.Generator().manual_seed(rows)
        lengths = torch.randint(shortest, longest + 1, (rows,), generator=dice)
        slots = torch.randperm(rows, generator=dice)
        caches = Cache.layers(6 if rows > 8 else 24, rows, room)
        return cls(noise(rows, HEADS, D), slots.cuda(), lengths.cuda(), caches)

    @property
    def nbytes(self) -> int:
        return int(self.lengths.sum()) * KV_HEADS * D * 2 * 2

    def ours(self) -> list[Work]:
        return [
            partial(attention.attend_step, self.q, c.keys, c.values, self.slots, self.lengths)
            for c in self.caches
        ]

    def torch(self) -> list[Work]:
        """As before: a mask over the longest row's span, rounded up to 128."""
        span = -(-int(self.lengths.max()) // 128) * 128
        seen = (torch.arange(span, device="cuda") < self.lengths[:, None])[:, None, None]
        q = self.q.unflatten(1, (KV_HEADS, -1))

        def mix(c: Cache) -> Tensor:
            k, v = c.keys[:, :, :span], c.values[:, :, :span]
            return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)

        return [partial(mix, c) for c in self.caches]

    def check(self) -> dict[str, Any]:
        """Distance to float32; bits of rows alone, in a cache of less room."""
        cache = self.caches[0]
        exact = attention.attend_step_torch(
            self.q.float(), cache.keys.float(), cache.values.float(), self.slots, self.lengths
        )
        poison(len(self.q), HEADS * D, dtype=BF16)
        ours = attention.attend_step(self.q, cache.keys, cache.values, self.slots, self.lengths)
        alone = []
        for row in range(0, len(self.q), 7):
            slot, length = self.slots[row : row + 1], self.lengths[row : row + 1]
            k, v = (t[slot, :, : int(length)].contiguous() for t in (cache.keys, cache.values))
            mixed = attention.attend_step(self.q[row : row + 1], k, v, whole([0]), length)
            alone.append(torch.equal(mixed[0], ours[row]))
        return {"error": relative_error(ours, exact), "bits of rows alone": all(alone)}


@dataclass(frozen=True, slots=True)
class Prompts:
    """Pieces of prompts, each in a slot of its own."""

    q: Tensor
    slots: Tensor
    starts: Tensor
    before: Tensor
    lengths: list[int]
    caches: list[Cache]

    @classmethod
    def draw(cls, lengths: list[int], before: int = 0) -> "Prompts":
        rows = len(lengths)
        starts = whole([sum(lengths[:i]) for i in range(rows + 1)])
        caches = Cache.layers(2, rows, 2048)
        past = whole([before] * rows)
        q = noise(sum(lengths), HEADS, D)
        return cls(q, torch.randperm(rows, device="cuda"), starts, past, lengths, caches)

    @property
    def flops(self) -> int:
        past = int(self.before[0])
        return sum(4 * HEADS * D * (n * past + n * (n + 1) // 2) for n in self.lengths)

    def ours(self) -> list[Work]:
        return [
            partial(
                attention.attend_prompts,
                self.q, c.keys, c.values, self.slots, self.starts, self.before, max(self.lengths),
            )
            for c in self.caches
        ]  # fmt: skip

    def torch(self) -> list[Work]:
        """As before: padded to the longest, causal, without what stands before."""
        rows, longest = len(self.lengths), max(self.lengths)
        q = noise(rows, longest, HEADS, D).transpose(1, 2)
        k, v = (noise(rows, longest, KV_HEADS, D).transpose(1, 2) for _ in range(2))
        mix = F.scaled_dot_product_attention
        return [partial(mix, q, k, v, is_causal=True, enable_gqa=True)]

    def check(self) -> dict[str, Any]:
        """Distance to float32; bits of a prompt that is read in two pieces."""
        cache = self.caches[0]
        exact = attention.attend_prompts_torch(
            self.q.float(), cache.keys.float(), cache.values.float(),
            self.slots, self.starts, self.before, max(self.lengths),
        )  # fmt: skip
        poison(len(self.q), HEADS * D, dtype=BF16)
        ours = self.ours()[0]()
        assert isinstance(ours, Tensor)
        count, cut = self.lengths[0], self.lengths[0] // 3 + 1
        parts = [
            attention.attend_prompts(
                self.q[first:last], cache.keys, cache.values, self.slots[:1],
                whole([0, last - first]), self.before[:1] + first, last - first,
            )
            for first, last in ((0, cut), (cut, count))
        ]  # fmt: skip
        cut_equal = torch.equal(torch.cat(parts), ours[:count])
        return {"error": relative_error(ours, exact), "bits when cut": cut_equal}


def scenes() -> Iterator[tuple[str, Steps | Prompts]]:
    yield "step 64 × 200–1600", Steps.draw(64, 200, 1600)
    yield "step 64 × 1600", Steps.draw(64, 1600, 1600)
    yield "step 16 × 200–1600", Steps.draw(16, 200, 1600)
    yield "step 1 × 900", Steps.draw(1, 900, 900)
    yield "prompts 16 × 1440", Prompts.draw([1440] * 16)
    yield "prompts 20 × 376", Prompts.draw([376] * 20)
    yield "prompts 20 × 20–700", Prompts.draw(list(range(20, 700, 34)))
    yield "prompts 16 × 300 behind 1000", Prompts.draw([300] * 16, before=1000)


def measure_attention(
    name: str, scene: Steps | Prompts, ceilings: dict[str, float]
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, **scene.check()}
    row["µs"], row["torch µs"] = time_graph(scene.ours()), time_graph(scene.torch())
    row["torch / ours"] = row["torch µs"] / row["µs"]
    if isinstance(scene, Steps):
        row["TB/s"] = scene.nbytes / row["µs"] / 1e6
        row["of ceiling"] = row["TB/s"] / ceilings["copy TB/s"]
    else:
        row["TFLOP/s"] = scene.flops / row["µs"] / 1e6
        row["of ceiling"] = row["TFLOP/s"] / ceilings["product TFLOP/s"]
    return row


@dataclass(frozen=True, slots=True)
class Pointwise:
    """One function on rotating inputs, its plain torch form, and the bytes that it must move."""

    name: str
    ours: Sequence[Work]
    torch: Sequence[Work]
    exact: Callable[[], Tensor]  # float32, of the first inputs
    nbytes: int


def last(out: object) -> Tensor:
    """The result, or the second of two."""
    return cast(Tensor, out[1] if isinstance(out, tuple) else out)


def norm_work(rows: int, width: int, copies: int) -> Pointwise:
    """RMS norm at the decoder's width, layer norm at the tower's."""
    sets = [(noise(rows, width), noise(rows, width)) for _ in range(copies)]
    w, b = noise(width), noise(width)
    layer = width == VISION

    def plain(x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        total = x + u
        if layer:
            return total, F.layer_norm(total, (width,), w.to(x.dtype), b.to(x.dtype), EPS)
        return total, F.rms_norm(total, (width,), w.to(x.dtype), EPS)

    def ours(x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        if layer:
            return pointwise.add_layer_norm(x, u, w, b, EPS)
        return pointwise.add_rms_norm(x, u, w, EPS)

    def exact() -> Tensor:
        x, u = sets[0]
        return plain((x + u).float(), torch.zeros_like(x).float())[1]

    name = f"add_{'layer' if layer else 'rms'}_norm {rows} × {width}"
    works = [[partial(f, *pair) for pair in sets] for f in (ours, plain)]
    return Pointwise(name, works[0], works[1], exact, rows * width * 2 * 4)


def silu_work(rows: int, copies: int) -> Pointwise:
    sets = [noise(rows, 2 * FFN) for _ in range(copies)]

    def plain(x: Tensor) -> Tensor:
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up

    return Pointwise(
        f"silu_mul {rows} × {FFN}",
        [partial(pointwise.silu_mul, x) for x in sets],
        [partial(plain, x) for x in sets],
        lambda: plain(sets[0].float()),
        rows * FFN * 2 * 3,
    )


def rotate_work(rows: int, copies: int) -> Pointwise:
    """Tokens of 64 slots, side by side."""
    sets = [noise(rows, (HEADS + 2 * KV_HEADS) * D) for _ in range(copies)]
    cache = Cache.layers(1, 64, 2048)[0]
    weights = noise(D), noise(D)
    angles = torch.arange(2048, device="cuda")[:, None] * torch.rand(D // 2, device="cuda")
    cos, sin = (torch.cat([t, t], -1) for t in (angles.cos(), angles.sin()))
    index = torch.arange(rows, device="cuda")
    slots, positions = index % 64, index // 64 + 700

    def ours(qkv: Tensor) -> Tensor:
        return pointwise.rotate_and_store(
            qkv, *weights, EPS, cos, sin, positions, slots, cache.keys, cache.values
        )

    def plain(qkv: Tensor) -> Tensor:
        q, k, v = qkv.unflatten(-1, (-1, D)).split((HEADS, KV_HEADS, KV_HEADS), dim=1)
        c, s = cos[positions][:, None], sin[positions][:, None]
        norms = [w.to(qkv.dtype) for w in weights]
        cache.keys[slots, :, positions] = rotate(F.rms_norm(k, (D,), norms[1], EPS), c, s).to(BF16)
        cache.values[slots, :, positions] = v.to(BF16)
        return rotate(F.rms_norm(q, (D,), norms[0], EPS), c, s)

    return Pointwise(
        f"rotate_and_store {rows}",
        [partial(ours, x) for x in sets],
        [partial(plain, x) for x in sets],
        lambda: plain(sets[0].float()),
        sets[0].nbytes * 2,
    )


def pointwise_works() -> Iterator[Pointwise]:
    yield norm_work(64, WIDTH, 40)
    yield norm_work(8192, WIDTH, 3)
    yield norm_work(64 * 1032, VISION, 2)
    yield silu_work(64, 20)
    yield silu_work(8192, 2)
    yield rotate_work(64, 40)
    yield rotate_work(8192, 3)


def measure_pointwise(work: Pointwise, ceilings: dict[str, float]) -> dict[str, Any]:
    exact = work.exact()
    poison(*exact.shape, dtype=BF16)
    error = relative_error(last(work.ours[0]()).reshape(exact.shape), exact)
    ours, plain = time_graph(work.ours), time_graph(work.torch)
    speed = work.nbytes / ours / 1e6
    return {
        "name": work.name, "error": error, "µs": ours, "torch µs": plain,
        "torch / ours": plain / ours, "TB/s": speed, "of ceiling": speed / ceilings["copy TB/s"],
    }  # fmt: skip


def try_settings(
    module: ModuleType, names: tuple[str, ...], choices: Sequence[tuple[int, ...]],
    subject: str, calls: Sequence[Work],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Time the calls with each choice of the module's constants, which stay as they were."""
    kept = [getattr(module, name) for name in names]
    for choice in choices:
        for name, value in zip(names, choice, strict=True):
            setattr(module, name, value)
        try:
            found: float | None = time_graph(calls)
        except OutOfResources:
            found = None
        yield {"subject": subject, **dict(zip(names, choice, strict=True)), "µs": found}
    for name, value in zip(names, kept, strict=True):
        setattr(module, name, value)


def sweep() -> Iterator[dict[str, Any]]:
    step = ("PIECE", "STEP_BLOCK", "STEP_WARPS", "STEP_STAGES")
    steps = [
        (piece, block, 4, stages)
        for piece, block, stages in product((64, 128, 256), (32, 64, 128), (1, 2, 3))
        if block <= piece and (stages == 1 or piece > block) and block * stages <= 256
    ]
    steps += [(128, 64, 2, 2), (128, 32, 2, 3), (256, 64, 8, 3), (128, 128, 8, 1)]
    for rows, shortest, longest in ((64, 200, 1600), (1, 900, 900)):
        calls = Steps.draw(rows, shortest, longest).ours()
        yield from try_settings(attention_triton, step, steps, f"step {rows}", calls)
    prompt = ("PROMPT_ROWS", "PROMPT_BLOCK", "PROMPT_WARPS", "PROMPT_STAGES")
    prompts = [
        (128, 128, 8, 2), (128, 128, 8, 3), (128, 64, 8, 2), (128, 64, 8, 3), (128, 64, 4, 2),
        (64, 64, 4, 2), (64, 64, 4, 3), (64, 128, 4, 2), (64, 32, 4, 3), (256, 64, 8, 2),
    ]  # fmt: skip
    for lengths in ([1440] * 16, [376] * 20):
        subject = f"prompts {len(lengths)} × {lengths[0]}"
        calls = Prompts.draw(lengths).ours()
        yield from try_settings(attention_triton, prompt, prompts, subject, calls)
    for rows in (64, 8192):
        copies = 40 if rows == 64 else 3
        for names, choices, work in (
            (("RMS_WARPS",), [(4,), (8,), (16,)], norm_work(rows, WIDTH, copies)),
            (("ROTATE_WARPS",), [(1,), (2,), (4,)], rotate_work(rows, copies)),
            (
                ("SILU_BLOCK", "SILU_WARPS"),
                [(1024, 4), (2048, 4), (2048, 8), (4096, 8), (4096, 4)],
                silu_work(rows, copies // 2 + 1),
            ),
        ):
            yield from try_settings(pointwise_triton, names, choices, work.name, work.ours)
    work = norm_work(64 * 1032, VISION, 2)
    choices = [(1,), (2,), (4,), (8,)]
    yield from try_settings(pointwise_triton, ("LAYER_WARPS",), choices, work.name, work.ours)


def show(row: dict[str, Any]) -> None:
    print(
        "  ".join(f"{k}: {v:.4g}" if isinstance(v, float) else f"{k}: {v}" for k, v in row.items())
    )


def faults(rows: Rows) -> list[str]:
    """Names of what is wrong, not slow."""
    return [
        row["name"]
        for row in rows
        if not row["error"] < LIMIT
        or False in (row.get("bits of rows alone"), row.get("bits when cut"))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.attention", description=__doc__)
    parser.add_argument("out", type=Path, help="JSON goes here")
    parser.add_argument("--sweep", action="store_true", help="try other block sizes too")
    options = parser.parse_args(arguments)
    torch.manual_seed(1)
    ceilings = {"copy TB/s": copy_ceiling(), "product TFLOP/s": product_ceiling()}
    device = torch.cuda.get_device_name()
    show({"device": device, **ceilings})
    rows: Rows = []
    for name, scene in scenes():
        rows.append(measure_attention(name, scene, ceilings))
        show(rows[-1])
    for work in pointwise_works():
        rows.append(measure_pointwise(work, ceilings))
        show(rows[-1])
    tried: Rows = []
    result = {"device": device, **ceilings, "rows": rows, "sweep": tried}
    if options.sweep:
        for row in sweep():
            tried.append(row)
            show(row)
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    wrong = faults(rows)
    print("WRONG: " + ", ".join(wrong) if wrong else "all right")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
