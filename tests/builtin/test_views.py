"""Light, motion and cuts, on pictures that are drawn."""

from itertools import product

import numpy as np
import pytest

from tests.builtin.conftest import noise, plain
from worker.builtin.views import Box, Light, Place, is_new_view, is_same, look, motion, split_views
from worker.commentator import Picture

GREY = (120, 120, 120)


def with_patch(picture: Picture, box: Box, colour: tuple[int, int, int]) -> Picture:
    height, width = picture.shape[:2]
    result = picture.copy()
    result[
        int(box.top * height) : int(box.bottom * height),
        int(box.left * width) : int(box.right * width),
    ] = colour
    return result


@pytest.mark.parametrize(
    ("picture", "light"),
    [
        (plain((0, 0, 0)), Light.BLACK),
        (plain((16, 16, 16)), Light.PLAIN),
        (plain((90, 30, 20)), Light.PLAIN),
        (plain((90, 30, 20), 1, 1), Light.TINY),
        (noise(1, 10, 6), Light.TINY),
        (noise(1) // 5, Light.DARK),
        (noise(1), Light.NORMAL),
        (with_patch(plain((0, 0, 0)), Box(0.1, 0.9, 0.4, 0.94), (40, 40, 40)), Light.BLACK),
    ],
)
def test_light(picture: Picture, light: Light) -> None:
    assert look(picture).light is light


def test_a_cut_is_a_new_view_and_a_hand_before_the_lens_is_not() -> None:
    scene, other = look(noise(1)), look(noise(2))
    hand = look(with_patch(noise(1), Box(0.4, 0.0, 1.0, 0.75), (200, 150, 130)))
    assert is_new_view(scene, other)
    assert not is_new_view(scene, hand)


def test_a_plain_picture_is_a_new_view_unless_its_colour_is_near() -> None:
    white, cream = look(plain((250, 250, 250))), look(plain((250, 245, 235)))
    assert is_new_view(look(with_patch(noise(1), Box(0.4, 0.0, 1.0, 1.0), (250, 250, 250))), white)
    assert not is_new_view(white, cream)


def test_black_is_a_view_of_its_own() -> None:
    looks = [look(picture) for picture in (plain((0, 0, 0)), noise(1), noise(1), plain((0, 0, 0)))]
    assert split_views(looks) == [slice(0, 1), slice(1, 3), slice(3, 4)]


@pytest.mark.parametrize(
    ("left", "place"), [(0.05, Place.LEFT), (0.45, Place.MIDDLE), (0.8, Place.RIGHT)]
)
def test_motion_tells_where(left: float, place: Place) -> None:
    scene = noise(1)
    after = with_patch(scene, Box(left, 0.4, left + 0.12, 0.7), (255, 0, 255))
    assert motion(look(scene).fine, look(after).fine).places == (place,)


def test_noise_specks_and_a_change_of_light_are_no_motion() -> None:
    scene = noise(1) // 2
    rng = np.random.default_rng(3)
    grain = np.clip(scene + rng.integers(-8, 9, scene.shape), 0, 255).astype(np.uint8)
    speck = scene.copy()
    for y, x in product(range(0, 350, 40), range(0, 630, 40)):
        speck[y : y + 10, x : x + 10] = 255  # one cell in sixteen: leaves in the wind
    assert motion(look(scene).fine, look(grain).fine).places == ()
    assert motion(look(scene).fine, look(speck).fine).places == ()
    lamp = motion(look(scene).fine, look(scene + 40).fine)
    assert lamp.places == ()
    assert round(lamp.brighter) == 40


def test_a_small_new_thing_makes_another_picture() -> None:
    scene = noise(1)
    assert is_same(look(scene), look(scene))
    assert not is_same(look(scene), look(with_patch(scene, Box(0.5, 0.5, 0.53, 0.55), GREY)))
