"""Products with float weights, against float64."""

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from tests.minicpm.interpreter import run_interpreted
from worker.minicpm.linear import linear

SHAPES = ((128, 33), (1152, 200))  # one step; parts of unequal length and a tile half full
REAL_INPUTS = ((4096, 72), (12288, 24))


def test_leading_dimensions_are_kept() -> None:
    x, weight = torch.eye(6).reshape(2, 3, 6), torch.arange(24.0).reshape(4, 6)
    assert torch.equal(linear(x, weight), weight.T.reshape(2, 3, 4))
    assert torch.equal(linear(x[0, 1], weight), weight[:, 1])


def check_triton(
    device: str, dtypes: list[torch.dtype], shapes: tuple[tuple[int, int], ...], rows: list[int]
) -> None:
    """Hold the kernel to float64, at odd row counts, alone and in parts."""
    from worker.minicpm import linear_triton

    for inputs, outputs in shapes:
        for dtype in dtypes:
            step = torch.finfo(dtype).eps
            dice = torch.Generator().manual_seed(inputs + outputs)
            weight = torch.randn(outputs, inputs, generator=dice).to(dtype)
            for count in rows:
                x = torch.randn(count, inputs, generator=dice).to(dtype)
                y = linear_triton.linear(x.to(device), weight.to(device)).cpu().double()
                wanted = x.double() @ weight.double().T
                assert (y - wanted).abs().max() < 2 * step * wanted.abs().max() + 1e-4


def check_rows_alone(device: str, dtypes: list[torch.dtype]) -> None:
    """A row has the same bits alone, beside others, in another place and once more."""
    from worker.minicpm import linear_triton

    for dtype in dtypes:
        dice = torch.Generator().manual_seed(5)
        weight = torch.randn(72, 2048, generator=dice).to(device, dtype)
        x = torch.randn(64, 2048, generator=dice).to(device, dtype)
        together = linear_triton.multiply(x, weight)
        for first, last in ((0, 1), (63, 64), (5, 21), (10, 40), (0, 64)):
            alone = linear_triton.multiply(x[first:last], weight)
            assert torch.equal(alone, together[first:last])


def test_triton_multiplies_in_its_interpreter() -> None:
    run_interpreted(
        "import torch; from tests.minicpm.test_linear import *;"
        "check_triton('cpu', [torch.float16], SHAPES, [1, 2, 3, 7, 16, 17, 33, 64, 67]);"
        "check_triton('cpu', [torch.float16], REAL_INPUTS, [3, 33])"
    )


def check_parts(rows: list[int]) -> None:
    """Sums that come to 2 only if the two ones meet first, in the second of 8 parts."""
    from worker.minicpm.linear_triton import multiply

    weight, x = torch.zeros(72, 2048).half(), torch.zeros(64, 2048).half()
    places = [0, 256, 384, 2047]
    weight[:, places] = torch.tensor([4096.0, 1, 1, -4096]).half()
    x[:, places] = torch.tensor([4096.0, 1, 1, 4096]).half()
    for count in rows:
        assert torch.equal(multiply(x[:count], weight), torch.full((count, 72), 2.0).half())


def test_the_parts_of_a_sum_are_the_same_for_any_number_of_rows() -> None:
    run_interpreted("from tests.minicpm.test_linear import *; check_parts([1, 17, 33, 64])")


def test_what_the_kernel_cant_take_goes_to_the_library() -> None:
    """Inputs that are no whole steps; float32; a weight that is a transposed view."""
    run_interpreted(
        "import torch; from tests.minicpm.test_linear import *;"
        "check_triton('cpu', [torch.float16], ((100, 40),), [3]);"
        "check_triton('cpu', [torch.float32], ((128, 40),), [3]);"
        "from worker.minicpm import linear_triton;"
        "w = torch.randn(128, 64).half().T; x = torch.randn(2, 128).half();"
        "assert torch.equal(linear_triton.linear(x, w), x @ w.T)"
    )


@pytest.mark.gpu
def test_triton_multiplies_on_a_gpu() -> None:
    pytest.importorskip("triton", reason="needs Triton")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    dtypes = [torch.float16, torch.bfloat16]
    check_triton("cuda", dtypes, SHAPES + REAL_INPUTS, [1, 2, 3, 7, 16, 17, 33, 64, 67])
    check_rows_alone("cuda", dtypes)


@pytest.mark.gpu
def test_captured_products_equal_direct_ones_on_every_replay() -> None:
    """The counters of shared tiles are zero again after each product."""
    pytest.importorskip("triton", reason="needs Triton")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    from worker.minicpm.linear_triton import multiply

    weight = torch.randn(512, 4096, device="cuda").half()
    x = torch.randn(9, 4096, device="cuda").half()
    direct = multiply(x, weight)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = multiply(x, weight)
    for _ in range(3):
        captured.fill_(float("nan"))
        graph.replay()
        assert torch.equal(captured, direct)
