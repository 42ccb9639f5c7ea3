"""Sizes as the network was trained with, by literal values."""

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from worker.minicpm.config import PictureConfig
from worker.minicpm.preprocess import View, cut_views, plan_layout, to_patches
from worker.minicpm.vision import position_buckets

CONFIG = PictureConfig(resolution=448, patch_size=14)


@pytest.mark.parametrize(
    ("size", "resized", "views_of_2", "views_of_9"),
    [
        ((1920, 1080), (602, 336), 3, 9),
        ((1280, 720), (602, 336), 3, 7),
        ((640, 360), (602, 336), 3, 3),
        ((640, 480), (518, 392), 3, 3),
        ((320, 240), (518, 392), 1, 1),
        ((720, 576), (504, 406), 3, 5),
        ((1440, 1080), (518, 392), 3, 10),
        ((224, 224), (448, 448), 1, 1),
        ((1080, 1920), (336, 602), 3, 9),
        ((1920, 800), (700, 294), 3, 9),
        ((1920, 804), (686, 294), 3, 9),
    ],
)
def test_a_picture_is_resized_and_cut_as_in_training(
    size: tuple[int, int], resized: tuple[int, int], views_of_2: int, views_of_9: int
) -> None:
    assert plan_layout(size, 1, CONFIG).overview == resized
    assert plan_layout(size, 1, CONFIG).views == 1
    assert plan_layout(size, 2, CONFIG).views == views_of_2
    assert plan_layout(size, 9, CONFIG).views == views_of_9


def test_a_frame_already_resized_changes_by_a_patch_at_most() -> None:
    """So a decoder may deliver frames near the size that the network wants."""
    for size in ((1920, 1080), (640, 480), (1080, 1920), (1920, 800), (720, 576), (500, 500)):
        wanted = plan_layout(size, 1, CONFIG).overview
        again = plan_layout(wanted, 1, CONFIG).overview
        assert max(abs(a - b) for a, b in zip(again, wanted, strict=True)) <= 14, size


def test_slices_go_row_by_row() -> None:
    import numpy as np

    picture = np.zeros((770, 843, 3), np.uint8)
    picture[:385, 421:] = 255  # the upper right quarter is white
    layout = plan_layout((843, 770), 9, CONFIG)
    assert (layout.columns, layout.rows) == (2, 2)
    means = [view.pixels.mean().round() for view in cut_views(picture, layout, CONFIG)[1:]]
    assert means[1] > 240
    assert max(means[0], means[2], means[3]) < 15


def test_a_patch_lists_channels_then_rows_then_columns() -> None:
    import numpy as np

    pixels = np.zeros((28, 42, 3), np.uint8)
    pixels[14 + 2, 28 + 5, 1] = 255  # patch (1, 2), row 2, column 5, green
    patches = to_patches([View(pixels, 14, b"")], torch.device("cpu"))
    assert patches.shape == (1, 6, 588)
    assert patches[0].nonzero().shape == (6 * 588, 2)  # black is -1
    assert (patches[0] == 1).nonzero().tolist() == [[5, 196 + 2 * 14 + 5]]


def test_position_buckets_are_the_float32_ones() -> None:
    """One less than floor(70 · i / n) at these places, as the network was trained."""
    lower = {24: [], 25: [5, 10, 15, 20], 43: [], 49: [7, 14, 35, 42], 58: [29], 82: [41]}
    for cells, places in lower.items():
        wanted = [70 * i // cells - (i in places) for i in range(cells)]
        assert position_buckets(cells, 70).tolist() == wanted, cells
