"""The JSON that we write. Records are what the API and the exports both tell; the API's shapes add
addresses and progress to them.

Times of day are milliseconds since 1970, UTC; `start_ms`, `end_ms` and `frame_times_ms` count from
the video's first displayable picture.
"""

from typing import Any, Literal, NotRequired, TypedDict


class VideoRecord(TypedDict):
    id: str
    sha256: str
    size_bytes: int
    duration_ms: int
    width: int  # pixels as displayed
    height: int
    codec: str
    container: str
    has_audio: bool
    mime_type: str  # empty: no browser plays it
    warnings: list[str]


class VideoShape(VideoRecord):
    url: str | None  # null: the file was removed
    removed_ms: int | None  # when the server's retention removed it


class FailureRecord(TypedDict):
    kind: str
    message: str
    window: int | None
    start_ms: int | None


class NetworkRecord(TypedDict):
    name: str
    checkpoint: str  # a hub name, or a folder's
    fingerprint: str  # of its configuration and weights


class JobRecord(TypedDict):
    id: str
    filename: str  # as the person named it
    state: str
    commentator: str
    commentator_label: str  # what a person must know before believing it
    parameters: dict[str, Any]  # the job's snapshot
    networks: list[NetworkRecord]  # that commented it, in order; empty before, and for builtin
    windows_total: int  # segments there will be when the job is done
    source_id: str | None  # the job that it runs again
    windows_taken: int  # over from that job, with their segments
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    failure: FailureRecord | None


class RefusalShape(TypedDict):
    kind: str
    message: str


class ChapterRecord(TypedDict):
    """A stretch of a video, from one real change to the next. Times are those of segments."""

    start_ms: int
    end_ms: int
    title: str  # empty: nothing was said in it
    text: str


class SummaryRecord(TypedDict):
    """The whole video in few words, told from its segments by its commentator."""

    title: str
    text: str
    chapters: list[ChapterRecord]  # they tile the video
    finished_ms: int


class UtteranceRecord(TypedDict):
    """What is said in a stretch of the video, by a recogniser of speech, which can be wrong."""

    start_ms: int
    end_ms: int
    text: str
    language: str  # as the recogniser names it; empty: it doesn't tell


class TranscriptShape(TypedDict):
    """What is said, as far as it is written down."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    steps_done: int
    steps_total: int
    failure: RefusalShape | None
    offered: bool  # somebody writes down speech here, and the video has sound
    utterances: list[UtteranceRecord]


class EffortRecord(TypedDict):
    """Milliseconds of work on all passages of a summary, and tokens if the commentator counts them."""

    waiting_ms: float
    prefill_ms: float
    generate_ms: float
    total_ms: float
    tokens_in: int | None
    tokens_out: int | None


class SummaryShape(TypedDict):
    """A summary as far as it is made; `summary` is null until it is ready."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    steps_done: int
    steps_total: int
    failure: RefusalShape | None
    summary: SummaryRecord | None
    outdated: bool  # comments were corrected since
    passages: int  # questions and their answers that it took
    effort: EffortRecord


class LinksShape(TypedDict):
    self: str
    page: str
    segments: str
    summary: str
    transcript: str
    events: str
    exports: dict[str, str]  # by format: those of which there is something
    renders: dict[str, str]  # by format: those that take time to make


class ThumbnailsShape(TypedDict):
    """Pictures of windows on sheets, row by row: window n is on sheet n // (columns * rows)."""

    url: str  # of a sheet; put its number in place of {sheet}
    columns: int
    rows: int
    width: int  # pixels of one thumbnail
    height: int


class AdditionShape(TypedDict):
    """A summary or a transcript: how far it is."""

    kind: str  # "summary" or "transcript"
    state: str  # "waiting", "making", "ready" or "failed"
    steps_done: int
    steps_total: int  # as far as is known: a summary is laid out once all windows are commented
    failure: RefusalShape | None


