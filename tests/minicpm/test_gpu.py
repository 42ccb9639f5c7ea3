"""What only a GPU can show: parity there, captured steps, our Triton kernels in place."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from bench.parity import CHECKPOINTS, compare
from worker.minicpm import Message, PromptStyle, Request, Sampling, load
from worker.minicpm.batch import Batch
from worker.minicpm.config import read_config
from worker.minicpm.cuda_graphs import Step
from worker.minicpm.host_table import lend, new_table
from worker.minicpm.memory_plan import FAST
from worker.minicpm.network import Network
from worker.minicpm.prefill_graphs import TOKENS, PrefillGraphs
from worker.minicpm.preprocess import Picture, to_patches
from worker.minicpm.prompt import EncodedPrompt, PromptEncoder
from worker.minicpm.tokenizer import TextTokenizer
from worker.minicpm.warming import _answer
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
def test_captured_steps_write_what_direct_ones_write(
    fixtures: Path, checkpoint: str, penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rows in a graph of four; one leaves and another joins in between."""
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

    captured = write()
    monkeypatch.setattr("worker.minicpm.batch.DecodeGraphs", _Direct)
    assert captured == write()
    assert [len(tokens) for tokens in captured] == [20, 0, 20, 20]


def windows(path: Path, network: Network, picture: Callable[..., Picture]) -> list[EncodedPrompt]:
    """Of pictures of two shapes and of words alone; all begin alike."""
    encoder = PromptEncoder(TextTokenizer(path), network.config.picture)
    system = Message("system", ("Say what is new in one sentence, and nothing else.",))
    contents: list[tuple[str | Picture, ...]] = [
        (picture(1), "What is new?"),
        (picture(2), picture(3, 40, 60), "Before: nothing. What is new?"),
        ("Tell me what was new. " * 3,),
    ]
    return [
        encoder.encode([system, Message("user", parts)], PromptStyle(), 2000) for parts in contents
    ]


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_captured_prefill_does_what_a_direct_one_does(
    fixtures: Path, checkpoint: str, dtype: torch.dtype, picture: Callable[..., Picture]
) -> None:
    """One prompt, three, and one behind a known beginning; each is read, captured and replayed.

    Used memory is full of rubbish, and no other slot is written to.
    """
    path = fixtures / checkpoint
    network = load_network(path, read_config(path), GPU, dtype)
    atol, rtol = (1e-4, 0.0) if dtype == torch.float32 else (0.1, 0.05)
    some = windows(path, network, picture)
    with torch.inference_mode():
        ours, theirs = (network.new_cache(6, 300) for _ in range(2))
        prefill = PrefillGraphs(network, ours, 5, 512)
        for prompts, slots, known in (
            (some[:1], [3], [0]), (some, [2, 0, 1], [0, 0, 0]), (some[1:2], [2], [0]),
            (some[:1], [2], [20]), (some[::-1], [0, 1, 3], [4, 5, 20]),
        ):  # fmt: skip
            seen = network.look([view for prompt in prompts for view in prompt.views])
            for skip, prompt, slot in zip(known, prompts, slots, strict=True):
                if skip:
                    start = [EncodedPrompt(prompt.ids[:skip], ())]
                    for cache in (ours, theirs):
                        network.prefill(start, seen[:0], cache, [slot])
            wanted = network.prefill(prompts, seen, theirs, slots, known)
            untouched = ours.both[:, :, 4].clone()
            for _ in range(3):
                prefill._x.fill_(torch.nan)
                rubbish = [torch.full((2**n,), torch.nan, device=GPU) for n in range(10, 24)]
                del rubbish
                scores = prefill(prompts, seen, slots, known)
                torch.testing.assert_close(scores, wanted, atol=atol, rtol=rtol)
            for prompt, slot in zip(prompts, slots, strict=True):
                held, right = (
                    cache.both[:, :, slot, :, : len(prompt.ids)] for cache in (ours, theirs)
                )
                torch.testing.assert_close(held, right, atol=atol, rtol=rtol)
            assert torch.equal(ours.both[:, :, 4], untouched)
        assert len(prefill._captured) > 1


