"""A step of few rows as one launch: see cuda/step.cu. For AWQ weights on NVIDIA's Hopper GPUs; on
others it was not tried.

Numbers are rounded where the separate kernels round them; sums are taken in another order, so the
bits may differ from theirs.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from worker.minicpm.awq import GROUP, AwqLinear
from worker.minicpm.cache import KVCache

if TYPE_CHECKING:
    from worker.minicpm.language import DecoderLayer
    from worker.minicpm.nvrtc import Kernel

# Rows that a kernel is compiled for. 4 gain 11 % with usual windows and lose 5 % with 1500 tokens; with
# more, separate kernels are as fast.
ROWS = (1, 2, 4)
HEAD, TILE, WARPS, FETCHERS = 128, 16, 12, 2  # as in cuda/layout.cuh
CAPABILITY = 9, 0  # of GPUs that it was tried on

SOURCES = Path(__file__).parent / "cuda"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the kernel is compiled for."""

    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    blocks: int  # one for each multiprocessor
    memory: int  # that a block can share, in bytes

    @property
    def suits(self) -> bool:
        """Whether the work can be shared out as the kernel does it."""
        mixed, kv = self.heads * HEAD, 2 * self.kv_heads * HEAD
        products = ((1, mixed + kv), (1, self.hidden), (2, self.ffn))
        spread = all(
            outputs % TILE == 0 and segments * -(-outputs // TILE // self.blocks) <= WARPS
            for segments, outputs in products
        )
        whole = all(inputs % GROUP == 0 for inputs in (self.hidden, mixed, self.ffn))
        queries = self.heads // self.kv_heads
        enough = self.blocks >= ROWS[-1] * self.kv_heads
        return spread and whole and enough and queries + 2 <= WARPS

    def defines(self, rows: int) -> dict[str, int]:
        return {
            "ROWS": rows, "BLOCKS": self.blocks, "MEMORY": self.memory, "HIDDEN": self.hidden,
            "FFN": self.ffn, "HEADS": self.heads, "KV_HEADS": self.kv_heads,
        }  # fmt: skip

    def exchange_bytes(self, rows: int) -> int:
        """Size of cuda/layout.cuh's `Exchange`."""
        pieces = self.blocks // (self.kv_heads * rows)
        numbers = (2 * self.heads + 2 * self.kv_heads) * HEAD + 2 * self.hidden + self.ffn
        return rows * (2 * numbers + 8 * pieces * self.heads * (HEAD + 2)) + 8


class Megakernel:
    """`decode_step` of all layers of one network, for numbers of rows that it `takes`.

    The kernels are compiled in threads, from the beginning on; who needs one waits for it.
    """

    def __init__(self, layers: Sequence["DecoderLayer"], shape: Shape) -> None:
        self._layers, self._shape = layers, shape
        self._device = layers[0].input_layernorm.weight.device
        self._eps = layers[0].input_layernorm.eps
        self._binaries = {rows: _compile(shape, rows) for rows in ROWS}
        self._kernels: dict[int, Kernel | None] = {}
        self._exchanges: dict[int, Tensor] = {}

    @classmethod
    def of(cls, layers: Sequence["DecoderLayer"]) -> "Megakernel | None":
        """Return one for these layers, where it can run."""
        attn, mlp = layers[0].self_attn, layers[0].mlp
        weight = layers[0].input_layernorm.weight
        linears = [attn.qkv_proj, attn.o_proj, mlp.gate_up_proj, mlp.down_proj]
        sizes = [(x.inputs, x.outputs) for x in linears if isinstance(x, AwqLinear) and x.is_tiled]
        suited = weight.dtype == torch.bfloat16 and len(attn.q_norm.weight) == HEAD
        if not suited or len(sizes) < len(linears) or not runs_on(weight.device):
            return None
        (hidden, qkv), (mixed, _), _, (ffn, _) = sizes
        facts = torch.cuda.get_device_properties(weight.device)
        shape = Shape(
            hidden=hidden, ffn=ffn, heads=mixed // HEAD, kv_heads=(qkv - mixed) // HEAD // 2,
            blocks=facts.multi_processor_count,
            memory=facts.shared_memory_per_block_optin,  # type: ignore[attr-defined]
        )  # fmt: skip
        return cls(layers, shape) if shape.suits else None

    def takes(self, rows: int) -> bool:
        """Whether there is a kernel for so many rows."""
        return self._kernel(rows) is not None

    def decode_step(
        self, x: Tensor, slots: Tensor, lengths: Tensor, cache: KVCache
    ) -> tuple[Tensor, Tensor]:
        """Read a token (B, hidden) more in each of `slots` (B,), which hold `lengths`.

        Returns the residual stream and what is still to be added to it, (B, hidden) each.
        """
        kernel = self._kernel(len(x))
        assert kernel is not None
        return self._launch(kernel, len(self._layers), x, slots, lengths, cache)

    def _launch(
        self, kernel: "Kernel", layers: int, x: Tensor, slots: Tensor, lengths: Tensor,
        cache: KVCache | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Launch the first so many layers; without any, no cache is needed."""
        from worker.minicpm.nvrtc import FLOAT, INT32, INT64, POINTER

        keys, values, cos, sin = (cache.keys, cache.values, cache.cos, cache.sin) if cache else [0] * 4  # fmt: skip
        stream, update = torch.empty_like(x), torch.empty_like(x)
        kernel.launch(self._shape.blocks, (WARPS + FETCHERS) * 32, [
            (self._table, POINTER), (layers, INT32),
            (x.contiguous(), POINTER), (slots, POINTER), (lengths, POINTER),
            (keys, POINTER), (values, POINTER), (cache.keys[0].numel() if cache else 0, INT64),
            (cos, POINTER), (sin, POINTER), (cache.room if cache else 0, INT32),
            (self._exchange(len(x)), POINTER), (stream, POINTER), (update, POINTER),
            (self._eps, FLOAT),
        ])  # fmt: skip
        return stream, update

    def _kernel(self, rows: int) -> "Kernel | None":
        if rows in self._binaries and rows not in self._kernels:
            try:
                self._kernels[rows] = self._load(rows, self._binaries[rows].result())
            except Exception as error:  # noqa: BLE001 - steps are written without it as well
                self._kernels[rows] = None
                log.warning("steps are not one launch rows=%d reason=%s", rows, error)
        return self._kernels.get(rows)

    def _load(self, rows: int, binary: bytes) -> "Kernel":
        """Load a kernel and try it without any layer: who shares a GPU may not get all of it."""
        from worker.minicpm.nvrtc import Kernel

        kernel = Kernel(binary, "decode_step", self._device, self._shape.memory)
        x = torch.zeros(rows, self._shape.hidden, dtype=torch.bfloat16, device=self._device)
        nowhere = torch.zeros(rows, dtype=torch.long, device=self._device)
        self._launch(kernel, 0, x, nowhere, nowhere, None)
        torch.cuda.synchronize(self._device)
        return kernel

    def _exchange(self, rows: int) -> Tensor:
        """What a kernel's blocks hand to each other. Graphs read and write it where it lies."""
        if rows not in self._exchanges:
            size = self._shape.exchange_bytes(rows)
            self._exchanges[rows] = torch.zeros(size, dtype=torch.uint8, device=self._device)
        return self._exchanges[rows]

    @cached_property
    def _table(self) -> Tensor:
        """Addresses of each layer's tensors, in the order of cuda/layout.cuh's `Layer`."""
        addresses: list[list[int]] = []
        for layer in self._layers:
            attn, mlp = layer.self_attn, layer.mlp
            linears = (attn.qkv_proj, attn.o_proj, mlp.gate_up_proj, mlp.down_proj)
            norms = (
                layer.input_layernorm,
                layer.post_attention_layernorm,
                attn.q_norm,
                attn.k_norm,
            )
            tensors = [tensor for linear in linears for tensor in linear.buffers()]
            tensors += [norm.weight for norm in norms]
            addresses.append([tensor.data_ptr() for tensor in tensors])
        return torch.tensor(addresses, device=self._device)


def runs_on(device: torch.device) -> bool:
    """Whether a device is one of those, and the compiler is there."""
    return (
        device.type == "cuda"
        and torch.version.hip is None
        and torch.cuda.get_device_capability(device) == CAPABILITY
        and find_spec("cuda") is not None
        and find_spec("cuda.bindings") is not None
    )


def compile_kernel(shape: Shape, rows: int) -> bytes:
    """Compile for so many rows. Raises RuntimeError where the work can't be done so."""
    from worker.minicpm.nvrtc import compile_source

    texts = {path.name: path.read_text(encoding="utf-8") for path in SOURCES.glob("*.cu*")}
    return compile_source(texts.pop("step.cu"), texts, shape.defines(rows), CAPABILITY)


def _compile(shape: Shape, rows: int) -> Future[bytes]:
    """Compile in a thread that ends with the process."""
    result: Future[bytes] = Future()

    def work() -> None:
        try:
            result.set_result(compile_kernel(shape, rows))
        except Exception as error:  # noqa: BLE001 - raised again where the result is taken
            result.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

    threading.Thread(target=work, name=f"compiling-{rows}", daemon=True).start()
    return result
