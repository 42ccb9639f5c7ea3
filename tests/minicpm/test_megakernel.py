"""A step in one launch: what it suits, that it compiles, and on a GPU that it writes what the
separate kernels write."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from bench.steps import random_model
from worker.minicpm import megakernel
from worker.minicpm.cache import KVCache
from worker.minicpm.config import LanguageConfig
from worker.minicpm.language import LanguageModel
from worker.minicpm.megakernel import CAPABILITY, ROWS, Megakernel, Shape

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")
REAL = Shape(4096, 12288, 32, 8, blocks=132, memory=232448)
ROOM, SLOTS = 2048, 9

needs_gpu = pytest.mark.skipif(
    not megakernel.runs_on(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
    reason="needs one of NVIDIA's Hopper GPUs",
)


def _compiler_is_there() -> bool:
    try:
        from worker.minicpm.nvrtc import compile_source

        return bool(compile_source("", {}, {}, CAPABILITY))
    except (ImportError, RuntimeError):
        return False


needs_compiler = pytest.mark.skipif(
    not _compiler_is_there(),
    reason="needs CUDA's compiler, which PyTorch's CUDA builds bring along",
)


def test_it_suits_the_real_network_on_large_gpus() -> None:
    assert REAL.suits
    assert replace(REAL, blocks=170).suits
    assert not replace(REAL, blocks=64).suits  # too many outputs for each
    assert not replace(REAL, hidden=4096 + 64).suits
    assert not replace(REAL, ffn=12288 + 16).suits
    assert not replace(REAL, kv_heads=2).suits  # more queries than there are warps


def test_a_network_on_the_cpu_has_none() -> None:
    config = LanguageConfig(256, 512, 1, 2, 1, 128, 8, 64, 1e-6, 1e6)
    assert random_model(config, CPU).megakernel is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="is for machines where it can't run")
def test_where_it_can_not_run_steps_are_written_by_separate_kernels(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No compiler or no GPU: told once for each number of rows."""
    config = LanguageConfig(256, 512, 1, 2, 1, 128, 8, 64, 1e-6, 1e6)
    model = random_model(config, CPU)
    kernel = Megakernel(model._layers(), replace(REAL, hidden=256, ffn=512, heads=2, kv_heads=1))
    x, slots, lengths = torch.randn(2, 256).bfloat16(), torch.tensor([0, 1]), torch.tensor([0, 0])
    with torch.inference_mode():
        wanted = model.decode_step(x, slots, lengths, KVCache(config, 2, 8, CPU, torch.bfloat16))
        model.__dict__["megakernel"] = kernel
        for _ in range(2):
            cache = KVCache(config, 2, 8, CPU, torch.bfloat16)
            assert torch.equal(model.decode_step(x, slots, lengths, cache), wanted)
    assert not kernel.takes(1)
    assert not kernel.takes(3)  # that nobody compiled
    assert [message[:36] for message in caplog.messages] == [
        "steps are not one launch rows=2 reas",
        "steps are not one launch rows=1 reas",
    ]


