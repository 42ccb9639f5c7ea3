"""Fixtures for every test."""

from pathlib import Path

import pytest

MEDIA = Path(__file__).parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media() -> Path:
    """Return the folder of real clips that stands beside the project; skip where it is missing."""
    if not MEDIA.is_dir():
        pytest.skip("needs the clips of ../shared/media, which are not on this machine")
    return MEDIA
