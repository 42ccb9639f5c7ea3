"""What only a GPU can show: parity there, recorded steps, our Triton kernels in place."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from bench.parity import CHECKPOINTS, compare
from worker.minicpm import Message, Request, Sampling, load
from worker.minicpm.config import read_config
from worker.minicpm.graphs import DecodeGraphs
from worker.minicpm.preprocess import Picture
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.weights import load_network

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
GPU = torch.device("cuda:0")


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_recorded_case_is_met(fixtures: Path, checkpoint: str, dtype: torch.dtype) -> None:
    assert compare(fixtures, checkpoint, GPU, dtype, None).failures(dtype) == []


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_recorded_steps_equal_direct_ones(fixtures: Path, checkpoint: str) -> None:
    path = fixtures / checkpoint
    network = load_network(path, read_config(path), GPU, torch.float32)
    with torch.inference_mode():
        caches = [network.new_cache(4, 300) for _ in range(2)]
        for cache in caches:
            network.prefill([EncodedPrompt((1, 2, 3), ())] * 3, network.look([]), cache, [0, 1, 2])
        graphs = DecodeGraphs(network, caches[0])
        for length in range(3, 9):
            tokens = torch.tensor([length, 7, 9], device=GPU)
            lengths = torch.full((3,), length, device=GPU)
            recorded = graphs.decode_step(tokens, lengths, 128)
            direct = network.decode_step(tokens, lengths, caches[1], 128)
            torch.testing.assert_close(recorded, direct, atol=2e-5, rtol=0)


@pytest.mark.parametrize("embedding_on_host", [False, True])
def test_an_engine_answers(
    fixtures: Path, picture: Callable[..., Picture], embedding_on_host: bool
) -> None:
    rule = Sampling(max_new_tokens=20, min_new_tokens=20)
    request = Request([Message("user", (picture(1), picture(2), "What?"))], rule)
    with load(
        fixtures / "awq", GPU, slots=2, room=512, embedding_on_host=embedding_on_host
    ) as engine:
        reply = engine.comment(request)
    assert reply.tokens_out == 20
