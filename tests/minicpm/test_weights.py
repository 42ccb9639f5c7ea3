"""What a checkpoint holds is what is loaded."""

import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from tests.minicpm.checkpoint_files import CPU, MakeCheckpoint, read, rewrite, tensors_of
from worker.minicpm import choose_dtype, load
from worker.minicpm.awq import AwqLinear
from worker.minicpm.config import read_config
from worker.minicpm.network import Network
from worker.minicpm.weights import weight_bytes


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


def test_a_cpu_computes_in_float32(fixtures: Path) -> None:
    assert choose_dtype(read_config(fixtures / "awq"), CPU) == torch.float32


@pytest.mark.parametrize("name", ["bf16", "awq"])
def test_the_memory_of_a_network_is_known_before_it_is_loaded(fixtures: Path, name: str) -> None:
    """All but the table of token vectors, which stays on the host."""
    network = read(fixtures / name, torch.bfloat16, kernel="autoawq")
    tensors = [*network.parameters(), *network.buffers()]
    table = network.llm.model.embed_tokens.weight
    taken = sum(tensor.nbytes for tensor in tensors if tensor is not table)
    assert weight_bytes(fixtures / name, torch.bfloat16) == taken