@pytest.mark.parametrize("tokens", [150, 8192])  # in a pass each, and all in one
def test_what_is_captured_shares_its_memory_and_answers_as_if_it_were_not(
    fixtures: Path, picture: Callable[..., Picture], tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefill, looks and steps in turn, three times; other rows are being written meanwhile."""
    path = fixtures / "bf16"
    rule = Sampling(max_new_tokens=8, repetition_penalty=1.1)

    def answer(captured: int) -> list[list[int]]:
        network = load_network(path, read_config(path), GPU, torch.float32)
        if not captured:
            network.__dict__["_see_by_graph"] = network.see
        some = windows(path, network, picture)
        limits = replace(FAST, tokens=tokens, captured_tokens=captured, kept_views=1)
        batch = Batch(network, frozenset(), slots=7, room=300, limits=limits)
        while batch.prepare():
            pass
        rows = [*batch.admit([EncodedPrompt((1, 2, 3), ())], [Sampling(max_new_tokens=40)])]
        for _ in range(3):
            rows += batch.admit(some, [rule] * 3)
            for _ in range(7):
                batch.step()
            batch.collect()
            for row in rows[-3:]:
                batch.release(row)
        assert len(batch._prefill_graphs._captured) == sum(size <= captured for size in TOKENS)
        return [row.tokens for row in rows]

    captured = answer(512)
    monkeypatch.setattr("worker.minicpm.batch.DecodeGraphs", _Direct)
    assert captured == answer(0)
    assert [len(row) for row in captured] == [22, *[8] * 9]


def test_prefill_graphs_fit_into_the_memory_of_the_largest(fixtures: Path) -> None:
    path = fixtures / "bf16"
    network = load_network(path, read_config(path), GPU, torch.bfloat16)
    batch = Batch(network, frozenset(), slots=2, room=300)
    reserved = []
    more = True
    while more:
        more = batch.prepare()
        torch.cuda.empty_cache()
        reserved.append(torch.cuda.memory_reserved(GPU))
    assert len(reserved) == len(TOKENS)
    assert reserved[-1] - reserved[0] <= 24 << 20


def test_an_engine_is_warmed_up(fixtures: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "worker.minicpm.warming")
    with load(fixtures / "bf16", GPU, slots=2, room=2048) as engine:
        _answer(engine)
        assert len(engine._batch._prefill_graphs._captured) == len(TOKENS)
    assert caplog.messages == ["the network was warmed up"]


def test_a_captured_look_sees_what_a_direct_one_sees(
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


def test_a_captured_look_keeps_what_it_reads(
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
        look((64, 36))  # is captured
        for width in range(30, 150, 6):
            look((width, 60))
        rubbish = [torch.full((2**n,), float("nan"), device=GPU) for n in range(10, 24)]
        torch.testing.assert_close(look((64, 36)), direct, atol=2e-5, rtol=0)
        del rubbish


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_lent_table_is_read_where_it_lies(dtype: torch.dtype) -> None:
    """Also by a graph, and what is written on the host later is seen."""
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
    """Does a step where DecodeGraphs would replay it."""

    def __init__(self, step: Step, spare: int, device: torch.device, capturer: Any) -> None:
        self._step = step

    def __call__(self, slots: torch.Tensor) -> torch.Tensor:
        return self._step(slots.to(GPU))


def test_an_engine_answers(fixtures: Path, picture: Callable[..., Picture]) -> None:
    rule = Sampling(max_new_tokens=20, min_new_tokens=20)
    request = Request([Message("user", (picture(1), picture(2), "What?"))], rule)
    with load(fixtures / "awq", GPU, slots=2, room=512) as engine:
        reply = engine.comment(request)
    assert reply.tokens_out == 20
