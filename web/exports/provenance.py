"""The lines that tell a reader where an export comes from."""

from collections.abc import Iterator

from web.exports.clock import clock, time_of_day
from web.exports.document import Document
from web.exports.plain_text import plain


def provenance(document: Document) -> Iterator[str]:
    """Yield plain lines: the file, the commentator, who wrote this when, and what is missing."""
    job, label = document.job, document.job["commentator_label"]
    yield plain(f"Video: {job['filename']} ({clock(document.video['duration_ms'])})")
    yield plain(f"Commentator: {job['commentator']}" + (f" ({label})" if label else ""))
    yield plain(f"Written by Reelnotes {document.version}, {time_of_day(document.exported_ms)}")
    if job["state"] != "done":
        yield f"Not complete: the job is {job['state']}"
