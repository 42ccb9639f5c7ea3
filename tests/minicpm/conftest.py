"""The tiny checkpoints, and networks and tokenizers read from them. Torch is imported on use."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from worker.minicpm.network import Network
    from worker.minicpm.preprocess import Picture
    from worker.minicpm.prompt import PromptEncoder
    from worker.minicpm.tokenizer import TextTokenizer

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Copy a tiny checkpoint, its config changed, to a folder that a test may break."""

    def copy(name: str = "bf16", **config: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(FIXTURES / name, folder)
        raw = json.loads((folder / "config.json").read_text())
        raw.update(config)
        kept = {key: value for key, value in raw.items() if value is not ...}
        (folder / "config.json").write_text(json.dumps(kept))
        return folder

    return copy


@pytest.fixture(scope="session")
def network() -> "Network":
    """The tiny network in float32 on the CPU. Shared: leave it as it is."""
    import torch

    from worker.minicpm.config import read_config
    from worker.minicpm.weights import load_network

    torch.set_num_threads(1)
    path = FIXTURES / "bf16"
    return load_network(path, read_config(path), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def tokenizer() -> "TextTokenizer":
    from worker.minicpm.tokenizer import TextTokenizer

    return TextTokenizer(FIXTURES / "bf16")


@pytest.fixture(scope="session")
def encoder(network: "Network", tokenizer: "TextTokenizer") -> "PromptEncoder":
    from worker.minicpm.prompt import PromptEncoder

    return PromptEncoder(tokenizer, network.config.picture)


@pytest.fixture(scope="session")
def picture() -> "Callable[..., Picture]":
    """Paint a noisy picture, another for each seed."""

    def paint(seed: int, width: int = 64, height: int = 36) -> "Picture":
        dice = np.random.default_rng(seed)
        return dice.integers(0, 256, (height, width, 3), dtype=np.uint8)

    return paint
