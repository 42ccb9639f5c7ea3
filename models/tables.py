"""The tables. Times of day are whole milliseconds since 1970, UTC; times of a video are ticks or milliseconds.

Video 1 ── n Job 1 ── n Chunk
                   1 ── n Segment
"""

import re
import secrets
from base64 import b32encode
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class CommentKind(StrEnum):
    SAID = "said"
    UNCHANGED = "unchanged"  # nothing new since the last thing said
    EMPTY = "empty"  # nothing could be said; the segment's reason tells why


def new_id() -> str:
    """Return 16 letters and digits that can't be guessed: 80 random bits."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def is_id(text: str) -> bool:
    """Tell whether new_id() could have made it."""
    return re.fullmatch("[a-z2-7]{16}", text) is not None


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _by_value(states: type[StrEnum]) -> Enum:
    return Enum(
        states,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Video(Table):
    """A file's content, stored once however often and under whatever names it is uploaded."""

    __tablename__ = "videos"

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_ms: Mapped[int] = mapped_column(BigInteger)

    # What the probe found; see VideoFacts for what each means.
    container: Mapped[str] = mapped_column(String(64))
    codec: Mapped[str] = mapped_column(String(64))
    stream_index: Mapped[int] = mapped_column(Integer)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    time_base: Mapped[str] = mapped_column(String(32))
    origin_pts: Mapped[int] = mapped_column(BigInteger)
    last_pts: Mapped[int] = mapped_column(BigInteger)
    end_pts: Mapped[int] = mapped_column(BigInteger)
    frame_count: Mapped[int] = mapped_column(BigInteger)
    has_audio: Mapped[bool] = mapped_column(Boolean)
    mime_type: Mapped[str] = mapped_column(String(32))
    warnings: Mapped[list[str]] = mapped_column(JSON)


class Job(Table):
    """The wish to have a video commented, with a snapshot of every parameter."""

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "state", "priority"), Index(None, "created_ms"))

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"), index=True)
    filename: Mapped[str] = mapped_column(Text)  # as the person named it; hostile text
    commentator: Mapped[str] = mapped_column(String(32))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    window_count: Mapped[int] = mapped_column(Integer)
    state: Mapped[JobState] = mapped_column(_by_value(JobState), default=JobState.QUEUED)
    priority: Mapped[int] = mapped_column(Integer, default=0)  # higher goes first
    created_ms: Mapped[int] = mapped_column(BigInteger)
    started_ms: Mapped[int | None] = mapped_column(BigInteger)
    finished_ms: Mapped[int | None] = mapped_column(BigInteger)
    running_since_ms: Mapped[int | None] = mapped_column(BigInteger)  # of the stretch under way
    ran_ms: Mapped[int] = mapped_column(BigInteger, default=0)  # in the stretches before it
    failure_kind: Mapped[str | None] = mapped_column(String(16))
    failure_text: Mapped[str | None] = mapped_column(Text)
    failure_window: Mapped[int | None] = mapped_column(Integer)
    hint_epoch: Mapped[int] = mapped_column(Integer, default=0)  # hints of an older epoch are void
    hinted_ms: Mapped[int] = mapped_column(BigInteger)  # when a hint was last sent or followed

    video: Mapped[Video] = relationship(lazy="joined")


class Chunk(Table):
    """A run of consecutive windows [first, stop) of a job, commented by one owner at a time."""

    __tablename__ = "chunks"
    __table_args__ = (UniqueConstraint("job_id", "first"), Index(None, "lease_until_ms"))

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    first: Mapped[int] = mapped_column(Integer)
    stop: Mapped[int] = mapped_column(Integer)
    cursor: Mapped[int] = mapped_column(Integer)  # the next window to comment; stop = finished
    owner: Mapped[str | None] = mapped_column(String(64))  # fences every write of the chunk
    lease_until_ms: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, default=0)  # claims since the last stored window
    failure_kind: Mapped[str | None] = mapped_column(String(16))  # how the last attempt ended
    failure_text: Mapped[str | None] = mapped_column(Text)


class Segment(Table):
    """What was said of one window. Milliseconds of work are as measured, a fraction included."""

    __tablename__ = "segments"
    __table_args__ = (Index(None, "job_id", "created_ms"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[CommentKind] = mapped_column(_by_value(CommentKind))
    text: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)  # why it is empty
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what the commentator says it saw
    memory: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # the commentator's own
    frame_pts: Mapped[list[int]] = mapped_column(JSON)  # ticks of Video.time_base
    waiting_ms: Mapped[float] = mapped_column(Float)
    decode_ms: Mapped[float] = mapped_column(Float)
    vision_ms: Mapped[float] = mapped_column(Float)
    prefill_ms: Mapped[float] = mapped_column(Float)
    generate_ms: Mapped[float] = mapped_column(Float)
    total_ms: Mapped[float] = mapped_column(Float)
    tokens_in: Mapped[int | None] = mapped_column(Integer)
    tokens_out: Mapped[int | None] = mapped_column(Integer)
    created_ms: Mapped[int] = mapped_column(BigInteger)
