"""One answer to where our kernels run, which attention, products and what lies between them ask."""

import pytest

pytest.importorskip("torch", reason="the runtime needs PyTorch")

import torch

from worker.minicpm import triton_support
from worker.minicpm.triton_support import runs_triton


@pytest.mark.parametrize(("capability", "there"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_gpus_that_triton_has_dropped_are_left_to_torch(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], there: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(triton_support, "find_spec", lambda name: True)
    runs = runs_triton.__wrapped__
    assert runs(torch.device("cuda:0")) is there
    assert not runs(torch.device("cpu"))
    monkeypatch.setattr(triton_support, "find_spec", lambda name: None)
    assert not runs(torch.device("cuda:0"))
