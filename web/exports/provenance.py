"""The lines that tell a reader where an export comes from."""

from collections.abc import Iterator

from web.exports.clock import clock, time_of_day
from web.exports.document import Document
from web.exports.plain_text import plain


def provenance(document: Document) -> Iterator[str]:
    """Yield plain lines: the file, the commentator, who wrote this when, and what is missing."""
    video, job = document.video, document.job
    yield plain(f"Video: {video.filename} ({clock(video.duration_ms)})")
    yield plain(f"Commentator: {job.commentator}" + (f" ({job.label})" if job.label else ""))
    yield plain(f"Written by Reelnotes {document.version}, {time_of_day(document.exported_ms)}")
    if job.state != "done":
        yield f"Not complete: the job is {job.state}"
