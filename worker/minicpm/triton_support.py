"""Where our Triton kernels run; elsewhere torch does the same."""

from functools import lru_cache
from importlib.util import find_spec

import torch


@lru_cache(maxsize=16)
def runs_triton(device: torch.device) -> bool:
    """Whether Triton is there and compiles for the device: it has dropped GPUs before Ampere."""
    return (
        device.type == "cuda"
        and torch.cuda.get_device_capability(device) >= (8, 0)
        and find_spec("triton") is not None
    )
