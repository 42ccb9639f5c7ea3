"""A folder's files → the network. No code from the folder is run, nothing is fetched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from worker.transformers.errors import CannotLoad, OutOfDeviceMemory
from worker.transformers.folder import trouble

_OURS = {"local_files_only": True, "trust_remote_code": False}
# What the library raises of files that it can't read or make sense of.
_UNUSABLE = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError),
    SafetensorError,
)
_LONGEST_REASON = 300  # characters


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The library's model and processor, ready to be asked."""

    model: Any
    processor: Any
    context: int | None  # tokens that prompt and answer may have together; None: it doesn't say
    stops: frozenset[int]  # tokens that end an answer

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    @property
    def description(self) -> str:
        kind = str(self.model.dtype).removeprefix("torch.")
        return f"{type(self.model).__name__}, {kind}"


def load(folder: Path, dtype: str, device: str) -> Network:
    """Load in "auto" (as stored) or another dtype, to a device; "" means a GPU if one is there.

    Raises CannotLoad, OutOfDeviceMemory.
    """
    if reason := trouble(folder):
        raise CannotLoad(reason)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if place.startswith("cuda") and not torch.cuda.is_available():
        raise CannotLoad(f"TRANSFORMERS_DEVICE is {device}, and PyTorch sees no GPU")
    try:
        processor = AutoProcessor.from_pretrained(folder, **_OURS)
        model, loaded = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **_OURS
        )
        _check_whole(loaded)
        model = model.to(place).eval()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfDeviceMemory(_reason(error)) from error
    except ImportError as error:
        raise CannotLoad(f"it needs a package that is missing: {_reason(error)}") from error
    except _UNUSABLE as error:
        raise CannotLoad(_reason(error)) from error
    if not hasattr(processor, "image_processor"):
        raise CannotLoad("its processor takes no pictures")
    _prepare_tokenizer(processor.tokenizer)
    stops = _stops(model, processor.tokenizer)
    pad = processor.tokenizer.pad_token_id
    # What its authors chose to sample by gives way to the job's: see rows.py.
    model.generation_config = GenerationConfig(eos_token_id=sorted(stops), pad_token_id=pad)
    return Network(model, processor, _context(model), stops)


def _check_whole(loaded: dict[str, Any]) -> None:
    """Refuse what the library would fill with random numbers, and only warn of."""
    for lack in ("missing_keys", "mismatched_keys"):
        if names := sorted(map(str, loaded.get(lack, ()))):
            kind = lack.removesuffix("_keys")
            raise CannotLoad(f"{len(names)} of its weights are {kind}, such as {names[0][:100]}")


def _prepare_tokenizer(tokenizer: Any) -> None:
    tokenizer.padding_side = "left"  # so that all rows of a batch go on at the same place
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise CannotLoad("its tokenizer has neither a token for padding nor one for the end")
        tokenizer.pad_token = tokenizer.eos_token


def _stops(model: Any, tokenizer: Any) -> frozenset[int]:
    named = model.generation_config.eos_token_id
    listed = named if isinstance(named, list) else [named]
    return frozenset(token for token in [*listed, tokenizer.eos_token_id] if token is not None)


def _context(model: Any) -> int | None:
    length = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return length if isinstance(length, int) and length > 0 else None


def _reason(error: BaseException) -> str:
    """Return the library's first words: they can be pages."""
    words = " ".join(str(error).split())
    return (words[:_LONGEST_REASON] or type(error).__name__).rstrip(".")
