"""The decoder: a Qwen3, with `prefill` and `decode_step` as twins over a slot cache.

Knows vectors and positions, no text and no pictures.
"""

from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.minicpm.attention import attend_prompts, attend_step
from worker.minicpm.cache import KVCache, Pieces
from worker.minicpm.config import LanguageConfig
from worker.minicpm.linear import Linear
from worker.minicpm.megakernel import Megakernel
from worker.minicpm.pointwise import add_rms_norm, rotate_and_store, silu_mul


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(width))


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        width = (config.heads + 2 * config.kv_heads) * config.head_dim
        self.qkv_proj = Linear(config.hidden_size, width)
        self.o_proj = Linear(config.heads * config.head_dim, config.hidden_size)
        self.q_norm = RMSNorm(config.head_dim, config.norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.norm_eps)


class Mlp(nn.Module):
    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.gate_up_proj = Linear(config.hidden_size, 2 * config.intermediate_size)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(silu_mul(self.gate_up_proj(x)))
        return out


class DecoderLayer(nn.Module):
    """Takes and returns the residual stream and what is still to be added to it, (T, hidden) each."""

    def __init__(self, config: LanguageConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.input_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.mlp = Mlp(config)

    def prefill(
        self, x: Tensor, update: Tensor | None, cache: KVCache, pieces: Pieces
    ) -> tuple[Tensor, Tensor]:
        """Read packed pieces of prompts; their keys and values go into the cache."""
        x, q = self._begin(x, update, cache, pieces.token_slots, pieces.positions)
        keys, values = cache.keys[self.index], cache.values[self.index]
        mixed = attend_prompts(
            q, keys, values, pieces.slots, pieces.starts, pieces.before, pieces.longest
        )
        return self._finish(x, mixed)

    def decode_step(
        self, x: Tensor, update: Tensor | None, cache: KVCache, slots: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read one token more per row: row i's stands behind the lengths[i] of slot slots[i]."""
        x, q = self._begin(x, update, cache, slots, lengths)
        keys, values = cache.keys[self.index], cache.values[self.index]
        return self._finish(x, attend_step(q, keys, values, slots, lengths + 1))

    def _begin(
        self,
        x: Tensor,
        update: Tensor | None,
        cache: KVCache,
        slots: Tensor,
        positions: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the stream and the queries (T, heads, D); store keys and values."""
        norm, attn = self.input_layernorm, self.self_attn
        x, normed = add_rms_norm(x, update, norm.weight, norm.eps)
        q = rotate_and_store(
            attn.qkv_proj(normed),
            attn.q_norm.weight, attn.k_norm.weight, attn.q_norm.eps,
            cache.cos, cache.sin, positions, slots,
            cache.keys[self.index], cache.values[self.index],
        )  # fmt: skip
        return x, q

    def _finish(self, x: Tensor, mixed: Tensor) -> tuple[Tensor, Tensor]:
        norm = self.post_attention_layernorm
        x, normed = add_rms_norm(x, self.self_attn.o_proj(mixed), norm.weight, norm.eps)
        return x, self.mlp(normed)


class Decoder(nn.Module):
    """Named as in the checkpoint: embedding, layers, norm."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config, i) for i in range(config.layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)


class LanguageModel(nn.Module):
    """Vectors in, scores over the vocabulary out."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.model = Decoder(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size)

    def embed(self, ids: Tensor) -> Tensor:  # (…) → (…, hidden)
        return F.embedding(ids, self.model.embed_tokens.weight)

    def prefill(self, x: Tensor, cache: KVCache, pieces: Pieces) -> Tensor:
        """Read packed pieces (T, hidden) of prompts; return the scores (R, V) of their ends."""
        update = None
        for layer in self._layers():
            x, update = layer.prefill(x, update, cache, pieces)
        assert update is not None
        return self._score(x[pieces.ends], update[pieces.ends])

    def decode_step(self, x: Tensor, slots: Tensor, lengths: Tensor, cache: KVCache) -> Tensor:
        """Read a token (B, hidden) more in each of `slots` (B,), which hold `lengths`; return (B, V)."""
        if self.megakernel is not None and self.megakernel.takes(len(x)):
            return self._score(*self.megakernel.decode_step(x, slots, lengths, cache))
        return self._score(*self.step_layers(x, slots, lengths, cache))

    def step_layers(
        self, x: Tensor, slots: Tensor, lengths: Tensor, cache: KVCache
    ) -> tuple[Tensor, Tensor]:
        """What `Megakernel.decode_step` does, by separate kernels."""
        update = None
        for layer in self._layers():
            x, update = layer.decode_step(x, update, cache, slots, lengths)
        assert update is not None
        return x, update

    @cached_property
    def megakernel(self) -> Megakernel | None:
        """Steps of few rows in one launch, where there is that. Ask only once the weights are packed."""
        return Megakernel.of(self._layers())

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.model.layers if isinstance(layer, DecoderLayer)]

    def _score(self, x: Tensor, update: Tensor) -> Tensor:  # (R, hidden) each → (R, V) float32
        norm = self.model.norm
        _, normed = add_rms_norm(x, update, norm.weight, norm.eps)
        scores: Tensor = self.lm_head(normed)
        return scores.float()
