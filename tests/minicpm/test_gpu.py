"""What only a GPU can show: parity there, recorded steps, our Triton kernels in place."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from bench.parity import CHECKPOINTS, compare
from worker.minicpm import Message, PromptStyle, Request, Sampling, load
from worker.minicpm.batch import Batch
from worker.minicpm.config import read_config
from worker.minicpm.graphs import Step
from worker.minicpm.host_table import lend, new_table
from worker.minicpm.preprocess import Picture, to_patches
from worker.minicpm.prompt import EncodedPrompt, PromptEncoder
from worker.minicpm.tokenizer import TextTokenizer
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
@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_recorded_steps_write_what_direct_ones_write(
    fixtures: Path, checkpoint: str, penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rows in a recording of four; one leaves and another joins in between."""
    path = fixtures / checkpoint
    network = load_network(path, read_config(path), GPU, torch.float32)
    rule = Sampling(max_new_tokens=20, repetition_penalty=penalty)

    def write() -> list[list[int]]:
        batch = Batch(network, frozenset(), slots=3, room=300)
        rows = [*batch.admit([EncodedPrompt((1, 2, n), ()) for n in range(3, 6)], [rule] * 3)]
        for _ in range(5):
            batch.step()
        batch.release(rows[1])
        rows += batch.admit([EncodedPrompt((9, 8), ())], [rule])
        while batch.step():
            pass
        batch.collect()
        return [row.tokens for row in rows]

    recorded = write()
    monkeypatch.setattr("worker.minicpm.batch.Graphs", _Direct)
    assert recorded == write()
    assert [len(tokens) for tokens in recorded] == [20, 0, 20, 20]


def test_a_recorded_look_sees_what_a_direct_one_sees(
    fixtures: Path, picture: Callable[..., Picture]
) -> None:
    """The second and third time; other views, and two grids in turn."""
    path = fixtures / "bf16"
    network = load_network(path, read_config(path), GPU, torch.float32)
    encoder = PromptEncoder(TextTokenizer(path), network.config.picture)
    with torch.inference_mode():
        for turn in range(3):
            shapes = [(64, 36), (64, 36), (40, 60), (64, 36)]
            pictures = [picture(4 * turn + i, *shape) for i, shape in enumerate(shapes)]
            prompt = encoder.encode([Message("user", (*pictures, "?"))], PromptStyle(), 2000)
            seen = network.look(prompt.views)
            for view, vectors in zip(prompt.views, seen, strict=True):
                direct = network.see(to_patches([view], GPU), view.grid)[0]
                torch.testing.assert_close(vectors, direct, atol=2e-5, rtol=0)


def test_a_recorded_look_keeps_what_it_reads(
    fixtures: Path, picture: Callable[..., Picture]
) -> None:
    """Many other grids are seen, and memory written to, between two looks."""
    path = fixtures / "bf16"
    network = load_network(path, read_config(path), GPU, torch.float32)
    encoder = PromptEncoder(TextTokenizer(path), network.config.picture)

    def look(shape: tuple[int, int]) -> torch.Tensor:
        message = Message("user", (picture(1, *shape), "?"))
        return network.look(encoder.encode([message], PromptStyle(), 2000).views)

    with torch.inference_mode():
        direct = look((64, 36))
        look((64, 36))  # is recorded
        for width in range(30, 150, 6):
            look((width, 60))
        rubbish = [torch.full((2**n,), float("nan"), device=GPU) for n in range(10, 24)]
        torch.testing.assert_close(look((64, 36)), direct, atol=2e-5, rtol=0)
        del rubbish


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_lent_table_is_read_where_it_lies(dtype: torch.dtype) -> None:
    """Also by a recording, and what is written on the host later is seen."""
    table = new_table(torch.Size((300, 64)), dtype)
    table.copy_(torch.randn(300, 64))
    before = torch.cuda.memory_allocated(GPU)
    lent = lend(table, GPU)
    assert torch.cuda.memory_allocated(GPU) == before
    ids = torch.tensor([3, 299, 0], device=GPU)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = torch.nn.functional.embedding(ids, lent)
    table[299] = 7
    graph.replay()
    assert torch.equal(found.cpu(), table[[3, 299, 0]])


class _Direct:
    """Does a step where Graphs would replay it."""

    def __init__(self, step: Step, spare: int, device: torch.device) -> None:
        self._step = step

    def __call__(self, slots: torch.Tensor) -> torch.Tensor:
        return self._step(slots.to(GPU))


def test_an_engine_answers(fixtures: Path, picture: Callable[..., Picture]) -> None:
    rule = Sampling(max_new_tokens=20, min_new_tokens=20)
    request = Request([Message("user", (picture(1), picture(2), "What?"))], rule)
    with load(fixtures / "awq", GPU, slots=2, room=512) as engine:
        reply = engine.comment(request)
    assert reply.tokens_out == 20
