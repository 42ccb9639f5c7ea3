"""The samples in docs/formats.md are what the writers write."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.exports.documents import document, exported, segment
from web.exports import WRITERS
from web.exports.document import Document, Timings

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def sample() -> Document:
    """The builtin commentator's answer to ten seconds of a dog that fetches a toy."""
    whole = document(
        [
            replace(
                segment(
                    0,
                    0,
                    4000,
                    "A person at the left and a dog (then not seen); something moves all across "
                    "the picture.",
                ),
                facts={"views": [{"objects": [{"name": "dog", "counts": [1, 1, 0, 0]}]}]},
                frames_ms=(0, 1001, 2002, 3003),
                timings=Timings(0.0, 354.073, 1546.134, 0.0, 0.338, 1900.7),
                tokens_out=None,
            ),
            replace(
                segment(1, 4000, 8000, "A dog appears."),
                facts={"views": [{"objects": [{"name": "dog", "counts": [1, 1, 1, 1]}]}]},
                frames_ms=(4004, 5005, 6006, 7007),
                timings=Timings(0.0, 434.901, 851.668, 0.0, 0.182, 1286.9),
                tokens_out=None,
            ),
            replace(
                segment(2, 8000, 9643, kind="unchanged"),
                frames_ms=(8008, 9009),
                timings=Timings(0.0, 205.476, 537.49, 0.0, 0.125, 743.2),
                tokens_out=None,
            ),
        ]
    )
    video = replace(
        whole.video,
        filename="dog_fetch.mp4",
        sha256="21425eb9b7fce7d3fb23fa17b1c07bcbe99ba9e64e3b5347d8052ba6d9c38924",
        duration_ms=9643,
        width=1280,
        height=720,
        warnings=(),
    )
    job = replace(whole.job, window_count=3, finished_ms=1_700_000_006_100)
    return replace(whole, video=video, job=job)


@pytest.mark.parametrize("format_name", list(WRITERS))
def test_the_page_shows_a_true_sample(format_name: str) -> None:
    page = PAGE.read_text("utf-8")
    shown = re.findall(rf"^```{format_name}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    written = exported(format_name, sample()).removeprefix("\ufeff").replace("\r\n", "\n")
    assert [text.rstrip("\n") for text in shown] == [written.rstrip("\n")]
