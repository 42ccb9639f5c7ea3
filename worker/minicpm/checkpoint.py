"""A checkpoint folder → an engine: where it runs, in which numbers, with how much room."""

from pathlib import Path

import torch

from worker.minicpm.cache import cache_bytes
from worker.minicpm.config import Config, read_config
from worker.minicpm.engine import Engine
from worker.minicpm.errors import CheckpointError, OutOfDeviceMemory
from worker.minicpm.memory_plan import FRUGAL, Plan, Sizes, TooSmall, plan
from worker.minicpm.tokenizer import TextTokenizer
from worker.minicpm.weights import load_network, weight_bytes

CPU_SLOTS = 2


def choose_device() -> torch.device:
    """The first GPU, or the CPU where there is none."""
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def choose_dtype(config: Config, device: torch.device) -> torch.dtype:
    """The checkpoint's own numbers on a GPU that has them; float32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    if config.dtype == torch.bfloat16 and torch.cuda.get_device_capability(device) < (8, 0):
        return torch.float16
    return config.dtype


def load(
    folder: Path,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
    *,
    slots: int | None = None,
    room: int = 2048,
    reserved: int = 0,
    kernel: str | None = None,
) -> Engine:
    """Load a checkpoint, AWQ or not, and start an engine.

    `room` is the most tokens of one window, prompt and answer together. As many windows are written
    at once as the device's memory holds, or `slots`; all their room is allocated now.
    `reserved` bytes of the device are left to others. `kernel` names one of `awq.KERNELS`. Raises CheckpointError; OutOfDeviceMemory if nothing fits.
    """
    device = device or choose_device()
    config = read_config(folder)
    tokenizer = TextTokenizer(folder)
    if tokenizer.size != config.language.vocab_size:
        raise CheckpointError(
            f"the tokenizer in {folder} has {tokenizer.size} tokens and the network "
            f"{config.language.vocab_size}: files of two checkpoints are mixed"
        )
    dtype = dtype or choose_dtype(config, device)
    room = min(room, config.language.context)
    way = _plan(folder, config, device, dtype, slots, room, reserved)
    network = load_network(folder, config, device, dtype, kernel)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # packing weights anew has left holes
    network.views_per_pass = way.limits.views
    return Engine(network, tokenizer, way.slots, room, way.limits)


def _plan(
    folder: Path,
    config: Config,
    device: torch.device,
    dtype: torch.dtype,
    slots: int | None,
    room: int,
    reserved: int,
) -> Plan:
    """Decide how to work on the device; a CPU has memory enough, and no use for many windows."""
    if device.type != "cuda":
        return Plan(slots or CPU_SLOTS, FRUGAL)
    free = max(torch.cuda.mem_get_info(device)[0] - reserved, 0)
    sizes = Sizes(
        free=free,
        weights=weight_bytes(folder, dtype),
        slot=cache_bytes(config.language, 1, room, dtype),
        token=cache_bytes(config.language, 1, 1, dtype),
        view=config.resampler.queries * config.language.hidden_size * dtype.itemsize,
    )
    try:
        return plan(sizes, slots)
    except TooSmall as shortage:
        raise OutOfDeviceMemory(
            f"the GPU has {free / 1e9:.1f} GB free and {shortage.needed / 1e9:.1f} GB are needed "
            f"for {folder.name} with {slots or 1} windows at once"
        ) from shortage
