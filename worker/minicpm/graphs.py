"""Decode steps recorded as CUDA graphs: replaying one spares the launch of a thousand kernels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.minicpm.cache import KVCache
from worker.minicpm.network import Network


@dataclass(frozen=True, slots=True)
class Recording:
    """A graph and the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    x: Tensor  # (rows, hidden)
    lengths: Tensor  # (rows,)
    scores: Tensor  # (rows, V); the next replay overwrites it


class DecodeGraphs:
    """`Network.decode_step` for one cache, recorded on first use per number of rows and span."""

    def __init__(self, network: Network, cache: KVCache) -> None:
        self._network, self._cache = network, cache
        self._recordings: dict[tuple[int, int], Recording] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def decode_step(self, tokens: Tensor, lengths: Tensor, span: int) -> Tensor:
        """Read token i (B,) into slot i, behind the `lengths[i]` it holds. Returns (B, V).

        Rows are filled up to a power of two; what is written for them lands in free slots.
        """
        rows = min(1 << (len(tokens) - 1).bit_length(), self._cache.slots)
        x = self._network.llm.embed(tokens)
        recording = self._recordings.get((rows, span))
        if recording is None:
            recording = self._new_recording(rows, x)
            self._fill(recording, x, lengths)
            recording = self._recordings[rows, span] = self._record(recording, span)
        self._fill(recording, x, lengths)
        recording.graph.replay()
        return recording.scores[: len(tokens)]

    def _new_recording(self, rows: int, x: Tensor) -> Recording:
        return Recording(
            torch.cuda.CUDAGraph(),
            torch.zeros(rows, x.shape[1], device=x.device, dtype=x.dtype),
            torch.zeros(rows, device=x.device, dtype=torch.long),
            torch.empty(0),
        )

    def _fill(self, recording: Recording, x: Tensor, lengths: Tensor) -> None:
        recording.x[: len(x)] = x
        recording.lengths.zero_()
        recording.lengths[: len(x)] = lengths

    def _record(self, empty: Recording, span: int) -> Recording:
        """Run once, so that kernels are compiled and chosen, then record.

        The run writes the very keys and values that the first replay will write again.
        """
        side = torch.cuda.Stream(empty.x.device)
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._decode(empty, span)
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(empty.graph, pool=self._pool, capture_error_mode="thread_local"):
            scores = self._decode(empty, span)
        return Recording(empty.graph, empty.x, empty.lengths, scores)

    def _decode(self, inputs: Recording, span: int) -> Tensor:
        return self._network.llm.decode_step(inputs.x, inputs.lengths, self._cache, span)
