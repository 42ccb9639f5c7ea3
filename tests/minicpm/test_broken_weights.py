"""The sentence for each checkpoint that can't be loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.minicpm.checkpoint_files import MakeCheckpoint, read, rewrite
from worker.minicpm import CheckpointError, load
from worker.minicpm.config import parse_config, read_config
from worker.minicpm.shards import read_index, read_tensors
from worker.minicpm.tokenizer import TextTokenizer
from worker.minicpm.weights import weight_bytes


def test_a_truncated_shard_is_named(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    shard = folder / "model-00002-of-00002.safetensors"
    whole = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-100])
    wanted = f"model-00002-of-00002.safetensors has {whole - 100} bytes and should have {whole}"
    with pytest.raises(CheckpointError, match=wanted):
        read(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\3\4", b"\xff" * 40, b"\2\0\0\0\0\0\0\0[]", b"\x40\x0d\3\0\0\0\0\0" + b"[" * 200_000],
)
def test_a_shard_that_is_no_safetensors_file_is_named(
    checkpoint: MakeCheckpoint, content: bytes
) -> None:
    folder = checkpoint()
    (folder / "model-00001-of-00002.safetensors").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"model-00001-of-00002.safetensors is truncated or no"
    ):
        read(folder)


Header = dict[str, dict[str, Any]]
NORM = "llm.model.norm.weight"


def change_header(folder: Path, change: Callable[[Header], None]) -> None:
    """Make one file of a checkpoint and let its header say something else of the same bytes."""
    rewrite(folder, lambda tensors: None)
    path = folder / "model.safetensors"
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[start:])


def say_of(name: str, **said: Any) -> Callable[[Header], None]:
    return lambda header: header[name].update(said)


def overlap(header: Header) -> None:
    size = header[NORM]["data_offsets"][1] - header[NORM]["data_offsets"][0]
    header[NORM]["data_offsets"] = [0, size]


def leave_a_gap(header: Header) -> None:
    del header[NORM]


def turn_round(header: Header) -> None:
    header[NORM] |= {"dtype": "I64", "data_offsets": header[NORM]["data_offsets"][::-1]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (say_of(NORM, shape=[512]), rf"{NORM} has 512 bytes, and \[512\] of BF16 are 1024"),
        (say_of(NORM, dtype="F32"), rf"{NORM} has 512 bytes, and \[256\] of F32 are 1024"),
        (say_of(NORM, shape=[]), rf"{NORM} has 512 bytes, and \[\] of BF16 are 2"),
        (turn_round, f"no safetensors file: {NORM} ends before it begins"),
        (overlap, r"begins at byte \d+, and what is before it ends at \d+"),
        (leave_a_gap, r"begins at byte \d+, and what is before it ends at \d+"),
        (say_of(NORM, shape=[-256]), "no safetensors file: offsets and shape of llm"),
        (say_of(NORM, shape=[256.0]), "no safetensors file: offsets and shape of llm"),
        (say_of(NORM, dtype=["BF16"]), "no safetensors file: the dtype of llm"),
        (say_of(NORM, data_offsets=[0]), "truncated or no safetensors file"),
        (say_of(NORM, data_offsets=["a", "b"]), "truncated or no safetensors file"),
    ],
)
def test_a_header_whose_tensors_do_not_fill_its_file_is_refused(
    checkpoint: MakeCheckpoint, change: Callable[[Header], None], sentence: str
) -> None:
    folder = checkpoint()
    change_header(folder, change)
    with pytest.raises(CheckpointError, match=sentence):
        read(folder)


def test_a_missing_shard_is_named(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    (folder / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00001-of-00002.safetensors is missing"):
        read(folder)


def test_a_folder_without_weights_is_told(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    for weights in folder.glob("model*"):
        weights.unlink()
    with pytest.raises(CheckpointError, match=r"holds neither model\.safetensors\.index\.json nor"):
        read(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_an_index_that_is_none_is_named(checkpoint: MakeCheckpoint, content: str) -> None:
    folder = checkpoint()
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"index\.json is not an index of shards"):
        read(folder)


def cut_short(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [(cut_short, "ended while it was read"), (Path.unlink, "can't be read: No such file")],
)
def test_a_shard_that_changes_while_it_is_read_is_named(
    tmp_path: Path, change: Callable[[Path], None], sentence: str
) -> None:
    shard = tmp_path / "model.safetensors"
    save_file({"numbers": torch.arange(6.0)}, shard)
    stored, target = read_index(tmp_path)["numbers"], torch.empty(6)
    read_tensors([(stored, target)])
    assert target.tolist() == [0, 1, 2, 3, 4, 5]
    change(shard)
    with pytest.raises(CheckpointError, match=f"model.safetensors {sentence}"):
        read_tensors([(stored, target)])


def test_an_index_may_not_point_out_of_its_folder(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    index = {"weight_map": {"llm.lm_head.weight": "../elsewhere.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="outside its folder"):
        read(folder)


def test_an_index_that_does_not_fit_its_shards_is_refused(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["llm.unheard_of"] = "model-00001-of-00002.safetensors"
    path.write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"holds llm\.unheard_of, and it does not"):
        read(folder)


def drop_head(tensors: dict[str, Tensor]) -> None:
    del tensors["llm.lm_head.weight"]


def add_stranger(tensors: dict[str, Tensor]) -> None:
    tensors["llm.model.layers.0.self_attn.q_proj.bias"] = torch.zeros(256)


def widen_norm(tensors: dict[str, Tensor]) -> None:
    tensors["llm.model.norm.weight"] = torch.ones(257)


def swap_shapes(tensors: dict[str, Tensor]) -> None:
    tensors["llm.model.layers.0.self_attn.k_proj.weight"] = torch.zeros(100, 256)


def lose_the_tower(tensors: dict[str, Tensor]) -> None:
    for name in [name for name in tensors if name.startswith("vpm.encoder.layers.")]:
        del tensors[name]


def count_in_a_norm(tensors: dict[str, Tensor]) -> None:
    tensors["llm.model.norm.weight"] = torch.ones(256, dtype=torch.int32)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lose_the_tower, "there is no vision tower among the tensors"),
        (count_in_a_norm, r"llm\.model\.norm\.weight is stored as I32"),
        (drop_head, r"tensors are missing: llm\.lm_head\.weight"),
        (add_stranger, r"not known to MiniCPM-o 4\.5: llm\.model\.layers\.0\.self_attn\.q_proj\.b"),
        (widen_norm, r"llm\.model\.norm\.weight should be \[256\] and is \[257\]"),
        (swap_shapes, r"qkv_proj\.weight should be \[512, 256\] and is .*\[100, 256\]"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    checkpoint: MakeCheckpoint, change: Callable[[dict[str, Tensor]], None], sentence: str
) -> None:
    folder = checkpoint()
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=sentence):
        read(folder)


def unpack_one(tensors: dict[str, Tensor]) -> None:
    for part in ("qweight", "qzeros", "scales"):
        del tensors[f"llm.model.layers.0.self_attn.k_proj.{part}"]
    tensors["llm.model.layers.0.self_attn.k_proj.weight"] = torch.zeros(128, 256)


def halve_groups(tensors: dict[str, Tensor]) -> None:
    for part in ("qzeros", "scales"):
        name = f"llm.model.layers.0.mlp.down_proj.{part}"
        tensors[name] = torch.cat([tensors[name]] * 2)


def eight_bits(tensors: dict[str, Tensor]) -> None:
    name = "llm.model.layers.0.mlp.down_proj.qweight"
    tensors[name] = torch.cat([tensors[name]] * 2, dim=1)


def pack_a_linear_with_bias(tensors: dict[str, Tensor]) -> None:
    packed = torch.zeros(32, 208 // 8, dtype=torch.int32)
    tensors["vpm.encoder.layers.0.mlp.fc1.qweight"] = packed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (pack_a_linear_with_bias, r"mlp\.fc1 is quantised and has a bias, which is not known"),
        (unpack_one, "only some of .*k_proj.qweight.* are there"),
        (halve_groups, "scales has 4 groups for 256 inputs, not of 128"),
        (eight_bits, "packs 256 × 512 numbers of 4 bits and should pack 256 × 256"),
    ],
)
def test_awq_of_another_kind_is_refused(
    checkpoint: MakeCheckpoint, change: Callable[[dict[str, Tensor]], None], sentence: str
) -> None:
    folder = checkpoint("awq")
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=sentence):
        read(folder)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"attention_bias": True}, "attention_bias is set"),
        ({"hidden_act": "gelu"}, "the activation 'gelu' is not known"),
        ({"vision_config": {"model_type": "clip"}}, "the vision tower 'clip' is not known"),
        ({"model_type": "qwen3"}, "describes the network 'qwen3', not MiniCPM-o 4.5"),
        ({"version": "2.6"}, "it is MiniCPM-o 2.6; only 4.5 can be run"),
        ({"hidden_size": ...}, "hidden_size should be a positive whole number and is None"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "rotary positions of type 'yarn'"),
        ({"torch_dtype": "float8"}, "the dtype 'float8' is not known"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised as gptq"),
    ],
)
def test_another_network_is_refused(
    checkpoint: MakeCheckpoint, config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        read_config(checkpoint(**config))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "config.json can't be read"),
        (b"\xff", "config.json can't be read"),
        (b"[" * 100_000, "config.json can't be read"),
        (b"[]", "config.json is not a JSON object"),
    ],
)
def test_a_config_that_is_no_json_object_is_named(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence):
        read_config(tmp_path)


NOT_WHOLE = "should be a positive whole number and is"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"query_num": 32}, "query_num is 32; only 64 vectors a view can be run"),
        ({"query_num": "64"}, f"query_num {NOT_WHOLE} '64'"),
        ({"max_position_embeddings": []}, rf"max_position_embeddings {NOT_WHOLE} \[\]"),
        ({"num_hidden_layers": True}, f"num_hidden_layers {NOT_WHOLE} True"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps should be a positive number and is 'small'"),
        ({"rms_norm_eps": 10**400}, "rms_norm_eps should be a positive number and is 1000"),
        (
            {"vision_config": {"num_hidden_layers": {}}},
            rf"vision_config\.num_hidden_layers {NOT_WHOLE}",
        ),
        ({"vision_config": []}, r"vision_config should be an object and is \[\]"),
        ({"slice_config": 9}, "slice_config should be an object and is 9"),
        ({"rope_parameters": "default"}, "rope_parameters should be an object and is 'default'"),
        ({"quantization_config": "awq"}, "quantization_config should be an object and is 'awq'"),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(
    checkpoint: MakeCheckpoint, config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        read_config(checkpoint(**config))


@pytest.mark.parametrize(
    "key",
    [
        *("query_num", "rms_norm_eps", "max_position_embeddings", "head_dim", "rope_parameters"),
        *("quantization_config", "vision_config", "slice_config"),
    ],
)
def test_null_means_missing(checkpoint: MakeCheckpoint, key: str) -> None:
    folder = checkpoint()
    whole = json.loads((folder / "config.json").read_text())
    assert parse_config(whole | {key: None}) == parse_config(
        {name: value for name, value in whole.items() if name != key}
    )


def test_null_inside_a_section_means_missing(checkpoint: MakeCheckpoint) -> None:
    config = read_config(checkpoint(vision_config={"num_hidden_layers": None}))
    assert config.vision.layers == 27


@pytest.mark.parametrize(
    ("part", "tensor", "sentence"),
    [
        ("qweight", torch.zeros(256, 64, dtype=torch.int64), "qweight is stored as I64"),
        (
            "qweight",
            torch.zeros(256, dtype=torch.int32),
            r"should have rows and columns and is \[256\]",
        ),
        ("scales", torch.zeros(()), r"should have rows and columns and is \[\]"),
    ],
)
def test_an_awq_tensor_of_another_kind_is_named_before_memory_is_planned(
    checkpoint: MakeCheckpoint, part: str, tensor: Tensor, sentence: str
) -> None:
    folder = checkpoint("awq")
    name = f"llm.model.layers.0.mlp.down_proj.{part}"
    rewrite(folder, lambda tensors: tensors.update({name: tensor}))
    with pytest.raises(CheckpointError, match=sentence):
        read(folder)
    with pytest.raises(CheckpointError, match=sentence):
        weight_bytes(folder, torch.float16)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load(tmp_path)


def test_a_tokenizer_of_another_size_is_refused(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint(vocab_size=403)
    with pytest.raises(CheckpointError, match="has 402 tokens and the network 403"):
        load(folder)


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        path = folder / "tokenizer_config.json"
        config = json.loads(path.read_text())
        added = config["added_tokens_decoder"].items()
        config["added_tokens_decoder"] = {n: t for n, t in added if t["content"] not in names}
        path.write_text(json.dumps(config))

    return remove


def write(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def forget_merges(folder: Path) -> None:
    """Leave tokenizer.json alone to tell the vocabulary."""
    (folder / "merges.txt").unlink()
    (folder / "tokenizer.json").write_text("{}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("<slice>", "</think>"), "lacks <slice>, </think>"),
        (write("vocab.json", "{"), r"vocab\.json is not JSON"),
        (write("vocab.json", "[" * 100_000), r"vocab\.json is not JSON"),
        (lambda folder: (folder / "merges.txt").write_bytes(b"\xff"), r"merges\.txt can't be read"),
        (lambda folder: (folder / "vocab.json").unlink(), r"tokenizer\.json can't be read"),
        (forget_merges, "can't be used: KeyError: 'model'"),
        (write("vocab.json", "[]"), "can't be used: TypeError"),
        (write("merges.txt", "a b c"), "can't be used: ValueError"),
        (write("merges.txt", "no such"), "can't be used: .* out of vocabulary"),
        (write("tokenizer_config.json", "[]"), "can't be used: AttributeError"),
    ],
)
def test_a_tokenizer_that_is_none_is_told(
    fixtures: Path, tmp_path: Path, change: Callable[[Path], object], sentence: str
) -> None:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(fixtures / "bf16" / name, tmp_path)
    change(tmp_path)
    with pytest.raises(CheckpointError, match=sentence):
        TextTokenizer(tmp_path)
