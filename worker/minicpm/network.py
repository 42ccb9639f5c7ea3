"""The network: what pictures and token ids become. Built empty; the checkpoint fills it."""

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import torch
from torch import Tensor, nn

from worker.minicpm.cache import KVCache
from worker.minicpm.config import Config
from worker.minicpm.cuda_graphs import GraphCapturer
from worker.minicpm.language import LanguageModel
from worker.minicpm.packing import EmbeddingPlan, PackedPrompts
from worker.minicpm.preprocess import View, to_patches
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.resampler import Resampler
from worker.minicpm.transfer import upload
from worker.minicpm.vision import Grid, VisionTower
from worker.minicpm.vision_graphs import See, VisionGraphs, portions


class Network(nn.Module):
    """Vision tower, resampler and decoder, named as in the checkpoint."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.views_per_pass = 16  # bounds the tower's memory; without effect on its results
        self.vpm = VisionTower(config.vision)
        self.resampler = Resampler(
            config.resampler.queries,
            config.language.hidden_size,
            config.resampler.heads,
            config.vision.hidden_size,
        )
        self.llm = LanguageModel(config.language)

    @property
    def device(self) -> torch.device:
        return self.llm.model.norm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.llm.model.norm.weight.dtype

    def new_cache(self, slots: int, room: int) -> KVCache:
        """Make room for `slots` windows of up to `room` tokens, prompt and answer together."""
        return KVCache(self.config.language, slots, room, self.device, self.dtype)

    def look(self, views: Sequence[View]) -> Tensor:
        """Turn views, of any sizes, into vectors. (views, queries, hidden)"""
        shape = (len(views), self.config.resampler.queries, self.config.language.hidden_size)
        seen = torch.empty(shape, device=self.device, dtype=self.dtype)
        order = sorted(range(len(views)), key=lambda i: views[i].grid)
        for grid, same in groupby(order, key=lambda i: views[i].grid):
            places = list(same)
            for size in portions(len(places), self.views_per_pass):
                chunk, places = places[:size], places[size:]
                patches = to_patches([views[i] for i in chunk], self.device, self.dtype)
                vectors = self._see_by_graph(patches, grid)
                seen.index_copy_(0, upload(torch.tensor(chunk), self.device), vectors)
        return seen

    def see(self, patches: Tensor, grid: Grid) -> Tensor:
        """Patches (B, L, 3·P·P) of views of one grid → (B, queries, hidden)"""
        vectors: Tensor = self.resampler(self.vpm(patches, grid), grid)
        return vectors

    def remembered(self, grid: Grid) -> list[Tensor]:
        """The tensors that `see` reads and may forget later."""
        return [*self.vpm.remembered(grid), *self.resampler.remembered(grid)]

    @cached_property
    def _see_by_graph(self) -> See:
        if self.device.type != "cuda":
            return self.see
        return VisionGraphs(self.see, self.remembered, self.capturer)

    @cached_property
    def capturer(self) -> GraphCapturer:
        """Of all this network's work, on a GPU."""
        return GraphCapturer(self.device)

    def prefill(
        self,
        prompts: Sequence[EncodedPrompt],
        seen: Tensor,
        cache: KVCache,
        slots: Sequence[int],
        known: Sequence[int] | None = None,
    ) -> Tensor:
        """Read prompts into cache slots; `seen` holds their views' vectors, in order.

        The first known[i] tokens of prompt i, all before its first view, are in the cache already.
        Returns the scores (B, V) of each prompt's next token.
        """
        queries = self.config.resampler.queries
        packed = PackedPrompts.pack(prompts, slots, known or [0] * len(prompts), queries)
        pieces, plan = packed.read(upload(packed.numbers, self.device))
        shape = len(pieces.positions), self.config.language.hidden_size
        x = torch.empty(shape, device=self.device, dtype=self.dtype)
        self.embed(x, plan, seen)
        return self.llm.prefill(x, cache, pieces)

    def embed(self, x: Tensor, plan: EmbeddingPlan, seen: Tensor) -> None:
        """Fill x (T, hidden) with the vectors of words, and of views (views, queries, hidden).

        No vector of a place is looked up: on a GPU the table is at the far end of a bus.
        """
        x.index_copy_(0, plan.words, self.llm.embed(plan.ids))
        if len(seen):
            x.index_copy_(0, plan.places, seen.flatten(0, 1))

    def decode_step(self, tokens: Tensor, slots: Tensor, lengths: Tensor, cache: KVCache) -> Tensor:
        """Read token i (B,) into slot slots[i], behind the lengths[i] it holds. Returns (B, V)."""
        return self.llm.decode_step(self.llm.embed(tokens), slots, lengths, cache)
