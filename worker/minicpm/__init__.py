"""MiniCPM-o 4.5, its vision and language half: pictures and text in, text out.

`load` reads a checkpoint folder, `Engine.comment` answers. Uses nothing of the rest of the
project and runs no code of the checkpoint.
"""

from worker.minicpm.check import sentence_loss
from worker.minicpm.checkpoint import choose_device, choose_dtype, load
from worker.minicpm.engine import Engine, Reply, Request
from worker.minicpm.errors import (
    Cancelled,
    CheckpointError,
    EngineStopped,
    MiniCPMError,
    NumbersOverflowed,
    OutOfDeviceMemory,
    PromptTooLong,
)
from worker.minicpm.prompt import Message, PromptStyle
from worker.minicpm.sampling import Sampling
from worker.minicpm.warming import warm_up

__all__ = [
    "Cancelled",
    "CheckpointError",
    "Engine",
    "EngineStopped",
    "Message",
    "MiniCPMError",
    "NumbersOverflowed",
    "OutOfDeviceMemory",
    "PromptStyle",
    "PromptTooLong",
    "Reply",
    "Request",
    "Sampling",
    "choose_device",
    "choose_dtype",
    "load",
    "sentence_loss",
    "warm_up",
]
