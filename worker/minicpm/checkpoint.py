"""A checkpoint folder → an engine: where it runs, in which numbers, with how much room."""

from pathlib import Path

import torch

from worker.minicpm.config import Config, read_config
from worker.minicpm.engine import Engine
from worker.minicpm.errors import CheckpointError
from worker.minicpm.tokenizer import TextTokenizer
from worker.minicpm.weights import load_network


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
    slots: int = 4,
    room: int = 4096,
    kernel: str | None = None,
    embedding_on_host: bool = False,
) -> Engine:
    """Load a checkpoint, AWQ or not, and start an engine of `slots` windows.

    `room` is the most tokens of one window, prompt and answer together; all slots' room is
    allocated at once (see `cache_bytes`). `kernel` names one of `awq.KERNELS`.
    Raises CheckpointError.
    """
    device = device or choose_device()
    config = read_config(folder)
    tokenizer = TextTokenizer(folder)
    if tokenizer.size != config.language.vocab_size:
        raise CheckpointError(
            f"the tokenizer in {folder} has {tokenizer.size} tokens and the network "
            f"{config.language.vocab_size}: files of two checkpoints are mixed"
        )
    network = load_network(
        folder, config, device, dtype or choose_dtype(config, device), kernel, embedding_on_host
    )
    return Engine(network, tokenizer, slots, min(room, config.language.context))