class JobShape(JobRecord):
    priority: int
    additions: list[AdditionShape]  # that were asked for
    hindrance: str | None  # why nobody will take it up, as a sentence
    video: VideoShape
    windows_done: int
    realtime: float | None  # seconds of video commented per second of work
    eta_ms: int | None
    still: str | None  # a picture of the first window, once there is one
    thumbnails: ThumbnailsShape
    links: LinksShape


class JobListShape(TypedDict):
    jobs: list[JobShape]
    next: str | None  # pass it as `before` to go on
    counts: dict[str, int]
    failures: dict[str, int]  # failed jobs by the kind of their failure


class IdListShape(TypedDict):
    ids: list[str]
    next: str | None  # pass it as `before` to go on


class ErrorShape(TypedDict):
    kind: str
    message: str


class ErrorAnswer(TypedDict):
    """What every refusal looks like."""

    error: ErrorShape


class PriorityWish(TypedDict):
    priority: int


class CorrectionWish(TypedDict):
    text: str | None  # null: as it was said
    revision: int  # of the segment as it was seen
    by: NotRequired[str]


class RunWish(TypedDict):
    parameters: NotRequired[dict[str, str | int | float]]
    windows: NotRequired[str]  # as in "0-3,7"; without them the whole video
    priority: NotRequired[int]


class BatchWish(TypedDict):
    """With either `ids` or `failure`."""

    action: Literal["pause", "resume", "cancel", "retry", "delete"]
    ids: NotRequired[list[str]]
    failure: NotRequired[str]  # all jobs that failed in that way


class HealthShape(TypedDict):
    status: str
    version: str


class ReadyShape(TypedDict):
    status: str


class OutcomeShape(TypedDict):
    """What became of one job of a batch."""

    id: str
    state: str | None  # None: deleted, or never there
    error: ErrorShape | None  # why it was left as it was


class BatchShape(TypedDict):
    outcomes: list[OutcomeShape]
    done: int
    refused: int
    left: int  # that fit as well and were not tried: send the batch again


class RunShape(TypedDict):
    """A job among the other jobs of its video."""

    id: str
    filename: str
    state: str
    commentator: str
    parameters: dict[str, Any]
    created_ms: int
    windows_done: int
    windows_total: int
    windows_taken: int
    source_id: str | None
    page: str


class RunListShape(TypedDict):
    runs: list[RunShape]  # the newest first; the job itself is among them
    next: str | None  # pass it as `before` to go on


class StretchShape(TypedDict):
    text: str
    shared: bool  # the other run says it too


class SideShape(TypedDict):
    segments: list["BriefSegmentShape"]
    words: list[StretchShape]  # of all its segments, joined


class BriefSegmentShape(TypedDict):
    index: int
    start_ms: int
    end_ms: int
    kind: str
    text: str
    corrected: bool
    taken_from: str | None


class RowShape(TypedDict):
    """What two runs say of the same stretch of a video."""

    start_ms: int
    end_ms: int
    left: SideShape
    right: SideShape
    differs: bool


class ComparisonShape(TypedDict):
    left: RunShape
    right: RunShape
    rows: list[RowShape]
    total: int
    different: int  # of them
    next: int | None  # pass it as `since` to go on


class UploadShape(TypedDict):
    """A file that arrives, or has: then it has a job or a failure."""

    id: str
    filename: str
    size_bytes: int
    offset_bytes: int  # how much is here
    job: str | None
    failure: RefusalShape | None
    parameters: dict[str, Any]  # what its job will be given
    priority: int
    created_ms: int
    expires_ms: int | None  # when it is given up, unless more comes


class UploadListShape(TypedDict):
    uploads: list[UploadShape]
    next: str | None  # pass it as `before` to go on


class FetchShape(TypedDict):
    """A file that the server gets by itself: it ends with a job or a failure."""

    id: str
    kind: str  # "folder" or "url"
    address: str  # a path in the server's folder, or a URL without its query
    watched: bool  # nobody wished for it: it came into the folder
    filename: str
    state: str  # "waiting", "fetching", "checking", "refused" or "done"
    size_bytes: int | None  # null: not known yet
    offset_bytes: int  # how much is here
    trouble: str | None  # why it waits to be tried again
    job: str | None
    failure: RefusalShape | None
    parameters: dict[str, Any]
    priority: int
    created_ms: int
    links: dict[str, str]


