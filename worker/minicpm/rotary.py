"""Rotary positions: each pair of a head's numbers is turned by an angle that grows with position."""

import torch
from torch import Tensor

from worker.minicpm.config import LanguageConfig


def rotary_table(config: LanguageConfig, positions: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position. Each (positions, head_dim) float32, CPU."""
    steps = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    angles = torch.arange(positions, dtype=torch.float32)[:, None] / config.rope_theta**steps
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) of x (…, D) by its position's angle, in float32."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    return (x * cos + turned * sin).to(x.dtype)
