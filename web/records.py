"""From the store's rows to the records of web/shapes."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from models.commentators import label_of
from models.facts import duration_ms, time_ms
from models.parameters import Parameters
from models.passages import get_whole, list_chapters
from models.segments import original_words, shown_words
from models.tables import Addition, AdditionKind, Job, Passage, Segment, Utterance, Video
from models.windows import milliseconds
from web.shapes import (
    ChapterRecord,
    FailureRecord,
    JobRecord,
    NetworkRecord,
    SegmentRecord,
    SourceRecord,
    SummaryRecord,
    TimingsRecord,
    UtteranceRecord,
    VideoRecord,
)


def video_record(video: Video) -> VideoRecord:
    return VideoRecord(
        id=video.id,
        sha256=video.sha256,
        size_bytes=video.size_bytes,
        duration_ms=duration_ms(video),
        width=video.width,
        height=video.height,
        codec=video.codec,
        container=video.container,
        has_audio=video.has_audio,
        mime_type=video.mime_type,
        warnings=video.warnings,
    )


def job_record(job: Job) -> JobRecord:
    return JobRecord(
        id=job.id,
        filename=job.filename,
        state=job.state.value,
        commentator=job.commentator,
        commentator_label=label_of(job.commentator),
        parameters=Parameters.from_json(job.parameters).to_json(),
        networks=_network_records(job.networks),
        windows_total=job.window_count,
        source_id=job.source_id,
        windows_taken=job.windows_taken,
        sources=[
            SourceRecord(
                job_id=source["job_id"],
                commentator=source["commentator"],
                commentator_label=label_of(source["commentator"]),
                networks=_network_records(source["networks"]),
                windows=source["windows"],
            )
            for source in job.sources
        ],
        created_ms=job.created_ms,
        started_ms=job.started_ms,
        finished_ms=job.finished_ms,
        failure=_failure_record(job),
    )


def _network_records(networks: Iterable[Mapping[str, str]]) -> list[NetworkRecord]:
    return [
        NetworkRecord(
            name=network["name"],
            checkpoint=network["checkpoint"],
            fingerprint=network["fingerprint"],
        )
        for network in networks
    ]


def _failure_record(job: Job) -> FailureRecord | None:
    if job.failure_kind is None:
        return None
    window, start_ms = job.failure_window, None
    if window is not None:
        start, _ = Parameters.from_json(job.parameters).plan(job.video).span(window)
        start_ms = milliseconds(start)
    return FailureRecord(
        kind=job.failure_kind, message=job.failure_text or "", window=window, start_ms=start_ms
    )


def segment_record(row: Segment, video: Video, *, original: bool = False) -> SegmentRecord:
    """Tell of a segment in the words that are shown: a person's correction, unless `original`."""
    words = original_words(row) if original else shown_words(row)
    return SegmentRecord(
        index=row.index,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        kind=words.kind.value,
        text=words.text,
        reason=words.reason,
        original_kind=row.kind.value,
        original_text=row.text,
        revision=row.revision,
        corrected_by=row.corrected_by,
        corrected_ms=None if row.correction is None else row.corrected_ms,
        taken_from=row.taken_from,
        facts=row.facts,
        frame_times_ms=[time_ms(video, pts) for pts in row.frame_pts],
        timings=_timings_record(row),
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        created_ms=row.created_ms,
    )


def summary_record(finished_ms: int, whole: Passage, chapters: Sequence[Passage]) -> SummaryRecord:
    return SummaryRecord(
        title=whole.title,
        text=whole.text,
        chapters=[
            ChapterRecord(
                start_ms=chapter.start_ms,
                end_ms=chapter.end_ms,
                title=chapter.title,
                text=chapter.text,
            )
            for chapter in chapters
        ],
        finished_ms=finished_ms,
    )


def utterance_record(row: Utterance) -> UtteranceRecord:
    return UtteranceRecord(
        start_ms=row.start_ms, end_ms=row.end_ms, text=row.text, language=row.language
    )


def read_summary(session: Session, job_id: str) -> SummaryRecord | None:
    """Return the finished summary, the one before where making it anew failed; None where nothing is told."""
    addition = session.get(Addition, (job_id, AdditionKind.SUMMARY))
    if addition is None or addition.finished_ms is None:
        return None
    whole, chapters = get_whole(session, job_id), list_chapters(session, job_id)
    return summary_record(addition.finished_ms, whole, chapters) if whole else None


def _timings_record(row: Segment) -> TimingsRecord:
    """Keep microseconds: what is finer is noise."""
    return TimingsRecord(
        waiting_ms=round(row.waiting_ms, 3),
        decode_ms=round(row.decode_ms, 3),
        vision_ms=round(row.vision_ms, 3),
        prefill_ms=round(row.prefill_ms, 3),
        generate_ms=round(row.generate_ms, 3),
        total_ms=round(row.total_ms, 3),
    )
