"""The packed layout and every kernel, against (q - z) · s in float64."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from worker.minicpm.awq import (
    AwqLinear,
    dequantise,
    matmul_autoawq,
    matmul_torch,
    pack,
    unpack,
)

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


def test_a_linear_keeps_leading_dimensions() -> None:
    qweight, qzeros, scales, exact = random_linear(128, 32)
    linear = AwqLinear(128, 32)
    linear.load_state_dict({"qweight": qweight, "qzeros": qzeros, "scales": scales})
    x = torch.randn(2, 3, 128, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(linear(x).double(), x.double() @ exact, atol=1e-5, rtol=1e-5)


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


def check_triton(device: str, dtypes: list[torch.dtype]) -> None:
    """Hold both Triton kernels to float64, at odd row counts and with split inputs."""
    from worker.minicpm import awq_triton

    for inputs, outputs in ((128, 32), (1024, 200)):
        qweight, qzeros, scales, exact = random_linear(inputs, outputs)
        packed = [tensor.to(device) for tensor in (qweight, qzeros, scales)]
        for dtype in dtypes:
            step = torch.finfo(dtype).eps
            weight = awq_triton.dequantise(packed[0], packed[1], packed[2], dtype)
            torch.testing.assert_close(weight.cpu(), exact.to(dtype), atol=0, rtol=step)
            for rows in (1, 17, awq_triton.FEW_ROWS, awq_triton.FEW_ROWS + 3):
                dice = torch.Generator().manual_seed(rows)
                x = torch.randn(rows, inputs, generator=dice).to(dtype)
                y = awq_triton.matmul(x.to(device), *packed).cpu().double()
                wanted = x.double() @ exact
                assert (y - wanted).abs().max() < 2 * step * wanted.abs().max() + 1e-4


@pytest.mark.gpu
def test_triton_multiplies_with_the_exact_weight_on_a_gpu() -> None:
    pytest.importorskip("triton", reason="needs Triton")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    check_triton("cuda", [torch.float16, torch.bfloat16])


def test_triton_multiplies_with_the_exact_weight_in_its_interpreter() -> None:
    """A process of its own: whether kernels are interpreted is decided when Triton is imported."""
    pytest.importorskip("triton", reason="needs Triton")
    program = (
        "import torch; from tests.minicpm.test_awq import check_triton;"
        "check_triton('cpu', [torch.float16])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
