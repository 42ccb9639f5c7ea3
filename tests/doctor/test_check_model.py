"""`doctor --check-model` on real, small weights: those that know nothing must fail."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

from doctor.judging import judge_model
from doctor.lines import problems
from doctor.model import examine
from tests.doctor.conftest import FIXTURES


def subjects(folder: Path) -> dict[str, tuple[str, str, str]]:
    return {line.subject: (line.level, line.text, line.next_step)
            for line in judge_model(examine(folder))}  # fmt: skip


@pytest.mark.parametrize("checkpoint", ["awq", "bf16"])
def test_random_weights_fail_with_advice(checkpoint: str) -> None:
    lines = subjects(FIXTURES / checkpoint)
    level, text, step = lines["language"]
    assert level == "problem"
    assert "don't know English" in text
    assert "pull the weights again" in step
    assert "drop_vision_last_layer" in lines["sight"][2]
    assert lines["vision"] == ("ok", "3 of 3 stored layers are run", "")


def test_weights_that_know_english_pass_and_are_found_blind(
    learned: Callable[..., Path],
) -> None:
    model = examine(learned())
    print(f"learned: {model.loss:.2f} of {model.random_loss:.2f} nats")
    assert model.random_loss == pytest.approx(math.log(402))
    lines = {line.subject: line for line in judge_model(model)}
    assert lines["language"].level == "ok"
    assert lines["sight"].level == "problem"
    assert problems(judge_model(model)) == 1
    assert model.tokens_per_s > 0
    assert model.peak_bytes > 50_000_000


def test_the_same_weights_read_wrongly_fail(learned: Callable[..., Path]) -> None:
    model = examine(learned(True))
    print(f"garbled: {model.loss:.2f} of {model.random_loss:.2f} nats")
    assert judge_model(model)[0].level == "problem"


def test_a_tower_without_its_last_layer_is_told(
    learned: Callable[..., Path],
) -> None:
    folder = learned()
    config = (folder / "config.json").read_text()
    changed = config.replace('"drop_vision_last_layer": false', '"drop_vision_last_layer": true')
    assert changed != config
    (folder / "config.json").write_text(changed)
    assert "2 of 3 stored layers" in subjects(folder)["vision"][1]
