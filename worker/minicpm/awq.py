"""AWQ "gemm" weights: 4-bit numbers, packed eight to an int32 along the outputs.

The weight of input k and output n is (q - z) · s, q from `qweight`, z and s those of the group of
128 inputs that k is in. Logical column 8c + j sits in word c at bit BITS[j]. Knows no checkpoint.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from worker.minicpm.triton_support import runs_triton

BITS = (0, 16, 4, 20, 8, 24, 12, 28)
PACK = 8  # numbers in an int32
GROUP = 128  # inputs that share a scale and a zero point
UNPACKED = 1 << 23  # numbers of a weight that torch unpacks at once, in some 20 bytes each


@dataclass(frozen=True, slots=True)
class Kernel:
    """How a weight is kept once it is read, and how rows are multiplied by it.

    pack: qweight (K, N/8), qzeros (K/128, N/8), scales (K/128, N) → what is kept, by name.
    matmul: x (M, K) and what is kept, in that order → (M, N) in x's dtype.
    """

    pack: Callable[[Tensor, Tensor, Tensor], Mapping[str, Tensor]]
    matmul: Callable[..., Tensor]


def unpack(packed: Tensor) -> Tensor:
    """(R, N/8) int32 → (R, N) int32 in 0…15."""
    number = torch.arange(PACK, dtype=torch.int32, device=packed.device)
    bits = number % 2 * 16 + number // 2 * 4  # BITS, made where they are used: no copy into a graph
    return ((packed.unsqueeze(-1) >> bits) & 15).flatten(-2)


def pack(numbers: Tensor) -> Tensor:
    """(R, N) whole numbers in 0…15 → (R, N/8) int32."""
    bits = torch.tensor(BITS, dtype=torch.int64, device=numbers.device)
    words = (numbers.to(torch.int64).unflatten(-1, (-1, PACK)) << bits).sum(-1)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


def dequantise(qweight: Tensor, qzeros: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weight (K, N), computed in float32 at least and then rounded to `dtype`."""
    exact = torch.promote_types(dtype, torch.float32)
    numbers = unpack(qweight).unflatten(0, (scales.shape[0], -1))  # (G, K/G, N)
    centred = (numbers - unpack(qzeros).unsqueeze(1)).to(exact)
    return (centred * scales.to(exact).unsqueeze(1)).flatten(0, 1).to(dtype)


def keep_as_stored(qweight: Tensor, qzeros: Tensor, scales: Tensor) -> dict[str, Tensor]:
    return {"qweight": qweight, "qzeros": qzeros, "scales": scales}


def matmul_torch(x: Tensor, qweight: Tensor, qzeros: Tensor, scales: Tensor) -> Tensor:
    """Dequantise, then multiply, some outputs after the other: right everywhere, fast nowhere."""
    words = max(1, UNPACKED // (PACK * len(qweight)))
    parts = zip(
        qweight.split(words, 1), qzeros.split(words, 1), scales.split(PACK * words, 1), strict=True
    )
    return torch.cat([x @ dequantise(*part, x.dtype) for part in parts], dim=-1)


def matmul_autoawq(x: Tensor, qweight: Tensor, qzeros: Tensor, scales: Tensor) -> Tensor:
    """The kernels of the autoawq package, on a GPU: float16 inside, whatever x is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it says on import that it is archived
        from awq.modules.linear.gemm import WQLinearMMFunction
    batch = x.half()[None]  # it takes the first two lengths for the number of rows
    outputs = scales.shape[1]
    y = WQLinearMMFunction.apply(batch, qweight, qzeros, scales, 4, GROUP, None, outputs)
    return cast(Tensor, y).to(x.dtype).reshape(-1, outputs)


def pack_triton(qweight: Tensor, qzeros: Tensor, scales: Tensor) -> dict[str, Tensor]:
    from worker.minicpm.awq_tiles import tile

    return tile(qweight, qzeros, scales)


def matmul_triton(x: Tensor, tiles: Tensor, shared: Tensor) -> Tensor:
    from worker.minicpm.awq_triton import matmul

    return matmul(x, tiles, shared)


TORCH = Kernel(keep_as_stored, matmul_torch)
KERNELS = {
    "torch": TORCH,
    "triton": Kernel(pack_triton, matmul_triton),
    "autoawq": Kernel(keep_as_stored, matmul_autoawq),
}


def best_kernel(device: torch.device) -> str:
    """Name the kernel for the device: ours where Triton and a GPU are, else plain torch.

    autoawq's accumulate in float16, so they are taken only when asked for by name.
    """
    return "triton" if runs_triton(device) else "torch"


class AwqLinear(nn.Module):
    """A Linear whose weight stays packed: as stored, and from `pack` on as its kernel keeps it."""

    def __init__(self, inputs: int, outputs: int, kernel: Kernel = TORCH) -> None:
        super().__init__()
        self.inputs, self.outputs, self.kernel = inputs, outputs, kernel
        groups = inputs // GROUP
        self.register_buffer("qweight", torch.empty(inputs, outputs // PACK, dtype=torch.int32))
        self.register_buffer("qzeros", torch.empty(groups, outputs // PACK, dtype=torch.int32))
        self.register_buffer("scales", torch.empty(groups, outputs, dtype=torch.float16))

    def pack(self) -> None:
        """Lay the weight out for the kernel. Once, when the stored tensors have been read."""
        kept = self.kernel.pack(*self.buffers(recurse=False))
        for name in [name for name, _ in self.named_buffers(recurse=False)]:
            delattr(self, name)
        for name, tensor in kept.items():
            self.register_buffer(name, tensor)

    @property
    def is_tiled(self) -> bool:
        """Whether the weight lies as `awq_tiles` lays it: buffers `tiles` and `shared`, in that order."""
        return [name for name, _ in self.named_buffers(recurse=False)] == ["tiles", "shared"]

    def forward(self, x: Tensor) -> Tensor:  # (…, K) → (…, N)
        y = self.kernel.matmul(x.reshape(-1, self.inputs), *self.buffers(recurse=False))
        return y.reshape(*x.shape[:-1], self.outputs)
