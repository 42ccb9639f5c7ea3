"""The packed layout and every kernel, against (q - z) · s in float64."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.minicpm.interpreter import run_interpreted
from worker.minicpm import awq
from worker.minicpm.awq import (
    KERNELS,
    AwqLinear,
    dequantise,
    matmul_autoawq,
    matmul_torch,
    pack,
    unpack,
)
from worker.minicpm.awq_tiles import tile, untile
from worker.minicpm.config import read_config
from worker.minicpm.weights import load_network

AUTOAWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]  # nibble i of a word holds column ORDER[i]


def pack_as_autoawq(numbers: Tensor) -> Tensor:
    """Pack in plain loops, from the published description of autoawq's order."""
    rows, columns = numbers.shape
    packed = torch.zeros(rows, columns // 8, dtype=torch.int32)
    for row in range(rows):
        for word in range(columns // 8):
            bits = 0
            for nibble, place in enumerate(AUTOAWQ_ORDER):
                bits |= int(numbers[row, 8 * word + place]) << (4 * nibble)
            packed[row, word] = bits - 2**32 if bits >= 2**31 else bits
    return packed


def random_linear(inputs: int, outputs: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Packed weights and the float64 weight (K, N) that they stand for."""
    dice = torch.Generator().manual_seed(inputs + outputs)
    q = torch.randint(0, 16, (inputs, outputs), generator=dice)
    z = torch.randint(0, 16, (inputs // 128, outputs), generator=dice)
    s = (torch.rand(inputs // 128, outputs, generator=dice) * 0.02 + 0.001).half()
    exact = (q - z.repeat_interleave(128, 0)).double() * s.double().repeat_interleave(128, 0)
    return pack(q), pack(z), s, exact


def test_unpacking_reverses_autoawqs_packing() -> None:
    numbers = torch.randint(0, 16, (5, 32), generator=torch.Generator().manual_seed(1))
    packed = pack_as_autoawq(numbers)
    assert torch.equal(unpack(packed), numbers.int())
    assert torch.equal(pack(numbers), packed)


def test_a_word_with_its_sign_bit_set_unpacks_to_eights() -> None:
    packed = torch.tensor([[-2004318072]], dtype=torch.int32)  # 0x88888888
    assert unpack(packed).tolist() == [[8] * 8]


def test_dequantising_is_exact_in_float32() -> None:
    qweight, qzeros, scales, exact = random_linear(256, 64)
    assert torch.equal(dequantise(qweight, qzeros, scales, torch.float32).double(), exact)


def test_plain_torch_multiplies_with_the_exact_weight() -> None:
    qweight, qzeros, scales, exact = random_linear(256, 64)
    x = torch.randn(3, 256, generator=torch.Generator().manual_seed(2))
    y = matmul_torch(x, qweight, qzeros, scales)
    torch.testing.assert_close(y.double(), x.double() @ exact, atol=1e-5, rtol=1e-5)


def test_plain_torch_multiplies_with_parts_of_the_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    qweight, qzeros, scales, exact = random_linear(256, 200)
    x = torch.randn(3, 256, generator=torch.Generator().manual_seed(1))
    for numbers in (1, 256 * 64, 256 * 200):
        monkeypatch.setattr(awq, "UNPACKED", numbers)
        ours = matmul_torch(x, qweight, qzeros, scales)
        torch.testing.assert_close(ours.double(), x.double() @ exact, atol=1e-4, rtol=1e-4)


class _NoConstants(TorchDispatchMode):
    """Refuses tensors made of Python's numbers: on a GPU each is a copy, which no graph may hold."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten.lift_fresh.default
        return func(*args, **kwargs or {})


def test_plain_torch_s_products_can_be_captured() -> None:
    qweight, qzeros, scales, _ = random_linear(256, 200)
    with _NoConstants():
        matmul_torch(torch.ones(3, 256), qweight, qzeros, scales)
        with pytest.raises(AssertionError):
            torch.tensor([1])


def test_a_linear_keeps_leading_dimensions() -> None:
    qweight, qzeros, scales, exact = random_linear(128, 32)
    linear = AwqLinear(128, 32)
    linear.load_state_dict({"qweight": qweight, "qzeros": qzeros, "scales": scales})
    linear.pack()
    x = torch.randn(2, 3, 128, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(linear(x).double(), x.double() @ exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "inputs", [128, 640]
)  # fewer groups than are tiled at once; some left over
def test_tiles_give_back_what_was_stored(inputs: int) -> None:
    qweight, qzeros, scales, _ = random_linear(inputs, 40)
    numbers, zeros, same_scales = untile(**tile(qweight, qzeros, scales))
    assert torch.equal(pack(numbers), qweight)
    assert torch.equal(pack(zeros), qzeros)
    assert torch.equal(same_scales, scales)


def test_a_tile_holds_the_group_in_runs_of_16() -> None:
    numbers = torch.zeros(128, 8, dtype=torch.int32)
    numbers[[0, 16, 112, 127], 3] = torch.tensor([1, 2, 3, 4], dtype=torch.int32)
    zeros = torch.full((1, 8), 9, dtype=torch.int32)
    tiled = tile(pack(numbers), pack(zeros), torch.ones(1, 8, dtype=torch.float16))
    assert tiled["tiles"].shape == (1, 8, 16)
    assert tiled["tiles"][0, 3].tolist() == [0x30000021, *[0] * 14, 0x40000000]
    assert tiled["shared"].tolist() == [[0x3C000009] * 8]


def test_a_negative_scale_survives() -> None:
    qweight, qzeros, scales, _ = random_linear(128, 8)
    assert torch.equal(untile(**tile(qweight, qzeros, -scales))[2], -scales)


def test_each_kernel_keeps_only_its_own_tensors() -> None:
    linear = AwqLinear(128, 32, KERNELS["triton"])
    for tensor in linear.buffers():
        tensor.zero_()
    linear.pack()
    assert [name for name, _ in linear.named_buffers()] == ["tiles", "shared"]


@pytest.mark.gpu
def test_autoawq_multiplies_with_the_exact_weight_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    if importlib.util.find_spec("awq") is None:
        pytest.skip("needs the autoawq package")
    qweight, qzeros, scales, exact = random_linear(256, 64)
    for rows in (3, 2000):
        x = torch.randn(rows, 256, generator=torch.Generator().manual_seed(2))
        y = matmul_autoawq(*(tensor.to("cuda") for tensor in (x, qweight, qzeros, scales)))
        torch.testing.assert_close(y.cpu().double(), x.double() @ exact, atol=2e-2, rtol=2e-2)


def test_loaded_weights_are_packed_for_their_kernel(fixtures: Path) -> None:
    path = fixtures / "awq"
    stored, tiled = (
        load_network(path, read_config(path), torch.device("cpu"), torch.float32, kernel)
        for kernel in ("torch", "triton")
    )
    name = "llm.model.layers.1.mlp.down_proj"
    as_stored = dict(stored.get_submodule(name).named_buffers())
    packed = dict(tiled.get_submodule(name).named_buffers())
    numbers, zeros, scales = untile(packed["tiles"], packed["shared"])
    assert torch.equal(numbers, unpack(as_stored["qweight"]))
    assert torch.equal(zeros, unpack(as_stored["qzeros"]))
    assert torch.equal(scales, as_stored["scales"])


SHAPES = ((128, 32), (1024, 200))  # one group; parts of unequal length and a tile half full
REAL_INPUTS = ((4096, 72), (12288, 24))


def check_triton(
    device: str, dtypes: list[torch.dtype], shapes: tuple[tuple[int, int], ...], rows: list[int]
) -> None:
    """Hold both Triton kernels to float64, with output and parts on used memory."""
    from worker.minicpm import awq_triton

    for inputs, outputs in shapes:
        qweight, qzeros, scales, exact = random_linear(inputs, outputs)
        tiled = tile(qweight.to(device), qzeros.to(device), scales.to(device))
        for dtype in dtypes:
            step = torch.finfo(dtype).eps
            for first, last in ((0, outputs), (7, outputs - 2)):
                weight = awq_triton.dequantise(
                    **tiled, dtype=dtype, first=first, outputs=last - first
                )
                wanted = exact.T[first:last].to(dtype)
                torch.testing.assert_close(weight.cpu(), wanted, atol=0, rtol=step)
            for count in rows:
                dice = torch.Generator().manual_seed(count)
                x = torch.randn(count, inputs, generator=dice).to(dtype)
                y = awq_triton.matmul(x.to(device), **tiled).cpu().double()
                wanted = x.double() @ exact
                assert (y - wanted).abs().max() < 2 * step * wanted.abs().max() + 1e-4


def check_copies(device: str) -> None:
    """A weight that is dequantised part by part multiplies like one that is whole."""
    from worker.minicpm import awq_triton

    qweight, qzeros, scales, exact = random_linear(256, 200)
    tiled = tile(qweight.to(device), qzeros.to(device), scales.to(device))
    x = torch.randn(10, 256, generator=torch.Generator().manual_seed(2))
    with pytest.MonkeyPatch.context() as patch:
        for copy in (256 * 200, 256 * 64, 256 * 199):
            patch.setattr(awq_triton, "COPY", copy)
            y = awq_triton.multiply_dequantised(x.to(device), **tiled).cpu()
            torch.testing.assert_close(y.double(), x.double() @ exact, atol=1e-3, rtol=1e-3)


def check_rows_alone(device: str, dtypes: list[torch.dtype]) -> None:
    """A row has the same bits alone, beside others, in another place and once more."""
    from worker.minicpm import awq_triton

    qweight, qzeros, scales, _ = random_linear(2048, 200)
    tiled = tile(qweight.to(device), qzeros.to(device), scales.to(device))
    for dtype in dtypes:
        x = torch.randn(300, 2048, generator=torch.Generator().manual_seed(5)).to(device, dtype)
        together = awq_triton.multiply_packed(x, tiled["tiles"], tiled["shared"])
        for first, last in (
            *((0, 1), (63, 64), (5, 21), (10, 40), (0, 64)),
            *((299, 300), (60, 135), (100, 300), (3, 259), (0, 300)),
        ):
            alone = awq_triton.multiply_packed(x[first:last], tiled["tiles"], tiled["shared"])
            assert torch.equal(alone, together[first:last])


@pytest.mark.gpu
def test_triton_multiplies_with_the_exact_weight_on_a_gpu() -> None:
    pytest.importorskip("triton", reason="needs Triton")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    dtypes = [torch.float16, torch.bfloat16]
    check_triton(
        "cuda", dtypes, SHAPES + REAL_INPUTS, [1, 2, 3, 7, 16, 17, 33, 64, 100, 131, 384, 385]
    )
    check_triton("cuda", [torch.float32], SHAPES, [3])
    check_rows_alone("cuda", dtypes)
    check_copies("cuda")


def test_triton_multiplies_with_the_exact_weight_in_its_interpreter() -> None:
    run_interpreted(
        "import torch; from tests.minicpm.test_awq import *;"
        "check_triton('cpu', [torch.float16], SHAPES, [1, 2, 3, 7, 16, 17, 33, 64, 67, 131]);"
        "check_triton('cpu', [torch.float16], REAL_INPUTS, [3, 33]);"
        "check_copies('cpu')"
    )


def check_parts(rows: list[int]) -> None:
    """Sums that come to 2 only if the two ones meet first, in the second of 8 parts."""
    from worker.minicpm.awq_triton import multiply_packed

    scales = torch.ones(16, 72).half()
    scales[[0, 15]] = 4096
    numbers, zeros = torch.full((2048, 72), 7), torch.full((16, 72), 7)
    x = torch.zeros(max(rows), 2048).half()
    for place, number, value in ((0, 8, 4096), (256, 8, 1), (384, 8, 1), (2047, 6, 4096)):
        numbers[place], x[:, place] = number, value
    tiled = tile(pack(numbers), pack(zeros), scales)
    for count in rows:
        y = multiply_packed(x[:count], tiled["tiles"], tiled["shared"])
        assert torch.equal(y, torch.full((count, 72), 2.0).half())


def test_the_parts_of_a_sum_are_the_same_for_any_number_of_rows() -> None:
    run_interpreted("from tests.minicpm.test_awq import *; check_parts([1, 17, 33, 64, 65, 150])")


@pytest.mark.parametrize(
    ("name", "dtype"), [("UNPACK_BF16", "bfloat16"), ("UNPACK_FP16", "float16")]
)
def test_the_assembly_subtracts_the_zero_from_every_nibble(name: str, dtype: str) -> None:
    """Its few instructions, carried out here: the interpreter knows no assembly."""
    pytest.importorskip("triton", reason="needs Triton")
    from worker.minicpm import awq_triton

    kind = getattr(torch, dtype)
    offset = {"bfloat16": 0xC300, "float16": 0xE400}[dtype]  # −128 and −1024
    for seed in range(16):
        dice = torch.Generator().manual_seed(seed)
        words = torch.randint(0, 2**32, (2,), generator=dice).tolist()
        pair = (offset | seed) | (offset | 15 - seed) << 16
        results = carry_out(
            getattr(awq_triton, name).value, {"$8": words[0], "$9": words[1], "$10": pair}, kind
        )
        for nibble in range(8):
            wanted = [
                (words[0] >> 4 * nibble & 15) - seed,
                (words[1] >> 4 * nibble & 15) - 15 + seed,
            ]
            assert halves(results[f"${nibble}"], kind).tolist() == wanted


def halves(word: int, kind: torch.dtype) -> Tensor:
    return torch.tensor([word & 0xFFFF, word >> 16]).to(torch.int16).view(kind).float()


def carry_out(program: str, registers: dict[str, int], kind: torch.dtype) -> dict[str, int]:
    """Run PTX of prmt, shr, lop3 (with 0xEA: a & b | c) and fma on pairs."""
    known = dict(registers)
    for line in program.strip("{}").split(";"):
        operation, _, rest = line.strip().partition(" ")
        if operation in ("", ".reg"):
            continue
        target, *sources = rest.split(", ")
        a, b, c, lut = ([known.get(s) or int(s, 0) for s in sources] + [0] * 3)[:4]
        match operation:
            case "mov.b32":
                known[target] = a
            case "prmt.b32":
                both = (a | b << 32).to_bytes(8, "little")
                known[target] = int.from_bytes(
                    bytes(both[c >> 4 * i & 7] for i in range(4)), "little"
                )
            case "shr.u32":
                known[target] = a >> b
            case "lop3.b32":
                assert lut == 0xEA
                known[target] = a & b | c
            case "fma.rn.bf16x2" | "fma.rn.f16x2":
                sums = halves(a, kind) * halves(b, kind) + halves(c, kind)
                low, high = (sums.to(kind).view(torch.int16).int() & 0xFFFF).tolist()
                known[target] = low | high << 16
            case _:
                raise AssertionError(f"{operation} is not known")
    return known
