"""A table in host memory that a GPU reads where it lies, over the bus.

For the table of token vectors: a step reads one row of it for each window, which is next to nothing
beside the weights, and a GPU has better use for 1.2 GB.
"""

import math
import weakref
from mmap import mmap
from typing import Any

import torch
from torch import Tensor

from worker.minicpm.errors import OutOfDeviceMemory

WORDS = {2: torch.int16, 4: torch.int32}  # what numbers of so many bytes are handed over as


def new_table(shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Make an empty tensor on the host that `lend` takes: its pages are nobody else's."""
    size = math.prod(shape) * dtype.itemsize
    return torch.frombuffer(mmap(-1, size), dtype=dtype).view(shape)


def lend(table: Tensor, device: torch.device) -> Tensor:
    """Return the same memory as a tensor of a GPU; it is locked in place for as long as that lives.

    Raises OutOfDeviceMemory if the system refuses to lock it.
    """
    with torch.cuda.device(device):
        status = int(torch.cuda.cudart().cudaHostRegister(table.data_ptr(), table.nbytes, 0))
        if status:
            raise OutOfDeviceMemory(
                f"{table.nbytes / 1e9:.1f} GB of the host's memory could not be locked for the GPU "
                f"(CUDA's error {status})"
            )
        words = torch.as_tensor(_Lent(table, device), device=device)
        return words.view(table.dtype)


class _Lent:
    """What PyTorch asks for a pointer, and keeps while a tensor of it lives."""

    def __init__(self, table: Tensor, device: torch.device) -> None:
        words = table.view(WORDS[table.dtype.itemsize])
        self.__cuda_array_interface__: dict[str, Any] = {
            "shape": tuple(words.shape),
            "typestr": f"<i{table.dtype.itemsize}",  # there is no name for bfloat16
            "data": (words.data_ptr(), False),
            "strides": None,
            "version": 3,
        }
        weakref.finalize(self, _take_back, table, device)


def _take_back(table: Tensor, device: torch.device) -> None:
    torch.cuda.synchronize(device)  # it may still be read
    torch.cuda.cudart().cudaHostUnregister(table.data_ptr())
