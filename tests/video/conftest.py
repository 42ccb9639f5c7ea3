"""A decoder for every test, and how a whole video is sampled with it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from models.facts import VideoFacts, seconds
from models.windows import WindowPlan
from web.probe import probe
from worker.video.decoder import Clock, Decoder, Sampled


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def clock_of(facts: VideoFacts) -> Clock:
    return Clock(facts.stream_index, Fraction(facts.time_base), facts.origin_pts, facts.last_pts)


def plan_of(facts: VideoFacts, fps: Fraction = Fraction(2), frames: int = 4) -> WindowPlan:
    return WindowPlan(
        fps=fps,
        frames=frames,
        stride=2,
        hop=frames * 2,
        last_frame=seconds(facts, facts.last_pts),
        end=seconds(facts, facts.end_pts),
    )


def sample_all(
    decoder: Decoder,
    path: Path,
    fps: Fraction = Fraction(2),
    size: tuple[int, int] | None = None,
) -> list[Sampled]:
    """Return every window of the default plan."""
    facts = probe(path, path.name)
    plan = plan_of(facts, fps)
    windows = [plan.sample_times(window) for window in range(len(plan))]
    return list(
        decoder.sample(path, clock_of(facts), windows, 2 / fps, size or (facts.width, facts.height))
    )
