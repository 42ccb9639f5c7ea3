"""Random checkpoints of the published layout."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from safetensors.torch import load_file

from bench import synthetic_checkpoint
from bench.synthetic_checkpoint import list_entries, write_checkpoint
from worker.minicpm import Message, Request, Sampling, load
from worker.minicpm.preprocess import Picture

MANIFESTS = Path(__file__).parents[3] / "shared" / "minicpm-o-4_5"
COUNTS = {
    "llm": 399,
    "vpm": 437,
    "resampler": 13,
    "apm": 367,
    "audio_projection_layer": 4,
    "tts": 194,
}


def test_counts_and_sizes_are_the_published_ones() -> None:
    entries = list(list_entries(awq=False))
    counts = dict.fromkeys(COUNTS, 0)
    for entry in entries:
        counts[entry.name.split(".")[0]] += 1
    assert counts == COUNTS
    assert sum(entry.numbers for entry in entries) == 9_371_787_666
    assert sum(entry.numbers for entry in entries if entry.name.startswith("llm.")) == 8_189_195_264
    assert len(list(list_entries(awq=True))) == 1918


@pytest.mark.parametrize("awq", [False, True])
def test_names_and_shapes_are_those_of_the_manifests(awq: bool) -> None:
    path = MANIFESTS / f"manifest_{'awq' if awq else 'bf16'}.json"
    if not path.exists():
        pytest.skip("needs the manifests of ../shared/minicpm-o-4_5, which are not on this machine")
    manifest = json.loads(path.read_text())
    ours = {entry.name: list(entry.shape) for entry in list_entries(awq)}
    assert ours == {name: e["shape"] if awq else e for name, e in manifest.items()}
    if awq:
        packed = {entry.name: entry.dtype for entry in list_entries(awq) if entry.dtype != "BF16"}
        floats = "F16_or_BF16"
        assert packed == {n: e["dtype"] for n, e in manifest.items() if e["dtype"] != floats}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """All widths cut down, so that a whole checkpoint is a few megabytes."""
    widths = {"HIDDEN": 256, "FFN": 384, "HEADS": 2, "KV_HEADS": 1, "VISION": 32, "VISION_FFN": 80,
              "AUDIO": 8, "AUDIO_FFN": 8, "SPEECH": 8, "SPEECH_FFN": 8, "CODES": 8}  # fmt: skip
    for name, width in widths.items():
        monkeypatch.setattr(synthetic_checkpoint, name, width)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("awq", "shards"), [(False, 4), (True, 2)])
def test_the_runtime_loads_and_runs_it(
    tmp_path: Path, picture: Callable[..., Picture], awq: bool, shards: int
) -> None:
    torch.set_num_threads(1)
    size = write_checkpoint(tmp_path, awq, layers=1)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) == shards
    assert sum(t.nbytes for file in files for t in load_file(file).values()) == size
    raw = json.loads((tmp_path / "config.json").read_text())
    raw["vision_config"]["num_attention_heads"] = 2
    (tmp_path / "config.json").write_text(json.dumps(raw))
    with load(tmp_path, torch.device("cpu"), slots=1, room=256) as engine:
        rule = Sampling(max_new_tokens=3, min_new_tokens=3)
        reply = engine.comment(Request([Message("user", (picture(1), "What is new?"))], rule))
    assert reply.tokens_out == 3
    letters = len("user\nWhat is new?\nassistant\n") + 9
    assert 67 < reply.tokens_in < 67 + letters  # words were learnt
