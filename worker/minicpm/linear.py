"""Products with float weights: ours where they are faster, else the library's."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@lru_cache(maxsize=16)
def runs_triton(device: torch.device) -> bool:
    """Whether our Triton kernels run there: Triton has dropped GPUs before Ampere."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    try:
        import triton  # noqa: F401
    except ImportError:
        return False
    return True


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """x (…, K), weight (N, K) → (…, N) in x's dtype."""
    if not runs_triton(x.device):
        return F.linear(x, weight)
    from worker.minicpm.linear_triton import linear as linear_triton

    return linear_triton(x.reshape(-1, x.shape[-1]), weight).unflatten(0, x.shape[:-1])


class Linear(nn.Linear):
    """A Linear without bias. (…, K) → (…, N)"""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)
