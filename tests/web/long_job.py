"""A finished job of a very long video: ten hours, nine thousand segments, as quick to make as can be."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from sqlalchemy import insert, update

from models.clock import now_ms
from models.jobs import get_job
from models.parameters import Parameters
from models.tables import Chunk, JobState, Segment
from models.windows import milliseconds
from tests.web.commenting import segment_of, still_of
from tests.web.server import Server

HOURS = 10
SECONDS_A_FRAME = 4


def write_long_clip(path: Path) -> Path:
    """Write a clip that lasts ten hours with a frame every four seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.gop_size = 20
        for index in range(HOURS * 3600 // SECONDS_A_FRAME):
            picture = np.full((36, 64, 3), index % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index * SECONDS_A_FRAME * 1000, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def comment_all(server: Server, job_id: str) -> int:
    """Store every segment of a job, with a picture each; return how many there are."""
    with server.store.write() as session:
        job = get_job(session, job_id)
        plan = Parameters.from_json(job.parameters).plan(job.video)
        columns = [column.key for column in Segment.__table__.columns]
        rows = []
        for index in range(job.window_count):
            start, end = plan.span(index)
            row = segment_of(job, index, f"Segment {index}: a person walks by and a dog follows.")
            row.start_ms, row.end_ms = milliseconds(start), milliseconds(end)
            row.created_ms = now_ms() - (job.window_count - index) * 50
            rows.append({name: getattr(row, name) for name in columns})
        session.execute(insert(Segment), rows)
        session.execute(update(Chunk).where(Chunk.job_id == job_id).values(cursor=Chunk.stop))
        job.state, job.started_ms, job.finished_ms = JobState.DONE, now_ms() - 450_000, now_ms()
        job.ran_ms = 450_000
    first = server.media.root / server.media.still(job_id, 0)
    server.media.keep_still(server.media.scratch.draft(still_of(0)), job_id, 0)
    for index in range(1, len(rows)):
        os.link(first, (server.media.root / server.media.still(job_id, index)))
    return len(rows)
