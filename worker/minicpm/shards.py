"""Safetensors files: what they hold, and its way into tensors. Knows no network.

A file is read by several threads at once, through memory that a GPU fetches by itself, so that
neither the page cache nor the bus waits for the other.
"""

import json
import math
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worker.minicpm.errors import CheckpointError

READERS = 8  # threads; more than that wait for each other
PORTION_BYTES = 16 << 20  # read at once by a thread, twice over in host memory

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I32": torch.int32,
}  # fmt: skip


_UNREADABLE = (
    OSError, struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError,
)  # fmt: skip
"""What reading a header raises that is none."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor is and what its shard's header says of it."""

    shard: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int  # bytes from the file's start
    size: int  # bytes


def read_index(folder: Path) -> dict[str, StoredTensor]:
    """List the tensors of all shards, each shard's size checked against its header."""
    shards = _list_shards(folder)
    stored = {name: tensor for shard in shards for name, tensor in _read_header(shard).items()}
    index = folder / "model.safetensors.index.json"
    if index.exists():
        _compare_with_index(index, stored)
    return stored


def _list_shards(folder: Path) -> list[Path]:
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.exists():
        return [folder / name for name in sorted(set(_weight_map(index).values()))]
    if single.exists():
        return [single]
    raise CheckpointError(f"{folder} holds neither {index.name} nor {single.name}")


def _weight_map(index: Path) -> dict[str, str]:
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{index} is not an index of shards: {error!r}") from error
    if not isinstance(places, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in places.values()
    ):
        raise CheckpointError(f"{index} names shards outside its folder")
    return places


def _compare_with_index(index: Path, stored: Mapping[str, StoredTensor]) -> None:
    for name, shard in _weight_map(index).items():
        if name not in stored or stored[name].shard.name != shard:
            raise CheckpointError(f"{index.name} says that {shard} holds {name}, and it does not")


def _read_header(shard: Path) -> dict[str, StoredTensor]:
    """Read what a shard says it holds; refuse it unless that fills it without gap or overlap."""
    try:
        size = shard.stat().st_size
        with shard.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, size)))
        start = 8 + length
        stored = {
            name: _parse_entry(shard, start, name, entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except FileNotFoundError as error:
        raise CheckpointError(f"{shard} is missing; its index names it") from error
    except _UNREADABLE as error:
        raise CheckpointError(f"{shard} is truncated or no safetensors file: {error}") from error
    end = _check_runs(shard, start, stored)
    if size != end:
        raise CheckpointError(f"{shard} has {size} bytes and should have {end}: download it again")
    return stored


def _parse_entry(shard: Path, start: int, name: str, entry: Mapping[str, Any]) -> StoredTensor:
    """Read what is said of a tensor; `start` is where the shard's data begins."""
    (begin, end), shape, dtype = entry["data_offsets"], tuple(entry["shape"]), entry["dtype"]
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise ValueError(f"offsets and shape of {name} must be whole numbers")
    if begin > end:
        raise ValueError(f"{name} ends before it begins")
    if not isinstance(dtype, str):
        raise TypeError(f"the dtype of {name} must be a name")
    return StoredTensor(shard, dtype, shape, start + begin, end - begin)


def _check_runs(shard: Path, start: int, stored: Mapping[str, StoredTensor]) -> int:
    """Return where the last tensor ends; refuse one of another size than its shape's, or place."""
    end = start
    for name, tensor in sorted(stored.items(), key=lambda item: (item[1].offset, item[1].size)):
        dtype = DTYPES.get(tensor.dtype)  # others are nobody's but the audio and speech parts'
        wanted = math.prod(tensor.shape) * dtype.itemsize if dtype else tensor.size
        if tensor.size != wanted:
            raise CheckpointError(
                f"{shard} says that {name} has {tensor.size} bytes, and {list(tensor.shape)} of "
                f"{tensor.dtype} are {wanted}"
            )
        if tensor.offset != end:
            raise CheckpointError(
                f"{shard} says that {name} begins at byte {tensor.offset}, and what is before it ends "
                f"at {end}"
            )
        end += tensor.size
    return end


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of a stored tensor, as one run of bytes, and where they belong."""

    shard: Path
    offset: int  # bytes
    dtype: torch.dtype  # as stored
    target: Tensor  # (rows, …), of any dtype, on any device


def read_tensors(pairs: Iterable[tuple[StoredTensor, Tensor]]) -> None:
    """Fill each tensor with what is stored, cast to its dtype.

    Raises CheckpointError if a file ends too soon or can't be read.
    """
    portions = [portion for stored, target in pairs for portion in split(stored, target)]
    portions.sort(key=lambda portion: (portion.shard, portion.offset))
    with ThreadPoolExecutor(READERS) as pool:
        for done in [pool.submit(_read_share, portions[i::READERS]) for i in range(READERS)]:
            done.result()


def split(stored: StoredTensor, target: Tensor) -> Iterator[Portion]:
    """Cut a tensor into portions along its rows."""
    dtype = DTYPES[stored.dtype]
    row_bytes = dtype.itemsize * target.numel() // len(target)
    rows = max(1, PORTION_BYTES // row_bytes)
    for first in range(0, len(target), rows):
        offset = stored.offset + first * row_bytes
        yield Portion(stored.shard, offset, dtype, target[first : first + rows])


class Berth:
    """Host memory for one portion on its way."""

    def __init__(self, size: int, pinned: bool) -> None:
        self.bytes = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        self.left = torch.cuda.Event() if pinned else None  # the last portion is on the device

    def load(self, file: int, portion: Portion) -> Tensor:
        """Read a portion; return it as stored, on the host."""
        if self.left is not None:
            self.left.synchronize()
        size = portion.dtype.itemsize * portion.target.numel()
        view, done = self.bytes.numpy().data[:size], 0
        while done < size:
            count = os.preadv(file, [view[done:]], portion.offset + done)
            if not count:
                raise CheckpointError(f"{portion.shard} ended while it was read")
            done += count
        return self.bytes[:size].view(portion.dtype).view(portion.target.shape)


def _read_share(portions: list[Portion]) -> None:
    """Read portions one after the other; the next is read while the last travels to its GPU."""
    if not portions:
        return
    device = next((p.target.device for p in portions if p.target.is_cuda), torch.device("cpu"))
    largest = max(p.dtype.itemsize * p.target.numel() for p in portions)
    on_gpu = device.type == "cuda"
    berths = [Berth(largest, on_gpu) for _ in range(2)]
    files = {shard: _open(shard) for shard in {p.shard for p in portions}}
    stream = torch.cuda.Stream(device) if on_gpu else None
    try:
        with torch.cuda.stream(stream):  # does nothing for None
            for turn, portion in enumerate(portions):
                berth = berths[turn % 2]
                rows = berth.load(files[portion.shard], portion)
                portion.target.copy_(rows.to(portion.target.device, non_blocking=True))
                if berth.left is not None:
                    berth.left.record()
        if stream is not None:
            stream.synchronize()
    finally:
        for file in files.values():
            os.close(file)


def _open(shard: Path) -> int:
    try:
        return os.open(shard, os.O_RDONLY)
    except OSError as error:
        raise CheckpointError(f"{shard} can't be read: {error.strerror}") from error
