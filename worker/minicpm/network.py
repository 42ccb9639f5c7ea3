"""The network: what pictures and token ids become. Built empty; the checkpoint fills it."""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from worker.minicpm.cache import KVCache
from worker.minicpm.config import Config
from worker.minicpm.language import LanguageModel
from worker.minicpm.preprocess import View, to_patches
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.resampler import Resampler
from worker.minicpm.vision import VisionTower

VIEWS_PER_PASS = 16  # bounds the tower's memory; without effect on its results


class Network(nn.Module):
    """Vision tower, resampler and decoder, named as in the checkpoint."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
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
            for start in range(0, len(places), VIEWS_PER_PASS):
                chunk = places[start : start + VIEWS_PER_PASS]
                patches = to_patches([views[i] for i in chunk], self.device).to(self.dtype)
                seen[chunk] = self.resampler(self.vpm(patches, grid), grid)
        return seen

    def prefill(
        self, prompts: Sequence[EncodedPrompt], seen: Tensor, cache: KVCache, slots: Sequence[int]
    ) -> Tensor:
        """Read whole prompts into cache slots; `seen` holds their views' vectors, in order.

        Returns the scores (B, V) of each prompt's next token.
        """
        lengths = torch.tensor([len(prompt.ids) for prompt in prompts])
        width = int(lengths.max())
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        starts = []
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt.ids)] = torch.tensor(prompt.ids)
            starts += [row * width + start for start in prompt.view_starts]
        x = self.llm.embed(ids)  # (B, L, hidden)
        places = torch.tensor(starts, dtype=torch.long)[:, None] + torch.arange(seen.shape[1])
        x.view(-1, x.shape[-1])[places.flatten().to(x.device)] = seen.flatten(0, 1)
        where = torch.tensor(slots, device=x.device)
        return self.llm.prefill(x, lengths.to(x.device), cache, where)

    def decode_step(self, tokens: Tensor, lengths: Tensor, cache: KVCache, span: int) -> Tensor:
        """Read token i (B,) into slot i, behind the `lengths[i]` it holds. Returns (B, V)."""
        return self.llm.decode_step(self.llm.embed(tokens), lengths, cache, span)
