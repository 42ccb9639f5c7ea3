"""The JSON that we write. Records are what the API and the exports both tell; the API's shapes add
addresses and progress to them.

Times of day are milliseconds since 1970, UTC; `start_ms`, `end_ms` and `frame_times_ms` count from
the video's first displayable picture.
"""

from web.shapes.activity import (
    AcceleratorShape,
    ActivityShape,
    HoldShape,
    MinuteShape,
    QueueShape,
    WorkerShape,
)
from web.shapes.commentators import CommentatorShape, OfferShape, ProfileShape
from web.shapes.exports import ExportsShape, FormatShape, RenderShape, VoiceShape
from web.shapes.fetches import (
    EntryShape,
    FetchesBegunShape,
    FetchListShape,
    FetchRefusedShape,
    FetchShape,
    FetchWish,
    FolderShape,
)
from web.shapes.health import HealthShape, ReadyShape
from web.shapes.jobs import (
    AdditionShape,
    BatchShape,
    BatchWish,
    FailureRecord,
    IdListShape,
    JobListShape,
    JobRecord,
    JobShape,
    LinksShape,
    NetworkRecord,
    OutcomeShape,
    PriorityWish,
    SourceRecord,
    ThumbnailsShape,
)
from web.shapes.presets import PresetListShape, PresetShape
from web.shapes.refusals import ErrorAnswer, ErrorShape, RefusalShape
from web.shapes.runs import (
    BriefSegmentShape,
    ComparisonShape,
    RowShape,
    RunListShape,
    RunShape,
    RunWish,
    SideShape,
    StretchShape,
)
from web.shapes.search import FindShape, HitShape, PieceShape
from web.shapes.segments import (
    CorrectionWish,
    SegmentListShape,
    SegmentRecord,
    SegmentShape,
    TimingsRecord,
    WritingShape,
)
from web.shapes.summaries import ChapterRecord, EffortRecord, SummaryRecord, SummaryShape
from web.shapes.transcripts import TranscriptShape, UtteranceRecord
from web.shapes.uploads import UploadListShape, UploadShape
from web.shapes.videos import PlaybackShape, VideoRecord, VideoShape
from web.shapes.webhooks import (
    AttemptShape,
    DeliveryListShape,
    DeliveryShape,
    WebhookChange,
    WebhookListShape,
    WebhookSecretShape,
    WebhookShape,
    WebhookWish,
)

__all__ = [
    "AcceleratorShape",
    "ActivityShape",
    "AdditionShape",
    "AttemptShape",
    "BatchShape",
    "BatchWish",
    "BriefSegmentShape",
    "ChapterRecord",
    "CommentatorShape",
    "ComparisonShape",
    "CorrectionWish",
    "DeliveryListShape",
    "DeliveryShape",
    "EffortRecord",
    "EntryShape",
    "ErrorAnswer",
    "ErrorShape",
    "ExportsShape",
    "FailureRecord",
    "FetchListShape",
    "FetchRefusedShape",
    "FetchShape",
    "FetchWish",
    "FetchesBegunShape",
    "FindShape",
    "FolderShape",
    "FormatShape",
    "HealthShape",
    "HitShape",
    "HoldShape",
    "IdListShape",
    "JobListShape",
    "JobRecord",
    "JobShape",
    "LinksShape",
    "MinuteShape",
    "NetworkRecord",
    "OfferShape",
    "OutcomeShape",
    "PieceShape",
    "PlaybackShape",
    "PresetListShape",
    "PresetShape",
    "PriorityWish",
    "ProfileShape",
    "QueueShape",
    "ReadyShape",
    "RefusalShape",
    "RenderShape",
    "RowShape",
    "RunListShape",
    "RunShape",
    "RunWish",
    "SegmentListShape",
    "SegmentRecord",
    "SegmentShape",
    "SideShape",
    "SourceRecord",
    "StretchShape",
    "SummaryRecord",
    "SummaryShape",
    "ThumbnailsShape",
    "TimingsRecord",
    "TranscriptShape",
    "UploadListShape",
    "UploadShape",
    "UtteranceRecord",
    "VideoRecord",
    "VideoShape",
    "VoiceShape",
    "WebhookChange",
    "WebhookListShape",
    "WebhookSecretShape",
    "WebhookShape",
    "WebhookWish",
    "WorkerShape",
    "WritingShape",
]
