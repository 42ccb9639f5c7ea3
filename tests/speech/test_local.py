"""faster-whisper on a tiny Whisper of random weights: its words mean nothing, but it runs and fetches nothing."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("faster_whisper", reason="the extra transcribe is not installed")
pytest.importorskip("torch", reason="the tiny network is made with PyTorch")

import torch

from settings import BadSetting, Settings
from worker.speech import open_transcriber


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in CTranslate2's format: a Whisper of one layer, its vocabulary bytes and marks."""
    from ctranslate2.converters.transformers import WhisperLoader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    folder = tmp_path_factory.mktemp("whisper")
    marks = [
        "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>",
        "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
        *(f"<|{n * 0.02:.2f}|>" for n in range(1501)),
    ]  # fmt: skip
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(marks[:9])
    tokenizer.add_tokens(marks[9:])
    first = len(letters)
    torch.manual_seed(1)
    config = WhisperConfig(
        vocab_size=first + len(marks),
        **{"d_model": 32, "encoder_layers": 1, "decoder_layers": 1},
        **{"encoder_attention_heads": 2, "decoder_attention_heads": 2},
        **{"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_target_positions": 448},
        **{"eos_token_id": first, "bos_token_id": first, "pad_token_id": first},
        decoder_start_token_id=first + 1,
    )
    network: Any = WhisperForConditionalGeneration(config)
    spec = WhisperLoader().get_model_spec(network)
    words = tokenizer.get_vocab()
    spec.register_vocabulary(sorted(words, key=words.__getitem__))
    spec.config.suppress_ids = spec.config.suppress_ids_begin = spec.config.lang_ids = []
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_a_network_in_a_folder_writes_down_sound(tiny: Path) -> None:
    transcriber = open_transcriber(Settings(transcribe_model=str(tiny)))
    assert transcriber is not None
    sound = (8000 * np.sin(np.arange(16_000 * 8) / 5)).astype(np.int16)
    transcript = transcriber.transcribe(sound)
    assert transcript.language == "en"
    assert all(0 <= heard.start <= heard.end for heard in transcript.heard)
    assert transcript.heard


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_part_is_refused(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(tiny, folder)
    (folder / name).unlink()
    with pytest.raises(BadSetting, match=f"no {name}"):
        open_transcriber(Settings(transcribe_model=str(folder)))
