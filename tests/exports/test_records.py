"""The store's rows reach the file."""

import json

from models import chunks
from models.errors import CommentatorFailed
from models.segments import list_segments
from models.store import Store
from tests.exports.documents import exported
from tests.store.rows import LEASE_MS, claim, default_parameters, make_job, segment
from web.exports import Document
from web.records import job_record, segment_record, video_record


def test_rows_become_json(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=8)
        held = claim(session, job)
        assert held is not None
        job.video.origin_pts = 100
        said = segment(job.id, 0, "A dog runs in.")
        said.facts, said.frame_pts, said.decode_ms = {"dogs": 1}, [100, 600], 2.00049
        chunks.store_segment(session, held, said, LEASE_MS)
        chunks.release_failed(session, held, CommentatorFailed("It broke."), final=True)
        session.flush()
        session.expire_all()
        document = Document(
            video=video_record(job.video),
            job=job_record(job),
            segments=[segment_record(row, job.video) for row in list_segments(session, job.id)],
            version="1.2.3",
            exported_ms=1_700_000_003_000,
        )
        expected_job = {
            "id": job.id,
            "filename": "clip.mp4",
            "state": "failed",
            "commentator": "builtin",
            "commentator_label": "object tags, not a vision-language model",
            "parameters": default_parameters().to_json(),
            "networks": [],
            "windows_total": 2,
            "source_id": None,
            "windows_taken": 0,
            "sources": [],
            "created_ms": job.created_ms,
            "started_ms": job.started_ms,
            "finished_ms": job.finished_ms,
            "failure": {
                "kind": "commentator",
                "message": "It broke.",
                "window": 1,
                "start_ms": 4000,
            },
            "video": {
                "id": job.video_id,
                "sha256": job.video.sha256,
                "size_bytes": 1000,
                "duration_ms": 7900,
                "width": 640,
                "height": 360,
                "codec": "h264",
                "container": "mov,mp4,m4a,3gp,3g2,mj2",
                "has_audio": False,
                "mime_type": "video/mp4",
                "warnings": [],
            },
        }
        created_ms = said.created_ms
    assert json.loads(exported("json", document)) == {
        "format": "reelnotes/1",
        "provenance": {
            "version": "1.2.3",
            "exported_ms": 1_700_000_003_000,
            "text": "corrected",
            "cues": "split",
        },
        "job": expected_job,
        "summary": None,
        "speech": [],
        "segments": [
            {
                "index": 0,
                "start_ms": 0,
                "end_ms": 4000,
                "kind": "said",
                "text": "A dog runs in.",
                "reason": None,
                "original_kind": "said",
                "original_text": "A dog runs in.",
                "revision": 0,
                "corrected_by": None,
                "corrected_ms": None,
                "taken_from": None,
                "facts": {"dogs": 1},
                "frame_times_ms": [0, 500],
                "timings": {
                    "waiting_ms": 1.0,
                    "decode_ms": 2.0,
                    "vision_ms": 3.0,
                    "prefill_ms": 0.0,
                    "generate_ms": 0.5,
                    "total_ms": 6.5,
                },
                "tokens_in": None,
                "tokens_out": None,
                "created_ms": created_ms,
            }
        ],
    }