class FetchWish(TypedDict):
    """With either `paths`, in the server's folder, or `urls`."""

    paths: NotRequired[list[str]]
    urls: NotRequired[list[str]]
    fields: NotRequired[dict[str, str]]  # as of an upload, but for `filename`


class FetchListShape(TypedDict):
    fetches: list[FetchShape]  # the newest first
    next: str | None  # pass it as `before` to go on


class FetchRefusedShape(TypedDict):
    address: str  # as it was sent
    error: RefusalShape


class FetchesBegunShape(TypedDict):
    fetches: list[FetchShape]  # in the order in which they were sent
    refused: list[FetchRefusedShape]


class EntryShape(TypedDict):
    """A folder, or a video, in the server's folder."""

    name: str
    path: str  # what to send
    is_folder: bool
    size_bytes: int
    modified_ms: int


class FolderShape(TypedDict):
    path: str  # "": the whole
    entries: list[EntryShape]  # folders first, by name
    left: int  # that fit as well; ask for more, or with a part of the name as `q`
    others: int  # that are left out: no videos, links
    watched: bool  # what comes into it is queued by itself
    trouble: str | None  # why that waits


class PresetShape(TypedDict):
    """A job's parameters under a name: those that differ from the defaults, as the form sends them."""

    name: str
    fields: dict[str, str]


class PresetListShape(TypedDict):
    presets: list[PresetShape]


class TimingsRecord(TypedDict):
    """Milliseconds of work on one window, as measured, to the microsecond."""

    waiting_ms: float
    decode_ms: float
    vision_ms: float
    prefill_ms: float
    generate_ms: float
    total_ms: float


class SegmentRecord(TypedDict):
    """What was said of the span [start_ms, end_ms)."""

    index: int
    start_ms: int
    end_ms: int
    kind: str  # "said", "unchanged" or "empty"
    text: str  # empty unless said; a person's correction goes before what the commentator said
    reason: str | None  # why nothing could be said
    original_kind: str  # of what the commentator said
    original_text: str
    revision: int  # grows with every change by a person; 0: none
    corrected_by: str | None  # as they call themselves; None: nobody, or somebody without a name
    corrected_ms: int | None  # None: not corrected
    taken_from: str | None  # the job that said it, if this one took it over
    facts: dict[str, Any] | None  # what the commentator says it saw
    frame_times_ms: list[int]  # when the frames it was shown appear
    timings: TimingsRecord
    tokens_in: int | None
    tokens_out: int | None
    created_ms: int


class SegmentShape(SegmentRecord):
    still: str | None  # null: the video was removed


