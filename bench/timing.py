"""Times work on a GPU, and what the GPU can do at best."""

from collections.abc import Callable, Sequence
from statistics import median

import torch

Work = Callable[[], object]


def time_graph(calls: Sequence[Work]) -> float:
    """Capture the calls, each on data of its own, as one CUDA graph; return µs per call (median).

    Together the data should exceed the 50 MB of the L2 cache.
    """
    from triton.testing import do_bench  # not where only the CPU's PyTorch is

    for call in calls:  # kernels are compiled, libraries make their handles
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    milliseconds = do_bench(graph.replay, warmup=10, rep=60, return_mode="median")
    return float(milliseconds) * 1000 / len(calls)


def time_launched(call: Work, times: int = 5) -> float:
    """Launch as a program would; return ms per call (median)."""
    spans = []
    for _ in range(times + 2):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        spans.append(start.elapsed_time(end))
    return median(spans[2:])


def copy_ceiling() -> float:
    """TB/s of a device-to-device copy, read and written."""
    source = torch.randn(2**28, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / time_graph([lambda: target.copy_(source)]) / 1e6


def read_ceiling() -> float:
    """TB/s at which 4 GB are added up."""
    source = torch.ones(2**30, device="cuda")
    return source.nbytes / time_graph([source.sum]) / 1e6


def product_ceiling() -> float:
    """TFLOP/s of a large bfloat16 product."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / time_graph([lambda: a @ b]) / 1e6


def relative_error(ours: torch.Tensor, exact: torch.Tensor) -> float:
    """‖ours - exact‖ / ‖exact‖; nan stays nan."""
    return float((ours.double() - exact.double()).norm() / exact.double().norm())


def poison(*shape: int, dtype: torch.dtype) -> None:
    """Leave nan where the allocator puts the next tensor of this shape."""
    torch.full(shape, float("nan"), device="cuda", dtype=dtype)
