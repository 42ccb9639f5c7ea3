"""Products with float weights: ours where they are faster, else the library's."""

import torch.nn.functional as F
from torch import Tensor, nn

from worker.minicpm.triton_support import runs_triton


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
