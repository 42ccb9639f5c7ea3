"""Checkpoints for the doctor: the tiny ones, and one that has learned English by construction."""

import math
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[1] / "minicpm" / "fixtures"
MODEL = "openbmb/MiniCPM-o-4_5-awq"
LOUD = 1000.0  # so that the layers, which are random, can't drown a token's own vector


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data folder that holds the tiny AWQ checkpoint where MODEL_PATH looks for it."""
    shutil.copytree(FIXTURES / "awq", tmp_path / "data" / "models" / MODEL)
    return tmp_path / "data"


@pytest.fixture
def learned(tmp_path: Path) -> Callable[..., Path]:
    """Make a checkpoint that knows which letter follows which in the doctor's sentence.

    It pays no heed to pictures. `garbled` mixes up the rows of its last matrix.
    """
    torch = pytest.importorskip("torch", reason="writes tensors")
    from safetensors.torch import load_file, save_file

    from doctor.model import SENTENCE
    from worker.minicpm.tokenizer import TextTokenizer

    def make(garbled: bool = False) -> Path:
        folder = tmp_path / "learned"
        shutil.copytree(FIXTURES / "bf16", folder)
        tokenizer = TextTokenizer(folder)
        ids = [tokenizer.token("<|endoftext|>"), *tokenizer.encode(SENTENCE)]
        follows = Counter(pairwise(ids))
        tensors = {shard: load_file(shard) for shard in folder.glob("*.safetensors")}
        every = {name: tensor for part in tensors.values() for name, tensor in part.items()}
        embedding, head = every["llm.model.embed_tokens.weight"], every["llm.lm_head.weight"]
        scale = every["llm.model.norm.weight"].float()
        axes = torch.eye(embedding.shape[1])
        head.zero_()
        for axis, first in zip(axes, sorted(set(ids)), strict=False):
            embedding[first] = (LOUD * axis).to(embedding.dtype)
            chances = torch.full((len(head),), 1e-6)
            for (before, after), count in follows.items():
                if before == first:
                    chances[after] += count
            scores = (chances / chances.sum()).log() + math.log(len(head))
            readout = axis / scale / math.sqrt(len(axis))
            head += torch.outer(scores, readout).to(head.dtype)
        if garbled:
            head.copy_(head.roll(1, dims=0))
        for shard, part in tensors.items():
            save_file(part, shard, {"format": "pt"})
        return folder

    return make
