"""A folder that can't comment says why and what to do; one that can says what it holds."""

import json
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the commentator transformers needs PyTorch")
pytest.importorskip("transformers", reason="the commentator transformers needs that package")

import torch

from settings import BadSetting, Settings
from tests.transformers.conftest import settings_for
from tests.transformers.tiny import END, TEMPLATE, write_network
from worker.commentators import check_commentators, open_commentator
from worker.transformers.commentator import open_transformers
from worker.transformers.network import load


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return remove


def with_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        config = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))  # fmt: skip

    return change


def with_tokens(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def broken(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text("{")

    return write


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("config.json"), "config.json is missing"),
        (broken("config.json"), "its config.json can't be read"),
        (
            lambda folder: (folder / "config.json").write_text("[]") and None,
            "its config.json is no JSON object",
        ),
        (with_config(model_type=None), "names no model_type"),
        (with_config(model_type=None, auto_map={"AutoModel": "x.Y"}), "it needs code of its own"),
        (without("model.safetensors"), "it holds no \\*.safetensors"),
        (without("chat_template.jinja"), "it holds no chat template"),
        (without("processor_config.json"), "takes no pictures"),
        (shutil.rmtree, "there is no such folder"),
    ],
)
def test_what_a_folder_lacks_is_told_before_anything_starts(
    copied: Path, change: Callable[[Path], None], why: str
) -> None:
    change(copied)
    with pytest.raises(BadSetting, match=why) as refusal:
        check_commentators(settings_for(copied))
    assert "TRANSFORMERS_MODEL" in str(refusal.value)
    assert "reelnotes pull" in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("config.json"), "config.json is missing"),
        (with_tokens(pad_token=None, eos_token=None), "neither a token for padding nor one"),
        (with_config(model_type="bert"), "can't be used"),
        (with_config(model_type="something_new"), "can't be used"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "can't be used"),
        (
            lambda folder: (folder / "chat_template.jinja").write_text("{% for %}"),
            "chat template or processor takes no picture",
        ),
        (
            lambda folder: (folder / "chat_template.jinja").write_text(
                TEMPLATE.replace("IMAGE", "")
            ),
            "picture",
        ),
    ],
)
def test_what_only_loading_shows_is_told(
    copied: Path, change: Callable[[Path], object], why: str
) -> None:
    change(copied)
    with pytest.raises(BadSetting, match=why):
        open_transformers(settings_for(copied))


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_a_package_that_is_missing_is_named(copied: Path) -> None:
    path = copied / "processor_config.json"
    config = json.loads(path.read_text())
    video = {"video_processor_type": "Qwen2VLVideoProcessor"}
    path.write_text(json.dumps(config | {"processor_class": "Qwen2VLProcessor", "video_processor": video}))  # fmt: skip
    with pytest.raises(BadSetting, match=r"a package that is missing: .*[Tt]orchvision"):
        open_transformers(settings_for(copied))


def test_weights_that_are_missing_are_not_made_up(copied: Path, tmp_path: Path) -> None:
    other = write_network(tmp_path / "other", "gemma3")
    shutil.copy(other / "model.safetensors", copied)
    with pytest.raises(BadSetting, match="of its weights are m"):
        open_transformers(settings_for(copied))


def test_a_tokenizer_without_padding_pads_with_its_end(copied: Path) -> None:
    with_tokens(pad_token=None)(copied)
    network = load(copied, "auto", "cpu")
    assert network.processor.tokenizer.pad_token == END


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(BadSetting, match="TRANSFORMERS_DEVICE is cuda:1, and PyTorch sees no GPU"):
        open_transformers(settings_for(folder, transformers_device="cuda:1"))


def test_the_worker_opens_it_by_its_name(folder: Path) -> None:
    opened = open_commentator(settings_for(folder), "transformers")
    assert (opened.name, opened.accelerator()) == ("transformers", None)
    opened.close()
    with pytest.raises(BadSetting, match="asked to comment as openai, but COMMENTATOR is transf"):
        open_commentator(settings_for(folder), "openai")


def test_a_package_that_the_commentator_needs_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # as Python says: it is not there
    with pytest.raises(BadSetting, match=r"needs the package tokenizers.*\[torch\]"):
        check_commentators(settings_for(folder))


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(BadSetting, match="TRANSFORMERS_MODEL doesn't say which"):
        check_commentators(Settings(commentator="transformers"))


@pytest.mark.parametrize(
    ("name", "value"), [("TRANSFORMERS_DTYPE", "int4"), ("TRANSFORMERS_DEVICE", "tpu")]
)
def test_odd_settings_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"{name} must be"):
        Settings.from_env({name: value})


def test_a_name_that_was_pulled_is_looked_for_beside_the_others(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, transformers_model="some/network")
    assert settings.transformers_folder == tmp_path / "models" / "some" / "network"


def test_the_job_names_what_runs(folder: Path) -> None:
    opened = open_transformers(settings_for(folder, transformers_dtype="bfloat16"))
    assert opened.network is not None
    assert opened.network["name"] == "Idefics3ForConditionalGeneration, bfloat16"
    assert opened.network["checkpoint"] == "tiny"
    assert len(opened.network["fingerprint"]) == 32
    assert opened.streams == 4
    opened.close()
