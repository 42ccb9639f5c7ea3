"""Tells as JSON what PyTorch is here. A process of its own: a broken build may end it."""

import importlib.metadata
import json
from contextlib import suppress
from typing import Any

OTHERS = ("transformers", "torchvision", "safetensors", "tokenizers", "triton", "autoawq")


def tell() -> dict[str, Any]:
    import torch

    usable = torch.cuda.is_available()
    gpus = [_gpu(number) for number in range(torch.cuda.device_count())] if usable else []
    packages = {}
    for name in OTHERS:
        with suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    cuda = torch.version.cuda or ""
    return {"version": torch.__version__, "cuda": cuda, "gpus": gpus, "packages": packages}


def _gpu(number: int) -> dict[str, Any]:
    import torch

    free, total = torch.cuda.mem_get_info(number)
    return {
        "name": torch.cuda.get_device_name(number),
        "total_bytes": total,
        "free_bytes": free,
        "capability": torch.cuda.get_device_capability(number),
    }


if __name__ == "__main__":
    print(json.dumps(tell()))
