"""The yardstick of the speed benchmark computes what the runtime does."""

from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")
pytest.importorskip("transformers", reason="the yardstick is made of transformers' classes")

from bench.reference import Reference
from worker.minicpm import Message, PromptStyle, Sampling
from worker.minicpm.batch import generate
from worker.minicpm.network import Network
from worker.minicpm.preprocess import Picture
from worker.minicpm.prompt import PromptEncoder


def test_it_writes_the_same_answers(
    network: Network, encoder: PromptEncoder, picture: Callable[..., Picture]
) -> None:
    prompts = [
        encoder.encode([Message("user", (picture(n), picture(n + 1), "What?"))], PromptStyle(), 400)
        for n in (1, 3)
    ]
    rules = [Sampling(max_new_tokens=8)] * 2
    assert Reference(network).answer(prompts, 8).tolist() == generate(
        network, prompts, rules, frozenset()
    )
