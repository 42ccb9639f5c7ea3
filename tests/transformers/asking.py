"""Windows and prompts to ask tiny networks with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.parameters import parse_parameters
from settings import Settings
from worker.asking import Answer
from worker.commentator import Draft, Frame, Prompt, Window
from worker.transformers import engine
from worker.transformers.commentator import TransformersAnswerer


def window(index: int, count: int = 2) -> Window:
    dice = np.random.default_rng(index)
    frames = [
        Frame(n, Fraction(n), dice.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        for n in range(count)
    ]
    return Window(index, Fraction(0), Fraction(4), tuple(frames))


def asked(count: int) -> list[Image.Image]:
    return [Image.fromarray(frame.picture) for frame in window(0, count).frames]


def prompt(tokens: int = 16, limit_s: float = 60, wish: Mapping[str, str] | None = None) -> Prompt:
    parameters = parse_parameters(wish or {}, Settings(commentator="transformers"))
    return Prompt(tokens, parameters.prompting, limit_s)


def answer(answerer: TransformersAnswerer, count: int = 2, tokens: int = 16) -> Answer:
    return answerer.answer(window(1, count), prompt(tokens), None, Draft())


@contextmanager
def watching(
    answerer: TransformersAnswerer, trouble: Callable[[int], Exception | None] = lambda rows: None
) -> Iterator[list[int]]:
    """Yield a list that gets the number of rows of each batch; let the network raise, by that number."""
    batches: list[int] = []

    def look(module: Any, given: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].shape[1] > 1:  # the prompts, not one more word
            batches.append(len(named["input_ids"]))
            if error := trouble(batches[-1]):
                raise error

    hook = answerer._engine.network.model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield batches
    finally:
        hook.remove()


@contextmanager
def full_batches() -> Iterator[None]:
    """Let batches begin when they are full, however slowly the machine gets pictures ready."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_COMPANY_S", 60)
        patch.setattr(engine, "_LONGEST_WAIT_S", 60)
        yield
