"""Every real clip goes the whole way, or is refused with the right kind."""

import html
from pathlib import Path

import httpx

from client import Client, Refused
from tests.journey.stack import running_stack

REFUSED = {
    "audio_only.mp4": "no-video",
    "coffee_no_moov.mp4": "bad-file",
    "concat_in_disguise.avi": "unsupported",
    "html_error_page.webm": "bad-file",
    "mp4_bad_free_box.mp4": "bad-file",
    "mp4_only_header.mp4": "bad-file",
    "mp4_zero_stsc.mp4": "bad-file",
    "playlist_in_disguise.mp4": "unsupported",
    "vp9_invalid_bitstream.webm": "bad-file",
    "zero_bytes.mp4": "bad-file",
}
"""The rest must be done."""


def test_all_clips(media: Path, tmp_path: Path) -> None:
    clips = sorted(path for path in media.iterdir() if path.suffix != ".md")
    refused: dict[str, str] = {}
    sentences: list[str] = []
    jobs: dict[str, str] = {}
    with running_stack(tmp_path) as stack, stack.client() as client:
        for clip in clips:
            try:
                jobs[clip.name] = client.submit(clip, {})["id"]
            except Refused as refusal:
                refused[clip.name] = refusal.kind
                sentences.append(str(refusal))
        ends = {name: stack.wait_until_ended(job, 600) for name, job in jobs.items()}
        for name, job in jobs.items():
            check_commentary(client, stack.url, name, job)
    assert refused == REFUSED
    assert all(name in sentence for name, sentence in zip(refused, sentences, strict=True))
    assert set(ends.values()) == {"done"}
    assert len(clips) == 42


def check_commentary(client: Client, url: str, name: str, job_id: str) -> None:
    """See that the segments tile the video, and page and every export can be had."""
    job = client.job(job_id)
    segments = client.segments(job_id)["segments"]
    assert [segment["index"] for segment in segments] == list(range(job["windows_total"])), name
    edges = [0, *(segment["end_ms"] for segment in segments)]
    assert [segment["start_ms"] for segment in segments] == edges[:-1], name
    assert edges[-1] == job["video"]["duration_ms"], name
    page = httpx.get(f"{url}{job['links']['page']}")
    assert page.status_code == 200
    assert html.escape(name) in page.text
    for export_format in ("srt", "vtt", "json", "csv", "txt"):
        assert client.export(job_id, export_format) is not None
