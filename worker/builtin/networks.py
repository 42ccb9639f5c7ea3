"""Opens the neural networks: one thread each call, and one pool of memory for all of them.

A network's intermediate tensors would otherwise be spread over each thread's part of the heap, which
keeps them: that cost 150 MB more than the pool, and was slower.
"""

from functools import cache
from pathlib import Path

from onnxruntime import (
    InferenceSession,
    OrtAllocatorType,
    OrtArenaCfg,
    OrtMemoryInfo,
    OrtMemType,
    SessionOptions,
    create_and_register_allocator,
)

ROOM = 512 << 20  # bytes of address space taken at once: in one piece it is filled without gaps
DOUBLE = 0  # what ONNX Runtime does when the room is full


def open_network(weights: Path) -> InferenceSession:
    """Load an ONNX file to run on the processor; any number of threads may run it."""
    _make_pool()
    options = SessionOptions()
    options.intra_op_num_threads = 1  # windows run beside each other instead
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal
    options.enable_mem_pattern = (
        False  # its one block for all tensors would not fit the pool's gaps
    )
    options.add_session_config_entry("session.use_env_allocators", "1")
    return InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


@cache
def _make_pool() -> None:
    """Register the pool of this process: ONNX Runtime takes one, once."""
    memory = OrtMemoryInfo("Cpu", OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, OrtMemType.DEFAULT)
    growth = {
        "max_mem": 0,  # no limit
        "arena_extend_strategy": DOUBLE,
        "initial_chunk_size_bytes": ROOM,
        "max_dead_bytes_per_chunk": -1,  # its default
    }
    create_and_register_allocator(memory, OrtArenaCfg(growth))
