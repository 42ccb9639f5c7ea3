"""The checkpoint's config.json as frozen facts. Knows no tensors."""

import json
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from worker.minicpm.errors import CheckpointError

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
QUERIES = 64  # vectors that stand for a view, as prompts lay them out


@dataclass(frozen=True, slots=True)
class LanguageConfig:
    """The decoder: a Qwen3."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    context: int  # positions it was made for
    norm_eps: float
    rope_theta: float


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """The vision tower: a SigLIP without a pooling head."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    patch_size: int  # pixels
    positions: int  # cells along each side of the position table
    drop_last_layer: bool


@dataclass(frozen=True, slots=True)
class ResamplerConfig:
    """What turns the patches of one view into a fixed number of vectors."""

    queries: int
    heads: int


@dataclass(frozen=True, slots=True)
class PictureConfig:
    """How a picture is cut and resized."""

    resolution: int  # pixels: a view has about resolution² of them
    patch_size: int  # pixels


@dataclass(frozen=True, slots=True)
class Config:
    language: LanguageConfig
    vision: VisionConfig
    resampler: ResamplerConfig
    picture: PictureConfig
    dtype: torch.dtype  # in which the checkpoint says it was made


def read_config(folder: Path) -> Config:
    """Read config.json in either dialect.

    Raises CheckpointError where it is missing, unreadable, or of another network.
    """
    path = folder / "config.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} holds no config.json, so no checkpoint") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    try:
        return parse_config(raw)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def parse_config(raw: Mapping[str, Any]) -> Config:
    _check_family(raw)
    _check_quantisation(raw)
    language = _language(raw)
    return Config(
        language=language,
        vision=_vision(raw),
        resampler=ResamplerConfig(_queries(raw), _resampler_heads(language)),
        picture=_picture(raw),
        dtype=_dtype(raw),
    )


def _check_family(raw: Mapping[str, Any]) -> None:
    family, version = raw.get("model_type"), str(raw.get("version", "4.5"))
    if family != "minicpmo":
        raise CheckpointError(
            f"it describes the network {family!r}, not MiniCPM-o 4.5 ('minicpmo')"
        )
    if version != "4.5":
        raise CheckpointError(f"it is MiniCPM-o {version}; only 4.5 can be run")
    if raw.get("attention_bias"):
        raise CheckpointError("attention_bias is set, which MiniCPM-o 4.5 does not have")
    if raw.get("hidden_act", "silu") != "silu":
        raise CheckpointError(f"the activation {raw['hidden_act']!r} is not known, only 'silu'")


def _language(raw: Mapping[str, Any]) -> LanguageConfig:
    heads = _whole(raw, "num_attention_heads")
    hidden = _whole(raw, "hidden_size")
    return LanguageConfig(
        hidden_size=hidden,
        intermediate_size=_whole(raw, "intermediate_size"),
        layers=_whole(raw, "num_hidden_layers"),
        heads=heads,
        kv_heads=_whole(raw, "num_key_value_heads"),
        head_dim=_whole(raw, "head_dim", hidden // heads),
        vocab_size=_whole(raw, "vocab_size"),
        context=_whole(raw, "max_position_embeddings", 40960),
        norm_eps=_real(raw, "rms_norm_eps", 1e-6),
        rope_theta=_rope_theta(raw),
    )


def _rope_theta(raw: Mapping[str, Any]) -> float:
    """Either `rope_theta` beside `rope_scaling`, or both inside `rope_parameters`."""
    rope = _section(raw, "rope_parameters") or _section(raw, "rope_scaling")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise CheckpointError(f"rotary positions of type {kind!r} are not known, only 'default'")
    return _real(rope, "rope_theta", _real(raw, "rope_theta", 1e6))


def _vision(raw: Mapping[str, Any]) -> VisionConfig:
    vision = _section(raw, "vision_config")
    if vision.get("model_type", "siglip") not in ("siglip", "siglip_vision_model"):
        raise CheckpointError(f"the vision tower {vision['model_type']!r} is not known")
    patch = _whole(vision, "patch_size", 14, "vision_config.")
    return VisionConfig(
        hidden_size=_whole(vision, "hidden_size", 1152, "vision_config."),
        intermediate_size=_whole(vision, "intermediate_size", 4304, "vision_config."),
        layers=_whole(vision, "num_hidden_layers", 27, "vision_config."),
        heads=_whole(vision, "num_attention_heads", 16, "vision_config."),
        patch_size=patch,
        positions=_whole(vision, "image_size", 980, "vision_config.") // patch,
        drop_last_layer=bool(raw.get("drop_vision_last_layer", False)),
    )


def _picture(raw: Mapping[str, Any]) -> PictureConfig:
    slices = _section(raw, "slice_config")
    return PictureConfig(
        resolution=_whole(
            slices, "scale_resolution", _whole(raw, "image_size", 448), "slice_config."
        ),
        patch_size=_whole(slices, "patch_size", 14, "slice_config."),
    )


def _resampler_heads(language: LanguageConfig) -> int:
    return language.hidden_size // 128


def _dtype(raw: Mapping[str, Any]) -> torch.dtype:
    name = str(raw.get("dtype") or raw.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    if name not in DTYPES:
        raise CheckpointError(f"the dtype {name!r} is not known, only {', '.join(DTYPES)}")
    return DTYPES[name]


def _queries(raw: Mapping[str, Any]) -> int:
    queries = _whole(raw, "query_num", QUERIES)
    if queries != QUERIES:
        raise CheckpointError(f"query_num is {queries}; only {QUERIES} vectors a view can be run")
    return queries


def _check_quantisation(raw: Mapping[str, Any]) -> None:
    """Refuse what isn't AWQ; which Linears are quantised is read off the tensors."""
    quantisation = _section(raw, "quantization_config")
    if not quantisation:
        return
    method, version = quantisation.get("quant_method"), quantisation.get("version", "gemm")
    bits = quantisation.get("bits", quantisation.get("w_bit"))
    if method != "awq" or str(version).lower() != "gemm" or bits != 4:
        raise CheckpointError(
            f"quantised as {method} {version} with {bits} bits, not as AWQ gemm with 4"
        )


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object inside the config; null means that it is missing."""
    value = raw.get(key)
    if value is not None and not isinstance(value, dict):
        raise CheckpointError(f"{key} should be an object and is {reprlib.repr(value)}")
    return value or {}


def _whole(
    values: Mapping[str, Any], key: str, default: int | None = None, section: str = ""
) -> int:
    """Read a positive whole number; null means that it is missing."""
    value = default if values.get(key) is None else values[key]
    if type(value) is not int or value <= 0:
        raise CheckpointError(
            f"{section}{key} should be a positive whole number and is {reprlib.repr(value)}"
        )
    return value


def _real(values: Mapping[str, Any], key: str, default: float) -> float:
    """Read a positive number; null means that it is missing."""
    value = default if values.get(key) is None else values[key]
    if type(value) not in (int, float) or not 0 < value <= sys.float_info.max:
        raise CheckpointError(f"{key} should be a positive number and is {reprlib.repr(value)}")
    return float(value)
