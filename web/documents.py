"""From a job in the store to the document that an export tells."""

import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from models import additions, jobs
from models.clock import now_ms
from models.errors import NotFound
from models.frame_rate import frame_rate
from models.scratch import refusal
from models.segments import list_segments, version_of
from models.store import Store
from models.tables import Job
from models.utterances import list_utterances
from telemetry.registry import our_version
from web.exports import Choice, Document, Writer, merged, missing
from web.records import job_record, read_summary, segment_record, utterance_record, video_record
from web.shapes import SegmentRecord
from web.site import Site

_ROWS_AT_ONCE = 1000


def open_document(here: Site, job_id: str, choice: Choice) -> Document:
    """Return what was said so far, as chosen; its segments are read as they are asked for.

    Raises NotFound.
    """
    with here.store.read() as session:
        job = jobs.get_job(session, job_id)
        summary = read_summary(session, job_id)
        speech = [utterance_record(row) for row in list_utterances(session, job_id)]
    segments = _all_segments(here.store, job, original=choice.text == "original")
    return Document(
        video=video_record(job.video),
        job=job_record(job),
        segments=merged(segments) if choice.cues == "merged" else segments,
        version=our_version(),
        exported_ms=now_ms(),
        choice=choice,
        rate=frame_rate(job.video),
        summary=summary,
        speech=speech,
    )


def tag_of(here: Site, job_id: str, choice: Choice, export_format: str) -> str:
    """Return what stays the same as long as the export would say the same. Raises NotFound."""
    with here.store.read() as session:
        job = jobs.get_job(session, job_id)
        told = (
            *(job_record(job), video_record(job.video)),
            *(version_of(session, job_id), additions.version_of(session, job_id)),
        )
    known_by = repr((told, choice, export_format, our_version()))
    return hashlib.sha256(known_by.encode(errors="replace")).hexdigest()[:32]


def written(document: Document, writer: Writer) -> BinaryIO:
    """Return the document in a format, as a file that goes when it is closed.

    Raises NotFound where the job has nothing of what the format tells, DiskFull or StoreBusy where the
    disk can't take it.
    """
    if reason := missing(document, writer.tells):
        raise NotFound(reason)
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer.write(document, text)
        text.detach()
        file.seek(0)
    except OSError as error:
        raise refusal(error, "The export can't be written") from error
    return file


def _all_segments(store: Store, job: Job, *, original: bool) -> Iterator[SegmentRecord]:
    since = 0
    while True:
        with store.read() as session:
            rows = list_segments(session, job.id, since=since, limit=_ROWS_AT_ONCE)
        yield from (segment_record(row, job.video, original=original) for row in rows)
        if len(rows) < _ROWS_AT_ONCE:
            return
        since = rows[-1].index + 1
