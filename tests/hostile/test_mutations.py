"""Thousands of broken files: each is read, or refused with a kind and a sentence, within limits."""

import os
import resource
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from models.errors import FAILURES, AppError, CommentatorFailed, InternalError
from models.facts import VideoFacts, duration_ms
from tests.conftest import MEDIA
from tests.hostile.mutations import LARGEST_BASE, Mutant, mutant, write_bases
from tests.video.conftest import clock_of, plan_of
from web.probe import SECONDS, probe
from worker.video.decoder import Decoder

OURS = {InternalError.kind, CommentatorFailed.kind}  # kinds that no file may cause
MEMORY_LIMIT = 2 << 30  # bytes; confinement's ground, and pictures of 1080p
WINDOW_SECONDS = 20.0
LARGEST_INTEGER = 2**63  # of a column of the store
WINDOWS_SAMPLED = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    stage: str  # what ended it: "probe", "sampling" or "" for a good file
    kind: str
    sentence: str
    seconds: float


def test_broken_files_hurt_nobody(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = request.config.getoption("--seed")
    count = request.config.getoption("--mutations")
    sources = [*write_bases(tmp_path), *real_clips()]
    bases = [path.read_bytes() for path in sources]
    children_before = set(psutil.Process().children())  # the brokers and servers of other tests
    open_before = len(os.listdir("/proc/self/fd"))
    decoder = Decoder(WINDOW_SECONDS)
    outcomes = []
    for number in range(count):
        outcomes.append(outcome_of(mutant(seed, number, bases), decoder, tmp_path / "mutant"))
    decoder.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    with capsys.disabled():
        print(f"\n{report(seed, len(bases), outcomes, peak)}")
    assert [outcome for outcome in outcomes if not is_honest(outcome)] == []
    assert max(outcome.seconds for outcome in outcomes) < SECONDS
    assert peak < MEMORY_LIMIT
    assert set(psutil.Process().children()) <= children_before
    assert len(os.listdir("/proc/self/fd")) == open_before


def real_clips() -> list[Path]:
    """Return the real clips beside the project that are small; none where they are missing."""
    clips = MEDIA.iterdir() if MEDIA.is_dir() else ()
    return sorted(
        path for path in clips if path.suffix != ".md" and 0 < path.stat().st_size < LARGEST_BASE
    )


def outcome_of(broken: Mutant, decoder: Decoder, path: Path) -> Outcome:
    """Take a file the way of an upload and of its first, middle and last windows."""
    path.write_bytes(broken.content)
    started, stage = time.monotonic(), "probe"
    try:
        facts = probe(path, broken.name)
        check_storable(facts)
        stage = "sampling"
        sample_some(decoder, path, facts)
    except AppError as error:
        return Outcome(broken.name, stage, error.kind, str(error), time.monotonic() - started)
    return Outcome(broken.name, "", "good", "", time.monotonic() - started)


def check_storable(facts: VideoFacts) -> None:
    """See that the store's columns hold what was found."""
    for ticks in (facts.origin_pts, facts.last_pts, facts.end_pts, duration_ms(facts)):
        assert -LARGEST_INTEGER <= ticks < LARGEST_INTEGER, facts
    assert facts.origin_pts <= facts.last_pts <= facts.end_pts, facts
    assert 1 <= facts.width < 2**31, facts
    assert 1 <= facts.height < 2**31, facts
    assert Fraction(facts.time_base) > 0, facts
    assert max(len(facts.time_base), len(facts.mime_type)) <= 32, facts
    assert max(len(facts.container), len(facts.codec)) <= 64, facts


def sample_some(decoder: Decoder, path: Path, facts: VideoFacts) -> None:
    plan = plan_of(facts)
    some = sorted({0, len(plan) // 2, len(plan) - 1})[:WINDOWS_SAMPLED]
    windows = [plan.sample_times(window) for window in some]
    sampled = list(decoder.sample(path, clock_of(facts), windows, Fraction(1), (96, 64)))
    assert len(sampled) == len(some)


def is_honest(outcome: Outcome) -> bool:
    """Tell whether a refusal names the file, or the video, and the fault is the file's."""
    if outcome.kind == "good":
        return True
    start = outcome.name if outcome.stage == "probe" else "The video"
    told = outcome.sentence.startswith(start) or outcome.sentence.startswith(
        ("Decoding", "The system")
    )
    return outcome.kind in FAILURES.keys() - OURS and told and outcome.sentence.endswith((".", "?"))


def report(seed: int, bases: int, outcomes: list[Outcome], peak: int) -> str:
    kinds = Counter(f"{outcome.stage} {outcome.kind}".strip() for outcome in outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    crashes = [o for o in outcomes if "crash" in o.sentence or "ended with" in o.sentence]
    lines = [
        f"{len(outcomes)} broken files from {bases} videos, seed {seed}: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
        f"readers that crashed, and were told of: {len(crashes)}; largest reader {peak >> 20} MiB; "
        f"slowest file {slowest.seconds:.1f} s ({slowest.name})",
        *(f"  {outcome.name}: {outcome.sentence}" for outcome in crashes),
    ]
    return "\n".join(lines)


def test_damage_that_many_threads_complain_of_does_not_stop_the_decoder(tmp_path: Path) -> None:
    """FFmpeg's threads once waited for Python's lock, held by who waited for their end."""
    bases = [path.read_bytes() for path in write_bases(tmp_path) if path.suffix == ".h264"]
    path = tmp_path / "complaining.h264"
    content = bytearray(bases[0])
    for place in range(len(content) // 3, len(content), 211):
        content[place] ^= 0x10
    path.write_bytes(content)
    facts = probe(path, path.name)
    decoder = Decoder(WINDOW_SECONDS)
    for _ in range(100):
        sample_some(decoder, path, facts)
    decoder.close()
