"""Our outputs against the recorded ones of the published code."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from bench.parity import CHECKPOINTS, Findings, compare, main

COMPARED = {
    "prompt ids": 29,
    "picture places": 29,
    "resized sizes": 16,
    "resized pixels": 16,
    "greedy ids": 32,
    "text": 32,
    "logits": 14,
}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_every_recorded_case_is_met(checkpoint: str, fixtures: Path) -> None:
    torch.set_num_threads(1)
    findings = compare(fixtures, checkpoint, torch.device("cpu"), torch.float32, None)
    assert findings.failures(torch.float32) == []
    assert {name: findings.compared[name] for name in COMPARED} == COMPARED


def test_a_difference_beyond_the_limit_is_a_failure() -> None:
    findings = Findings()
    findings.distance("vision", torch.tensor([1.0]), torch.tensor([1.00003]))
    findings.distance("logits", torch.tensor([1.0]), torch.tensor([1.00003]))
    findings.equality("greedy ids", "a case", equal=False)
    assert findings.failures(torch.float32) == ["vision", "greedy ids"]


def test_not_a_number_is_a_failure() -> None:
    findings = Findings()
    findings.distance("logits", torch.tensor([float("nan")]), torch.tensor([1.0]))
    assert findings.failures(torch.float32) == ["logits"]


@pytest.mark.parametrize(("first_id", "status"), [(None, 0), (7, 1)])
def test_the_command_ends_with_1_if_an_answer_differs(
    fixtures: Path, tmp_path: Path, first_id: int | None, status: int
) -> None:
    folder = tmp_path / "fixture"
    shutil.copytree(fixtures, folder)
    path = folder / "cases" / "cases.json"
    records = json.loads(path.read_text())
    records["cases"] = [case for case in records["cases"] if case["name"] == "text_only"]
    if first_id is not None:
        records["cases"][0]["greedy"]["bf16"]["1.0"]["ids"][0] = first_id
    path.write_text(json.dumps(records))
    assert main([str(folder)]) == status
