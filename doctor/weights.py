"""A checkpoint's headers, read without PyTorch and without a single weight."""

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doctor.facts import Weights, WeightsFacts

SKIPPED = ("apm.", "audio_projection_layer.", "tts.")  # parts that the runtime never loads
VISION_LAYER = re.compile(r"vpm\.encoder\.layers\.(\d+)\.")
EMBEDDING = "llm.model.embed_tokens.weight"
TOKENIZER = (("tokenizer_config.json",), ("vocab.json", "tokenizer.json"))
LONGEST_HEADER = 100_000_000  # bytes


def find_weights(folder: Path, models_dir: Path) -> WeightsFacts:
    """Look at the folder that MODEL_PATH names, and for others that lie beside it."""
    found = models_dir.glob("*/*/config.json") if models_dir.is_dir() else ()
    drafts = folder.with_name(f"{folder.name}.part")
    return WeightsFacts(
        folder=folder,
        weights=read_weights(folder) if folder.is_dir() else None,
        interrupted=drafts.is_dir(),
        others=tuple(
            sorted(
                str(path.parent.relative_to(models_dir))
                for path in found
                if path.parent != folder and not path.parent.name.endswith((".part", ".old"))
            )
        ),
    )


def read_weights(folder: Path) -> Weights:
    """Read what the shards' headers say; what is missing or cut is told as `trouble`."""
    try:
        tensors, stored = _read_shards(folder)
        trouble = _missing_files(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        return Weights(folder, False, 0, 0, 0, 0, trouble=_reason(error))
    sizes = {name: end - start for name, (start, end) in tensors.items()}
    layers = [int(match[1]) for name in tensors if (match := VISION_LAYER.match(name))]
    return Weights(
        folder=folder,
        quantised=any(name.endswith(".qweight") for name in tensors),
        stored_bytes=stored,
        device_bytes=sum(n for name, n in sizes.items() if not name.startswith(SKIPPED)),
        embedding_bytes=sizes.get(EMBEDDING, 0),
        vision_layers=1 + max(layers, default=-1),
        trouble=trouble or ("" if layers else "there is no vision tower among its tensors"),
        pulled=(folder / "pulled.json").is_file(),
    )


def _read_shards(folder: Path) -> tuple[dict[str, tuple[int, int]], int]:
    """Return each tensor's offsets, and the size of all shards. Raises OSError, ValueError …"""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        places: Mapping[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted({folder / Path(name).name for name in places.values()})
    else:
        places, shards = {}, [folder / "model.safetensors"]
    tensors: dict[str, tuple[int, int]] = {}
    for shard in shards:
        tensors |= _read_header(shard)
    if missing := places.keys() - tensors.keys():
        raise ValueError(f"{min(missing)} is in no shard, though the index names it")
    return tensors, sum(shard.stat().st_size for shard in shards)


def _read_header(shard: Path) -> dict[str, tuple[int, int]]:
    with shard.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > LONGEST_HEADER:
            raise ValueError(f"{shard.name} is no safetensors file")
        head = file.read(length)
        if len(head) < length:
            raise ValueError(f"{shard.name} ends within its header")
        header: dict[str, Any] = json.loads(head)
    tensors = {
        name: (int(entry["data_offsets"][0]), int(entry["data_offsets"][1]))
        for name, entry in header.items()
        if name != "__metadata__"
    }
    wanted = 8 + length + max((end for _, end in tensors.values()), default=0)
    size = shard.stat().st_size
    if size != wanted:
        raise ValueError(f"{shard.name} has {size} bytes and should have {wanted}")
    return tensors


def _missing_files(folder: Path) -> str:
    json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for names in TOKENIZER:
        if not any((folder / name).is_file() for name in names):
            return f"{' or '.join(names)} is missing"
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{Path(str(error.filename)).name} is missing"
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
