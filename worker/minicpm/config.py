"""The checkpoint's config.json as frozen facts. Knows no tensors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from worker.minicpm.errors import CheckpointError

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


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
    max_slices: int  # most slices of one picture, besides its overview


@dataclass(frozen=True, slots=True)
class Config:
    language: LanguageConfig
    vision: VisionConfig
    resampler: ResamplerConfig
    picture: PictureConfig
    dtype: torch.dtype  # in which the checkpoint says it was made
    quantised: bool  # the config speaks of AWQ; which Linears are is read off the tensors


def read_config(folder: Path) -> Config:
    """Read config.json in either dialect.

    Raises CheckpointError where it is missing, unreadable, or of another network.
    """
    path = folder / "config.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} holds no config.json, so no checkpoint") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    try:
        return parse_config(raw)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def parse_config(raw: Mapping[str, Any]) -> Config:
    _check_family(raw)
    language = _language(raw)
    return Config(
        language=language,
        vision=_vision(raw),
        resampler=ResamplerConfig(int(raw.get("query_num", 64)), _resampler_heads(language)),
        picture=_picture(raw),
        dtype=_dtype(raw),
        quantised=_is_awq(raw),
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
        head_dim=int(raw.get("head_dim") or hidden // heads),
        vocab_size=_whole(raw, "vocab_size"),
        context=int(raw.get("max_position_embeddings", 40960)),
        norm_eps=float(raw.get("rms_norm_eps", 1e-6)),
        rope_theta=_rope_theta(raw),
    )


def _rope_theta(raw: Mapping[str, Any]) -> float:
    """Either `rope_theta` beside `rope_scaling`, or both inside `rope_parameters`."""
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise CheckpointError(f"rotary positions of type {kind!r} are not known, only 'default'")
    return float(rope.get("rope_theta", raw.get("rope_theta", 1e6)))


def _vision(raw: Mapping[str, Any]) -> VisionConfig:
    vision = raw.get("vision_config") or {}
    if vision.get("model_type", "siglip") not in ("siglip", "siglip_vision_model"):
        raise CheckpointError(f"the vision tower {vision['model_type']!r} is not known")
    patch = int(vision.get("patch_size", 14))
    return VisionConfig(
        hidden_size=int(vision.get("hidden_size", 1152)),
        intermediate_size=int(vision.get("intermediate_size", 4304)),
        layers=int(vision.get("num_hidden_layers", 27)),
        heads=int(vision.get("num_attention_heads", 16)),
        patch_size=patch,
        positions=int(vision.get("image_size", 980)) // patch,
        drop_last_layer=bool(raw.get("drop_vision_last_layer", False)),
    )


def _picture(raw: Mapping[str, Any]) -> PictureConfig:
    slices = raw.get("slice_config") or {}
    return PictureConfig(
        resolution=int(slices.get("scale_resolution", raw.get("image_size", 448))),
        patch_size=int(slices.get("patch_size", 14)),
        max_slices=int(slices.get("max_slice_nums", 9)),
    )


def _resampler_heads(language: LanguageConfig) -> int:
    return language.hidden_size // 128


def _dtype(raw: Mapping[str, Any]) -> torch.dtype:
    name = str(raw.get("dtype") or raw.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    if name not in DTYPES:
        raise CheckpointError(f"the dtype {name!r} is not known, only {', '.join(DTYPES)}")
    return DTYPES[name]


def _is_awq(raw: Mapping[str, Any]) -> bool:
    """Whether Linears are quantised. `modules_to_not_convert` is never asked: it may be null."""
    quantisation = raw.get("quantization_config")
    if not quantisation:
        return False
    method, version = quantisation.get("quant_method"), quantisation.get("version", "gemm")
    bits = quantisation.get("bits", quantisation.get("w_bit"))
    if method != "awq" or str(version).lower() != "gemm" or bits != 4:
        raise CheckpointError(
            f"quantised as {method} {version} with {bits} bits, not as AWQ gemm with 4"
        )
    return True


def _whole(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    if not isinstance(value, int) or value <= 0:
        raise CheckpointError(f"{key} should be a positive whole number and is {value!r}")
    return value
