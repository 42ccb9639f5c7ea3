"""What is loaded, and the sentence for what can't be."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from worker.minicpm import CheckpointError, choose_dtype, load
from worker.minicpm.awq import AwqLinear
from worker.minicpm.config import read_config
from worker.minicpm.network import Network
from worker.minicpm.weights import load_network

CPU = torch.device("cpu")
MakeCheckpoint = Callable[..., Path]


def read(folder: Path, dtype: torch.dtype = torch.float32, **options: Any) -> Network:
    return load_network(folder, read_config(folder), CPU, dtype, **options)


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return {k: v for shard in folder.glob("*.safetensors") for k, v in load_file(shard).items()}


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Make one file of a checkpoint, its tensors changed."""
    tensors = tensors_of(folder)
    change(tensors)
    for old in folder.glob("model*"):
        old.unlink()
    save_file(tensors, folder / "model.safetensors")


def scores(network: Network, ids: list[int]) -> Tensor:
    from worker.minicpm.prompt import EncodedPrompt

    with torch.inference_mode():
        nothing = network.look([])
        return network.prefill(
            [EncodedPrompt(tuple(ids), ())], nothing, network.new_cache(1, 64), [0]
        )


def test_every_stored_number_arrives(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    stored, network = tensors_of(folder), read(folder)
    ours = {
        name: tensor
        for name, tensor in network.named_parameters()
        if "qkv_proj" not in name and "gate_up_proj" not in name
    }
    for name, tensor in ours.items():
        assert torch.equal(tensor, stored[name].float()), name
    queries = stored["llm.model.layers.1.self_attn.q_proj.weight"].float()
    values = stored["llm.model.layers.1.self_attn.v_proj.weight"].float()
    fused = dict(network.named_parameters())["llm.model.layers.1.self_attn.qkv_proj.weight"]
    assert torch.equal(fused[: len(queries)], queries)
    assert torch.equal(fused[-len(values) :], values)


def test_one_file_and_shards_give_the_same_network(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    sharded = scores(read(folder), [5, 6, 7])
    rewrite(folder, lambda tensors: None)
    assert torch.equal(scores(read(folder), [5, 6, 7]), sharded)


@pytest.mark.parametrize("config", [{"quantization_config": ...}, {}])
def test_a_linear_is_awq_exactly_where_a_qweight_is_stored(
    checkpoint: MakeCheckpoint, config: dict[str, Any]
) -> None:
    """Whatever the config says, also `modules_to_not_convert: null`, as published."""
    network = read(checkpoint("awq", **config))
    quantised = {name for name, m in network.named_modules() if isinstance(m, AwqLinear)}
    assert quantised == {
        f"llm.model.layers.{i}.{linear}"
        for i in range(2)
        for linear in (
            "self_attn.qkv_proj",
            "self_attn.o_proj",
            "mlp.gate_up_proj",
            "mlp.down_proj",
        )
    }


def test_audio_and_speech_are_never_read(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()

    def change(tensors: dict[str, Tensor]) -> None:
        tensors["tts.model.layers.0.unheard_of"] = torch.zeros(3, dtype=torch.bool)
        tensors["apm.unheard_of"] = torch.zeros(2, 2, dtype=torch.int64)

    rewrite(folder, change)
    names = [name for name, _ in read(folder).named_parameters()]
    assert not [name for name in names if name.startswith(("apm", "tts", "audio"))]


def test_scales_keep_their_dtype_and_the_rest_is_cast(checkpoint: MakeCheckpoint) -> None:
    network = read(checkpoint("awq"), torch.bfloat16)
    found = {tensor.dtype for tensor in network.parameters()}
    assert found == {torch.bfloat16}
    scales = [tensor for name, tensor in network.named_buffers() if name.endswith("scales")]
    assert {tensor.dtype for tensor in scales} == {torch.float16}


def test_the_embedding_may_stay_on_the_host(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    apart = read(folder, embedding_on_host=True)
    assert torch.equal(scores(apart, [1, 2]), scores(read(folder), [1, 2]))


@pytest.mark.parametrize(
    "config",
    [
        {"torch_dtype": ..., "dtype": "bfloat16"},
        {"rope_theta": ..., "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        {"slice_config": ..., "quantization_config": None, "version": 4.5, "query_num": ...},
    ],
)
def test_both_dialects_of_the_config_say_the_same(
    checkpoint: MakeCheckpoint, fixtures: Path, config: dict[str, Any]
) -> None:
    assert read_config(checkpoint(**config)) == read_config(fixtures / "bf16")


def test_missing_vision_fields_are_those_of_the_published_tower(checkpoint: MakeCheckpoint) -> None:
    vision = read_config(checkpoint(vision_config={"model_type": "siglip_vision_model"})).vision
    assert (vision.hidden_size, vision.intermediate_size, vision.layers) == (1152, 4304, 27)
    assert (vision.heads, vision.patch_size, vision.positions) == (16, 14, 70)


def test_all_vision_layers_found_are_used(checkpoint: MakeCheckpoint) -> None:
    network = read(checkpoint(drop_vision_last_layer=...))
    assert len(network.vpm.encoder.layers) == 3


def test_the_last_vision_layer_is_left_out_when_the_config_asks(
    checkpoint: MakeCheckpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        network = read(checkpoint(drop_vision_last_layer=True))
    assert len(network.vpm.encoder.layers) == 2
    assert "last vision layer is left out" in caplog.text


def test_a_vision_layer_dropped_before_saving_is_not_dropped_again(
    checkpoint: MakeCheckpoint,
) -> None:
    folder = checkpoint(drop_vision_last_layer=True)

    def change(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("vpm.encoder.layers.2.")]:
            del tensors[name]

    rewrite(folder, change)
    assert len(read(folder).vpm.encoder.layers) == 2


def test_code_in_the_folder_is_never_run(checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = checkpoint()
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')"
    for name in ("modeling_minicpmo.py", "configuration_minicpmo.py", "__init__.py"):
        (folder / name).write_text(trap)
    load(folder, CPU, slots=1, room=64).close()
    assert not (tmp_path / "ran").exists()


def test_a_truncated_shard_is_named(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    shard = folder / "model-00002-of-00002.safetensors"
    whole = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-100])
    wanted = f"model-00002-of-00002.safetensors has {whole - 100} bytes and should have {whole}"
    with pytest.raises(CheckpointError, match=wanted):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\xff" * 40, b"\2\0\0\0\0\0\0\0[]"])
def test_a_shard_that_is_no_safetensors_file_is_named(
    checkpoint: MakeCheckpoint, content: bytes
) -> None:
    folder = checkpoint()
    (folder / "model-00001-of-00002.safetensors").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"model-00001-of-00002.safetensors is truncated or no"
    ):
        read(folder)


def test_a_missing_shard_is_named(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    (folder / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00001-of-00002.safetensors is missing"):
        read(folder)


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


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
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


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
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


def test_a_cpu_computes_in_float32(fixtures: Path) -> None:
    assert choose_dtype(read_config(fixtures / "awq"), CPU) == torch.float32


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load(tmp_path)


def test_a_tokenizer_of_another_size_is_refused(checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint(vocab_size=403)
    with pytest.raises(CheckpointError, match="has 402 tokens and the network 403"):
        load(folder)
