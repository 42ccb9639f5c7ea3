"""Commentators on tiny networks, opened once for each family. Torch is imported on use."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from settings import Settings

if TYPE_CHECKING:
    from worker.transformers.commentator import TransformersAnswerer

STREAMS = 4
FAMILIES = ("idefics3", "gemma3", "llava_next", "qwen2_vl", "llava_onevision")
NEED_TORCHVISION = ("qwen2_vl", "llava_onevision")  # for the videos that they could take too


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep PyTorch from waiting for cores that others have: the networks are tiny."""
    torch = pytest.importorskip("torch", reason="the commentator transformers needs PyTorch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings_for(folder: Path, **more: object) -> Settings:
    return Settings(
        commentator="transformers",
        transformers_model=str(folder),
        worker_threads=STREAMS,
        **more,  # type: ignore[arg-type]
    )


def open_answerer(folder: Path) -> "TransformersAnswerer":
    from worker.transformers.commentator import TransformersAnswerer, open_transformers

    answerer = open_transformers(settings_for(folder))._answerer
    assert isinstance(answerer, TransformersAnswerer)
    return answerer


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network that never ends by itself."""
    from tests.transformers.tiny import write_network

    return write_network(tmp_path_factory.mktemp("idefics3") / "tiny", "idefics3")


@pytest.fixture(scope="module")
def answerer(folder: Path) -> "Iterator[TransformersAnswerer]":
    opened = open_answerer(folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=FAMILIES)
def of_family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[TransformersAnswerer]":
    """Yield a commentator of each family of networks in turn."""
    from tests.transformers.tiny import write_network

    if request.param in NEED_TORCHVISION and importlib.util.find_spec("torchvision") is None:
        pytest.skip(f"the processor of {request.param} needs torchvision, which is not installed")
    opened = open_answerer(write_network(tmp_path_factory.mktemp("w") / "tiny", request.param))
    yield opened
    opened.close()
