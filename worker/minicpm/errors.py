"""What can go wrong here, each told in a sentence a person can act on.

MiniCPMError
├── CheckpointError      the folder holds no whole MiniCPM-o 4.5
├── PromptTooLong        the prompt leaves no room in the context
├── OutOfDeviceMemory    one window alone does not fit
├── NumbersOverflowed    the network's numbers left the range of its dtype
├── Cancelled            the caller gave up
└── EngineStopped        the engine was closed, or ended by a fault
"""

import torch


class MiniCPMError(Exception):
    """Root of everything raised on purpose by this package."""


class CheckpointError(MiniCPMError):
    """The checkpoint can't be used; the text names the file and the reason."""


class PromptTooLong(MiniCPMError):
    """The prompt does not fit, even with a single picture left."""


class OutOfDeviceMemory(MiniCPMError):
    """The device has too little memory for one window."""


class NumbersOverflowed(MiniCPMError):
    """Scores are infinite or not numbers: most likely float16 is too narrow for the weights."""

    def __init__(self) -> None:
        super().__init__("the network's numbers overflowed: use bfloat16, or check the weights")


class Cancelled(MiniCPMError):
    """The request was cancelled before its end."""


class EngineStopped(MiniCPMError):
    """The engine takes no more requests."""


_SHORTAGES = "out of memory", "OUT_OF_MEMORY", "ALLOC_FAILED"  # CUDA and Triton, its driver, cuBLAS


def is_out_of_memory(error: BaseException) -> bool:
    """Also where others than PyTorch's allocator say so."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORTAGES)
    )
