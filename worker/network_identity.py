"""Says which weights a folder holds, so that a commentary can be traced to what wrote it."""

import hashlib
from pathlib import Path

_SAMPLES = 16  # of each file, evenly spread: reading all of 18 GB would delay every start
_SAMPLE_BYTES = 2**16


def network_of(name: str, checkpoint: str, folder: Path) -> dict[str, str]:
    """Name a network, its checkpoint as a person calls it, and the fingerprint of its files."""
    return {"name": name, "checkpoint": checkpoint, "fingerprint": fingerprint(folder)}


def fingerprint(folder: Path) -> str:
    """Hash configuration and weights: names, sizes and samples. Not a proof that all bytes agree."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), folder / "config.json"]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:32]
