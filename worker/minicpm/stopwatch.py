"""Times work on a device without stopping it."""

from time import perf_counter
from typing import TypeAlias

import torch

Mark: TypeAlias = "torch.cuda.Event | float"
"""A moment: on a GPU one in its queue of work, elsewhere seconds on the host's clock."""


def mark(device: torch.device) -> Mark:
    """Mark the end of the work that has been asked for so far."""
    if device.type != "cuda":
        return perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def milliseconds(start: Mark, end: Mark) -> float:
    """From one mark to a later one; both must have been reached."""
    if isinstance(start, float) and isinstance(end, float):
        return (end - start) * 1000
    assert not isinstance(start, float)
    assert not isinstance(end, float)
    return float(start.elapsed_time(end))
