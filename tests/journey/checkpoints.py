"""The tiny checkpoints of MiniCPM-o 4.5: their words are noise, but really computed."""

import json
import shutil
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "minicpm" / "fixtures"
TINY = FIXTURES / "bf16"
TINY_AWQ = FIXTURES / "awq"


def write_endless(folder: Path) -> Path:
    """Copy the tiny checkpoint and take from it the likelihood of stopping: it writes words to its limit."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(TINY, folder)
    name = "llm.lm_head.weight"
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    shard = folder / index["weight_map"][name]
    tensors = load_file(shard)
    special = json.loads((folder / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    tensors[name][[int(number) for number in special]] = 0  # others are as often above as below
    save_file(tensors, shard)
    return folder
