"""The tables. Times of day are whole milliseconds since 1970, UTC; times of a video are ticks or milliseconds.

Video 1 ── n Job 1 ── n Chunk
                   1 ── n Segment
                   1 ── n Addition, with its Passages or Utterances
Upload, which becomes a job
Preset
Token
Worker
KeptAnswer
Webhook 1 ── n Delivery
"""

from enum import IntEnum, StrEnum
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

from models.ids import new_id


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


class FetchKind(StrEnum):
    FOLDER = "folder"  # a file of SERVER_FOLDER
    URL = "url"


class Stage(IntEnum):
    """What a chunk is about. Chunks of a stage wait until the job has none left of an earlier one."""

    SPEECH = 0  # pieces of the sound
    WINDOWS = 1
    OUTLINE = 2  # one step: which passages a summary is made of
    PASSAGES = 3  # of level 0; those of level n are stage PASSAGES + n


class AdditionKind(StrEnum):
    """What is made of a job beside its commentary."""

    TRANSCRIPT = "transcript"
    SUMMARY = "summary"


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
    # When its file was removed by KEEP_MEDIA_DAYS; one to come: until then it may be going.
    removed_ms: Mapped[int | None] = mapped_column(BigInteger)

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
    networks: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)  # that commented it
    source_id: Mapped[str | None] = mapped_column(String(16))  # the run it came from; may be gone
    windows_taken: Mapped[int] = mapped_column(Integer, default=0)  # over from that run
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Who said what was taken over, though their jobs may be gone: job_id, commentator, networks, windows."""
    stage: Mapped[int] = mapped_column(Integer, default=Stage.WINDOWS)  # whose chunks are free
    was_done: Mapped[bool] = mapped_column(Boolean, default=False)  # though it may be open again
    stills_removed: Mapped[bool] = mapped_column(Boolean, default=False)  # the video may be back

    video: Mapped[Video] = relationship(lazy="joined")


class Chunk(Table):
    """A run of consecutive steps [first, stop) of a job, done by one owner at a time.

    What a step is depends on the stage: a window, mostly.
    """

    __tablename__ = "chunks"
    __table_args__ = (UniqueConstraint("job_id", "stage", "first"), Index(None, "lease_until_ms"))

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    stage: Mapped[int] = mapped_column(Integer, default=Stage.WINDOWS)
    first: Mapped[int] = mapped_column(Integer)
    stop: Mapped[int] = mapped_column(Integer)
    cursor: Mapped[int] = mapped_column(Integer)  # the next step to do; stop = finished
    owner: Mapped[str | None] = mapped_column(String(64))  # fences every write of the chunk
    lease_until_ms: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, default=0)  # claims since the last stored window
    failure_kind: Mapped[str | None] = mapped_column(String(16))  # how the last attempt ended
    failure_text: Mapped[str | None] = mapped_column(Text)
    partial_text: Mapped[str | None] = mapped_column(Text)  # of window `cursor`, being written


class Segment(Table):
    """What was said of one window. Milliseconds of work are as measured, a fraction included."""

    __tablename__ = "segments"
    __table_args__ = (Index(None, "job_id", "created_ms"), Index(None, "created_ms"))

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

    # What people made of it; `kind`, `text` and `reason` stay as the commentator left them.
    correction: Mapped[str | None] = mapped_column(Text)  # None: as it was said; "": taken away
    revision: Mapped[int] = mapped_column(Integer, default=0)  # grows with every change by a person
    corrected_by: Mapped[str | None] = mapped_column(String(80))  # as they call themselves
    corrected_ms: Mapped[int | None] = mapped_column(BigInteger)  # or back to how it was said
    taken_from: Mapped[str | None] = mapped_column(String(16))  # the job that said it, if another


class Addition(Table):
    """That somebody wants a summary or a transcript of a job, and what became of it."""

    __tablename__ = "additions"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[AdditionKind] = mapped_column(_by_value(AdditionKind), primary_key=True)
    asked_ms: Mapped[int] = mapped_column(BigInteger)
    finished_ms: Mapped[int | None] = mapped_column(BigInteger)
    failure_kind: Mapped[str | None] = mapped_column(String(16))
    failure_text: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What this is to replace, until it is finished: how that ended, and its passages."""


class Passage(Table):
    """What is told of windows [first, stop): of level 0 from their segments, else from the level below.

    The only passage of the highest level tells of the whole video. Times are those of segments.
    """

    __tablename__ = "passages"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    first: Mapped[int] = mapped_column(Integer)
    stop: Mapped[int] = mapped_column(Integer)
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    is_chapter: Mapped[bool] = mapped_column(Boolean)
    title: Mapped[str] = mapped_column(Text, default="")  # hostile text, as `text` is
    text: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str | None] = mapped_column(Text)  # why nothing is told
    waiting_ms: Mapped[float] = mapped_column(Float, default=0.0)
    prefill_ms: Mapped[float] = mapped_column(Float, default=0.0)
    generate_ms: Mapped[float] = mapped_column(Float, default=0.0)
    total_ms: Mapped[float] = mapped_column(Float, default=0.0)
    tokens_in: Mapped[int | None] = mapped_column(Integer)
    tokens_out: Mapped[int | None] = mapped_column(Integer)
    told_ms: Mapped[int | None] = mapped_column(BigInteger)  # of comments as of then; None: not yet


class Utterance(Table):
    """What was heard in a stretch of the sound, by a recogniser. Its piece and number in it are its key."""

    __tablename__ = "utterances"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    piece: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)  # hostile text
    language: Mapped[str] = mapped_column(String(16))  # as the recogniser names it; "": not told