class PlaybackShape(TypedDict):
    """A copy of the video that every browser plays."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    progress: float  # 0 to 1
    message: str | None  # why it failed
    url: str | None  # once it is ready


class WritingShape(TypedDict):
    """A window whose comment is being written just now; its segment will replace it."""

    index: int
    start_ms: int
    end_ms: int
    text: str  # so far


class SegmentListShape(TypedDict):
    segments: list[SegmentShape]
    writing: list[WritingShape]
    next: int  # pass it as `since` to go on
    state: str


class MinuteShape(TypedDict):
    """What was stored in a minute that began at `start_ms`."""

    start_ms: int
    windows: int
    video_ms: int
    tokens_out: int


class QueueShape(TypedDict):
    """What a commentator still has to do."""

    commentator: str
    jobs: int
    windows: int


class HoldShape(TypedDict):
    """What a worker is at: a window, or a step of an addition."""

    job: str
    filename: str
    window: int | None
    addition: str | None  # "summary" or "transcript"
    page: str


class AcceleratorShape(TypedDict):
    name: str
    used_bytes: int  # whoever takes them
    total_bytes: int


class WorkerShape(TypedDict):
    """A process that comments, heard of within the last half minute."""

    name: str
    host: str
    commentator: str
    streams: int  # windows that it comments at once
    started_ms: int
    seen_ms: int
    memory_bytes: int  # without its decoders'
    accelerator: AcceleratorShape | None
    holds: list[HoldShape]


class ActivityShape(TypedDict):
    jobs: dict[str, int]  # by state
    queue: list[QueueShape]
    minutes: list[MinuteShape]  # of the last hour, the present one last
    failures: dict[str, int]  # failed jobs by kind
    workers: list[WorkerShape]


class CommentatorShape(TypedDict):
    name: str
    label: str  # what a person must know before believing it
    takes_prompt: bool  # profile, instruction and the other parameters of a prompt


class ProfileShape(TypedDict):
    name: str
    title: str
    system_prompt: str


class OfferShape(TypedDict):
    """What a job can be submitted with; the first commentator is the default."""

    commentators: list[CommentatorShape]
    profiles: list[ProfileShape]
    default_profile: str


class PieceShape(TypedDict):
    text: str
    hit: bool  # it was looked for


class HitShape(TypedDict):
    """A text that was found."""

    job_id: str
    filename: str
    state: str
    commentator: str
    profile: str | None
    created_ms: int  # of the job
    source: str  # "comment", "speech" or "summary", of a chapter or of the whole video
    index: int | None  # of the window at its beginning; null: not told yet
    start_ms: int
    end_ms: int
    excerpt: list[PieceShape]  # join their texts; plain text, not HTML
    corrected: bool
    page: str  # the job's, at this second
    still: str | None  # of the window; null: the video was removed


class FindShape(TypedDict):
    hits: list[HitShape]
    total: int  # counted up to `most`
    most: int
    next: int | None  # pass it as `offset` to go on


class FormatShape(TypedDict):
    """A kind of file that commentary can be saved as."""

    name: str  # in addresses
    title: str
    group: str
    purpose: str  # one line: what it is for
    tells: str  # "comments", "chapters" or "speech"; of the latter two a job may have none
    rendered: bool  # made on demand, which takes time
    speaks: bool
    choices: list[str]  # what can be chosen: "text", "cues", "voice"


class VoiceShape(TypedDict):
    language: str
    name: str


class ExportsShape(TypedDict):
    formats: list[FormatShape]
    texts: list[str]  # the first is the default, here and below
    cues: list[str]
    voices: list[VoiceShape]
    default_voice: str
    no_speech: str | None  # why nothing can be spoken here


class RenderShape(TypedDict):
    format: str
    state: str  # "none", "waiting", "making", "ready" or "failed"
    progress: float  # 0 to 1
    message: str | None  # why it failed
    notes: list[str]  # what should be known of a file that is ready
    url: str | None  # once it is ready


class WebhookWish(TypedDict):
    url: str
    events: NotRequired[list[str]]  # all, unless told


class WebhookChange(TypedDict):
    url: NotRequired[str]
    events: NotRequired[list[str]]
    enabled: NotRequired[bool]


class WebhookShape(TypedDict):
    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_ms: int | None
    disabled_reason: str | None
    created_ms: int
    delivered_ms: int | None  # when it last took a message


class WebhookSecretShape(WebhookShape):
    secret: str  # told only when it is made


class WebhookListShape(TypedDict):
    webhooks: list[WebhookShape]


class AttemptShape(TypedDict):
    at_ms: int
    status: int | None  # of the receiver's answer
    error: str | None  # why none came
    took_ms: int


class DeliveryShape(TypedDict):
    """A message to a webhook."""

    id: str  # as in its header webhook-id
    event: str
    job: str
    state: str  # "waiting", "delivered" or "failed"
    created_ms: int
    next_ms: int | None  # when it is sent again
    body: str  # as it is sent
    attempts: list[AttemptShape]  # the newest last


class DeliveryListShape(TypedDict):
    deliveries: list[DeliveryShape]
    next: str | None  # pass it as `before` to go on
