"""The store's rows reach the file."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from models.tables import CommentKind, Job, JobState, Segment, Table, Video
from tests.exports.documents import exported
from web.exports import document_from_rows


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Table.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(stored_video())
        session.add(stored_job())
        session.flush()
        session.add(stored_segment())
        session.flush()
        session.expire_all()
        yield session
    engine.dispose()


def stored_video() -> Video:
    return Video(
        id="v" * 16,
        sha256="cd" * 32,
        size_bytes=1000,
        created_ms=1,
        container="matroska,webm",
        codec="vp9",
        stream_index=0,
        width=320,
        height=240,
        time_base="1/90000",
        origin_pts=9000,
        last_pts=9000 + 180_000,
        end_pts=9000 + 183_015,
        frame_count=61,
        has_audio=False,
        mime_type="video/webm",
        warnings=["Two video streams; the first is used."],
    )


def stored_job() -> Job:
    return Job(
        id="j" * 16,
        video_id="v" * 16,
        filename="späte Ankunft.webm",
        commentator="builtin",
        parameters={"capture_fps": 2.0},
        window_count=2,
        state=JobState.FAILED,
        priority=0,
        created_ms=1_700_000_000_000,
        started_ms=1_700_000_001_000,
        finished_ms=1_700_000_002_000,
        failure_kind="worker-lost",
        failure_text="The worker died three times.",
        failure_window=1,
        hint_epoch=0,
        hinted_ms=0,
    )


def stored_segment() -> Segment:
    return Segment(
        job_id="j" * 16,
        index=0,
        start_ms=0,
        end_ms=2033,
        kind=CommentKind.SAID,
        text="A dog runs in.",
        reason=None,
        facts={"objects": {"dog": 1}},
        frame_pts=[9000, 9000 + 45_045],
        waiting_ms=0.5,
        decode_ms=1.5,
        vision_ms=2.5,
        prefill_ms=3.5,
        generate_ms=4.5,
        total_ms=12.5,
        tokens_in=300,
        tokens_out=9,
        created_ms=2,
    )


def test_rows_become_json(session: Session) -> None:
    job = session.get_one(Job, "j" * 16)
    rows = session.scalars(select(Segment).order_by(Segment.index))
    document = document_from_rows(job, rows, version="1.2.3", exported_ms=1_700_000_003_000)
    assert json.loads(exported("json", document)) == {
        "format": "reelnotes/1",
        "provenance": {
            "program": "Reelnotes",
            "version": "1.2.3",
            "exported_at": "2023-11-14T22:13:23.000Z",
        },
        "video": {
            "filename": "späte Ankunft.webm",
            "sha256": "cd" * 32,
            "duration_ms": 2034,
            "width": 320,
            "height": 240,
            "codec": "vp9",
            "warnings": ["Two video streams; the first is used."],
        },
        "job": {
            "id": "j" * 16,
            "commentator": "builtin",
            "label": "object tags, not a vision-language model",
            "parameters": {"capture_fps": 2.0},
            "window_count": 2,
            "state": "failed",
            "failure": {
                "kind": "worker-lost",
                "text": "The worker died three times.",
                "window": 1,
            },
            "created_at": "2023-11-14T22:13:20.000Z",
            "started_at": "2023-11-14T22:13:21.000Z",
            "finished_at": "2023-11-14T22:13:22.000Z",
        },
        "segments": [
            {
                "index": 0,
                "start_ms": 0,
                "end_ms": 2033,
                "kind": "said",
                "text": "A dog runs in.",
                "reason": None,
                "facts": {"objects": {"dog": 1}},
                "frames_ms": [0, 501],
                "timings_ms": {
                    "waiting": 0.5,
                    "decode": 1.5,
                    "vision": 2.5,
                    "prefill": 3.5,
                    "generate": 4.5,
                    "total": 12.5,
                },
                "tokens_in": 300,
                "tokens_out": 9,
            }
        ],
    }