class Token(Table):
    """What lets somebody in: a program's token, or a person's session, which has no name and ends."""

    __tablename__ = "tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the secret, kept nowhere
    name: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    used_ms: Mapped[int | None] = mapped_column(BigInteger)  # last time, to the minute
    until_ms: Mapped[int | None] = mapped_column(BigInteger)  # a session's end
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))  # None: all


class Worker(Table):
    """A process that comments, and what it last said of itself; gone when it says nothing any more."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)  # see process_name()
    host: Mapped[str] = mapped_column(String(40))
    pid: Mapped[int] = mapped_column(Integer)
    commentator: Mapped[str] = mapped_column(String(32))
    streams: Mapped[int] = mapped_column(Integer)  # windows that it comments at once
    started_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger)
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    accelerator: Mapped[str | None] = mapped_column(String(80))  # its name; null: none
    accelerator_used_bytes: Mapped[int | None] = mapped_column(BigInteger)  # by all its processes
    accelerator_total_bytes: Mapped[int | None] = mapped_column(BigInteger)


class Upload(Table):
    """A file that arrives piece by piece; the size of its own file tells how much is here.

    It is settled once it has a job or a failure; `job_id` may name a job that was deleted since. One
    that came in a single request has a row from when it is whole, held by the process that has it.
    """

    __tablename__ = "uploads"
    __table_args__ = (Index(None, "until_ms"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    owner: Mapped[str | None] = mapped_column(
        String(128)
    )  # the visitor who began it; None: nobody asked
    length_bytes: Mapped[int] = mapped_column(BigInteger)
    metadata_text: Mapped[str] = mapped_column(Text)  # Upload-Metadata, as it came
    filename: Mapped[str] = mapped_column(Text)  # as the person named it; hostile text
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    priority: Mapped[int] = mapped_column(Integer)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    until_ms: Mapped[int] = mapped_column(BigInteger)  # its end, unless more comes before
    holder: Mapped[str | None] = mapped_column(String(64))  # has the file in hand; see owners.py
    job_id: Mapped[str | None] = mapped_column(String(16))
    failure_kind: Mapped[str | None] = mapped_column(String(16))
    failure_text: Mapped[str | None] = mapped_column(Text)

    @property
    def is_settled(self) -> bool:
        return self.job_id is not None or self.failure_kind is not None


class Fetch(Table):
    """Where the server itself gets an upload's bytes from; the upload of the same id holds the rest.

    `Upload.length_bytes` is negative as long as nobody has said how long the file is.
    """

    __tablename__ = "fetches"

    id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[FetchKind] = mapped_column(_by_value(FetchKind))
    address: Mapped[str] = mapped_column(Text)  # a path in SERVER_FOLDER, or a URL; hostile text
    validator: Mapped[str | None] = mapped_column(
        Text
    )  # of what came so far: to be the same, go on
    owner: Mapped[str | None] = mapped_column(String(64))  # the process that brings it in
    lease_until_ms: Mapped[int | None] = mapped_column(BigInteger)
    due_ms: Mapped[int] = mapped_column(BigInteger)  # not to be tried before
    attempts: Mapped[int] = mapped_column(Integer, default=0)  # in a row that brought nothing
    trouble: Mapped[str | None] = mapped_column(Text)  # why it is to be tried again
    watched_key: Mapped[str | None] = mapped_column(String(64))  # of a WatchedFile; None: a wish

    upload: Mapped[Upload] = relationship(lazy="joined", innerjoin=True)


class WatchedFile(Table):
    """A file of SERVER_FOLDER as it once was, which is not queued by itself again.

    Its row stays when the file, or its job, goes.
    """

    __tablename__ = "watched_files"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # see models/watched.py
    path: Mapped[str] = mapped_column(Text)  # for who looks into the table
    noted_ms: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64), unique=True)  # of what was queued


class Preset(Table):
    """A job's parameters under a name; only those that differ from the defaults."""

    __tablename__ = "presets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)  # hostile text
    fields: Mapped[dict[str, str]] = mapped_column(JSON)  # by the names of the form
    saved_ms: Mapped[int] = mapped_column(BigInteger)


class KeptAnswer(Table):
    """What a request under an idempotency key was answered; without a status it is still under way."""

    __tablename__ = "kept_answers"
    __table_args__ = (Index(None, "created_ms"),)

    digest: Mapped[str] = mapped_column(
        String(64), primary_key=True
    )  # of who asked what, and the key
    fingerprint: Mapped[str] = mapped_column(String(64))  # of what was sent
    owner: Mapped[str] = mapped_column(String(64))  # fences the answer; see models/owners.py
    created_ms: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[int | None] = mapped_column(Integer)
    location: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"  # all attempts are used up


class Webhook(Table):
    """An address that is told of jobs' ends."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(String(64))  # as it is: it signs
    old_secret: Mapped[str | None] = mapped_column(String(64))  # signs too, for a while
    old_until_ms: Mapped[int | None] = mapped_column(BigInteger)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    delivered_ms: Mapped[int | None] = mapped_column(BigInteger)  # when it last took something
    disabled_ms: Mapped[int | None] = mapped_column(BigInteger)
    disabled_reason: Mapped[str | None] = mapped_column(Text)


class Delivery(Table):
    """A message to a webhook, written with what it tells of; its id is the message's."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "due_ms"), Index(None, "webhook_id", "created_ms"))

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(32))
    job_id: Mapped[str] = mapped_column(String(16))  # may be gone
    body: Mapped[str] = mapped_column(Text)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[DeliveryState] = mapped_column(_by_value(DeliveryState))
    round: Mapped[int] = mapped_column(Integer)  # attempts since it was last asked for
    due_ms: Mapped[int | None] = mapped_column(BigInteger)  # of the next attempt; None: no more
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # the newest last
