"""The decoder: a Qwen3, with `prefill` and `decode_step` as twins over a slot cache.

Knows vectors and positions, no text and no pictures.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.minicpm.cache import KVCache
from worker.minicpm.config import LanguageConfig
from worker.minicpm.rotary import rotate


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = config.heads, config.kv_heads, config.head_dim
        width = (config.heads + 2 * config.kv_heads) * config.head_dim
        self.qkv_proj = nn.Linear(config.hidden_size, width, bias=False)
        self.o_proj = nn.Linear(config.heads * config.head_dim, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(config.head_dim, config.norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.norm_eps)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(…, hidden) → queries (…, heads, D), keys and values (…, kv heads, D), turned."""
        heads = self.qkv_proj(x).unflatten(-1, (-1, self.head_dim))
        q, k, v = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=-2)
        q = rotate(self.q_norm(q), cos, sin)
        k = rotate(self.k_norm(k), cos, sin)
        return q, k, v

    def join(self, mixed: Tensor) -> Tensor:  # (…, heads · D) → (…, hidden)
        out: Tensor = self.o_proj(mixed)
        return out


class Mlp(nn.Module):
    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        out: Tensor = self.down_proj(F.silu(gate) * up)
        return out


class DecoderLayer(nn.Module):
    def __init__(self, config: LanguageConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.input_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.mlp = Mlp(config)

    def prefill(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache, slots: Tensor) -> Tensor:
        """(B, L, hidden) → the same, with keys and values put into `slots` (B,)."""
        q, k, v = self.self_attn.project(self.input_layernorm(x), cos, sin)
        q, k, v = (heads.transpose(1, 2) for heads in (q, k, v))  # (B, heads, L, D)
        cache.fill(self.index, slots, k, v)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self._finish(x, mixed.transpose(1, 2).flatten(-2))

    def decode_step(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache, lengths: Tensor, seen: Tensor
    ) -> Tensor:
        """(B, hidden) → the same; row i is in slot i. `seen` (B, 1, 1, span) masks positions."""
        q, k, v = self.self_attn.project(self.input_layernorm(x), cos, sin)
        cache.append(self.index, lengths, k, v)
        rows, span = len(x), seen.shape[-1]
        mixed = F.scaled_dot_product_attention(
            q.unflatten(1, (k.shape[1], -1)),  # the queries of one kv head stand in for positions
            cache.keys[self.index, :rows, :, :span],
            cache.values[self.index, :rows, :, :span],
            attn_mask=seen,
        )
        return self._finish(x, mixed.flatten(1))

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.self_attn.join(mixed)
        return x + self.mlp(self.post_attention_layernorm(x))


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
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def embed(self, ids: Tensor) -> Tensor:
        """(…) ids → (…, hidden), on the network's device, wherever the table is."""
        table = self.model.embed_tokens.weight
        return F.embedding(ids.to(table.device), table).to(self.model.norm.weight.device)

    def prefill(self, x: Tensor, lengths: Tensor, cache: KVCache, slots: Tensor) -> Tensor:
        """Read prompts (B, L, hidden), padded on the right to L; return (B, V) of their ends.

        Causal attention never looks to the right, so padding needs no mask.
        """
        cos, sin = (table[: x.shape[1], None] for table in (cache.cos, cache.sin))  # (L, 1, D)
        for layer in self._layers():
            x = layer.prefill(x, cos, sin, cache, slots)
        last = x[torch.arange(len(x), device=x.device), lengths - 1]  # (B, hidden)
        return self._score(last)

    def decode_step(self, x: Tensor, lengths: Tensor, cache: KVCache, span: int) -> Tensor:
        """Read one token more for the slots 0 … B-1; return (B, V).

        `x` is (B, hidden), `lengths` (B,) what each slot holds before; all are under `span`.
        """
        cos, sin = (table[lengths][:, None] for table in (cache.cos, cache.sin))  # (B, 1, D)
        seen = torch.arange(span, device=x.device) <= lengths[:, None]
        for layer in self._layers():
            x = layer.decode_step(x, cos, sin, cache, lengths, seen[:, None, None])
        return self._score(x)

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.model.layers if isinstance(layer, DecoderLayer)]

    def _score(self, x: Tensor) -> Tensor:  # (B, hidden) → (B, V) float32
        scores: Tensor = self.lm_head(self.model.norm(x))
        return scores.float()