@needs_compiler
@pytest.mark.parametrize("rows", ROWS)
def test_it_compiles_without_a_gpu(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its blocks hand to each other is as large as we say."""
    sources = tmp_path / "cuda"
    shutil.copytree(megakernel.SOURCES, sources)
    check = f"static_assert(sizeof(Exchange) == {REAL.exchange_bytes(rows)});"
    with (sources / "step.cu").open("a") as file:
        file.write(check)
    monkeypatch.setattr(megakernel, "SOURCES", sources)
    assert megakernel.compile_kernel(REAL, rows)


@needs_compiler
def test_what_does_not_compile_is_told() -> None:
    from worker.minicpm.nvrtc import compile_source

    with pytest.raises(RuntimeError, match="nonsense"):
        compile_source("nonsense;", {}, {}, CAPABILITY)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    "lengths",
    [
        [0],
        [11],
        [12],
        [191],
        [192],
        [424],
        [2047],
        [424, 3],
        [0, 2047],
        [10, 424, 71, 300],
        [2000, 1900, 0, 1],
    ],
)
def test_it_writes_what_separate_kernels_write(lengths: list[int]) -> None:
    """Stream, update, and the new keys and values, which stand in their place and nowhere else."""
    model, ours, theirs, x, slots = _step(len(lengths))
    where = torch.tensor(lengths, device=GPU)
    kernel = Megakernel.of(model._layers())
    assert kernel is not None
    assert kernel.takes(len(lengths))
    with torch.inference_mode():
        wanted = model.step_layers(x, slots, where, theirs)
        before = ours.both.clone()
        got = kernel.decode_step(x, slots, where, ours)
        for mine, other in zip(got, wanted, strict=True):
            assert _distance(mine, other) < 0.02
        written = torch.zeros_like(before, dtype=torch.bool)
        for slot, length in zip(slots.tolist(), lengths, strict=True):
            written[:, :, slot, :, length] = True
        assert torch.equal(ours.both[~written], before[~written])
        assert _distance(ours.both[written], theirs.both[written]) < 0.02
        for _ in range(20):  # the same bits again, which a race would not give
            again = kernel.decode_step(x, slots, where, ours)
            assert all(torch.equal(a, b) for a, b in zip(again, got, strict=True))


@pytest.mark.gpu
@needs_gpu
def test_a_graph_of_it_goes_on_from_launch_to_launch() -> None:
    """Steps of one and two rows in turn, through the model as the engine calls it."""
    model, ours, theirs, x, slots = _step(2)
    lengths = torch.tensor([30, 500], device=GPU)
    kernel = model.megakernel  # graphs read what it holds
    assert kernel is not None
    with torch.inference_mode():
        graphs = []
        for rows in (1, 2):
            model.decode_step(x[:rows], slots[:rows], lengths[:rows], ours)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                scores = model.decode_step(x[:rows], slots[:rows], lengths[:rows], ours)
            graphs.append((rows, graph, scores))
        theirs.both.copy_(ours.both)
        model.__dict__["megakernel"] = None
        for turn in range(30):
            rows, graph, scores = graphs[turn % 2]
            x.normal_()
            lengths += 1
            graph.replay()
            wanted = model.decode_step(x[:rows], slots[:rows], lengths[:rows], theirs)
            assert _distance(scores, wanted) < 0.02


FILL = """
extern "C" __global__ void fill(int words) {
    extern __shared__ unsigned int memory[];
    for (int i = threadIdx.x; i < words; i += blockDim.x) *(volatile unsigned int *)(memory + i) = ~0u;
}
"""


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("lengths", [[100], [20], [100, 30], [60, 60, 60, 60]])
def test_what_others_left_in_shared_memory_is_not_read(lengths: list[int]) -> None:
    """All of it is made no numbers before: one that is read spoils the step."""
    from worker.minicpm.nvrtc import INT32, Kernel, compile_source

    model, ours, theirs, x, slots = _step(len(lengths))
    kernel = model.megakernel
    assert kernel is not None
    assert kernel.takes(len(lengths))
    facts = torch.cuda.get_device_properties(GPU)
    memory = facts.shared_memory_per_block_optin  # type: ignore[attr-defined]
    fill = Kernel(compile_source(FILL, {}, {}, CAPABILITY), "fill", GPU, memory)
    where = torch.tensor(lengths, device=GPU)
    with torch.inference_mode():
        wanted = model.step_layers(x, slots, where, theirs)
        for _ in range(3):
            fill.launch(facts.multi_processor_count, 512, [(memory // 4, INT32)])
            got = kernel.decode_step(x, slots, where, ours)
            for mine, other in zip(got, wanted, strict=True):
                assert _distance(mine, other) < 0.02


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_not_finite_stays_so(odd: float) -> None:
    """Taken as whole numbers, it could turn into some number: the overflow would not be seen."""
    model, ours, _, x, slots = _step(2)
    x[1, 77] = odd
    with torch.inference_mode():
        kernel = model.megakernel
        assert kernel is not None
        _, update = kernel.decode_step(x, slots, torch.tensor([5, 5], device=GPU), ours)
    assert update[0].isfinite().all()
    assert not update[1].isfinite().any()


def _step(rows: int) -> tuple[LanguageModel, KVCache, KVCache, Tensor, Tensor]:
    """Two layers of the real network's size, two caches that hold the same, and tokens and slots."""
    torch.manual_seed(rows)
    config = LanguageConfig(4096, 12288, 2, 32, 8, 128, 512, 4096, 1e-6, 1e6)
    model = random_model(config, GPU)
    ours, theirs = (KVCache(config, SLOTS, ROOM, GPU, torch.bfloat16) for _ in range(2))
    ours.both.normal_()
    theirs.both.copy_(ours.both)
    x = torch.randn(rows, config.hidden_size, device=GPU).bfloat16()
    return model, ours, theirs, x, torch.tensor([5, 2, 7, 0][:rows], device=GPU)


def _distance(got: Tensor, wanted: Tensor) -> float:
    return ((got.float() - wanted.float()).norm() / wanted.float().norm()).item()
