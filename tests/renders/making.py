"""Run a rendering child on files, as the server does."""

import os
from pathlib import Path
from typing import Any

from models.facts import VideoFacts
from web.child import run
from web.probe import probe


def render(
    program: str, output: Path, request: dict[str, Any], video: Path | None = None
) -> list[str]:
    """Return the child's notes."""
    files = {"output": os.open(output, os.O_RDWR | os.O_CREAT | os.O_TRUNC)}
    if video is not None:
        files["video"] = os.open(video, os.O_RDONLY)
    try:
        request = {"largest_file": 50_000_000, **request}
        told = run(program, request, files, "clip.mp4", "rendered", lambda progress: True)
        return [str(note) for note in told["notes"]]
    finally:
        for descriptor in files.values():
            os.close(descriptor)


def preview_request(video: Path, cues: list[tuple[int, int, list[str]]]) -> dict[str, Any]:
    facts: VideoFacts = probe(video, video.name)
    return {
        "stream_index": facts.stream_index,
        "origin_pts": facts.origin_pts,
        "end_pts": facts.end_pts,
        "width": facts.width,
        "height": facts.height,
        "sound": facts.has_audio,
        "cues": cues,
    }
