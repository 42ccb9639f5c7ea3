"""Checkpoints that a test reads, takes apart and writes anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from worker.minicpm.config import read_config
from worker.minicpm.network import Network
from worker.minicpm.weights import load_network

CPU = torch.device("cpu")
MakeCheckpoint = Callable[..., Path]


def read(folder: Path, dtype: torch.dtype = torch.float32, **options: Any) -> Network:
    return load_network(folder, read_config(folder), CPU, dtype, **options)


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return {k: v for shard in folder.glob("*.safetensors") for k, v in load_file(shard).items()}


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Make one file of a checkpoint, its tensors changed."""
    tensors = tensors_of(folder)
    change(tensors)
    for old in folder.glob("model*"):
        old.unlink()
    save_file(tensors, folder / "model.safetensors")
