"""Which GPU each worker process of a network gets: one process for each."""

import os
import subprocess

PATIENCE_S = 30.0  # a driver that nobody used takes its time to wake


def visible_gpus() -> tuple[str, ...]:
    """Return what CUDA_VISIBLE_DEVICES names, else the number of each GPU; nothing if none is found."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return tuple(str(number) for number in range(_count_gpus()))
    names = [name.strip() for name in named.split(",")]
    hidden = [place for place, name in enumerate(names) if name in ("", "-1")]
    return tuple(names[: min(hidden, default=len(names))])  # CUDA reads no further either


def _count_gpus() -> int:
    """Ask NVIDIA's driver; no driver, no GPU."""
    try:
        answer = subprocess.run(
            ("nvidia-smi", "-L"), capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())
