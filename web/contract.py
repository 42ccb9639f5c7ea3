"""What every address of the API takes, answers and asks of a token: the one place that says so.

`web/openapi.py` writes it as a document, `web/sign_in.py` enforces the scopes. A route that isn't here
fails a test, and until it is only a token of every scope gets there.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from models.commentators import COMMENTATORS
from models.jobs import PRIORITIES
from models.parameters import PARAMETER_FIELDS
from models.profiles import PROFILES
from models.tables import CommentKind, DeliveryState, JobState
from models.tokens import Scope
from models.webhooks import Event
from settings import Settings
from web import shapes
from web.exports import CUES, TEXTS, WRITERS
from web.renders import RENDERINGS

Schema = dict[str, Any]
"""A JSON Schema, as OpenAPI 3.1 takes it."""

BINARY = "application/octet-stream"
JSON = "application/json"
FORM = "multipart/form-data"
PIECE = "application/offset+octet-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in the query or in a header."""

    name: str
    meaning: str
    schema: Schema
    place: str = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A method at an address."""

    scope: Scope | None  # that a token needs; None: strangers may ask
    answer: Any = None  # a shape; None: no body
    status: int = 200
    media: str = JSON  # of the answer
    takes: tuple[Parameter, ...] = ()
    body: Any = None  # a shape of JSON
    bodies: dict[str, Schema] = field(default_factory=dict)  # by media type, where not JSON alone
    errors: tuple[int, ...] = ()  # beside those that any request may meet
    headers: tuple[str, ...] = ()  # of the answer
    once: bool = False  # heeds Idempotency-Key
    tagged: bool = False  # has an ETag, so that If-None-Match may be answered 304
    ranges: bool = False  # may be answered 206


def _number(name: str, meaning: str, low: int, high: int) -> Parameter:
    return Parameter(name, meaning, {"type": "integer", "minimum": low, "maximum": high})


def _limit(most: int, default: int) -> Parameter:
    return _number("limit", f"How many at most; {default} unless told.", 1, most)


def _choice(name: str, meaning: str, names: Any) -> Parameter:
    return Parameter(name, meaning, {"type": "string", "enum": list(names)})


def _text(name: str, meaning: str, **limits: Any) -> Parameter:
    return Parameter(name, meaning, {"type": "string", **limits})


def _header(name: str, meaning: str, required: bool = False, **schema: Any) -> Parameter:
    return Parameter(name, meaning, {"type": "string", **schema}, "header", required)


def _read(answer: Any, *takes: Parameter, errors: tuple[int, ...] = ()) -> Operation:
    return Operation(Scope.READ, answer, takes=takes, errors=errors, tagged=True)


def _change(answer: Any = shapes.JobShape, **more: Any) -> Operation:
    return Operation(Scope.MANAGE, answer, **{"errors": (409,), **more})


def _hook(answer: Any, **more: Any) -> Operation:
    return Operation(Scope.ADMIN, answer, **more)


_INT = 2**31 - 1
_MOMENT = 2**53
_BEFORE = _text("before", "The last answer's `next`: goes on behind it.")
_STATE = _choice("state", "Only those in this state.", JobState)
_JOB_FILTER = (
    _STATE,
    _choice("commentator", "Only of this commentator.", COMMENTATORS),
    _text("filename", "Only those with this in their name."),
    _number("from", "Only those submitted at this moment or later.", 0, _MOMENT),
    _number("until", "Only those submitted before this moment.", 0, _MOMENT),
)
_SINCE = _number("since", "The first one wanted; the last answer's `next` goes on.", 0, _INT)

_MEANINGS = {setting.name: setting.metadata["meaning"] for setting in fields(Settings)}
_MEANINGS |= {
    "commentator": "who comments; one of GET /api/commentators",
    "profile": f"what kind of comments: {', '.join(PROFILES)}",
    "system_prompt": "words in place of the profile's",
    "instruction": "your own wish for the comments",
    "filename": "what to call the file",
    "priority": f"{PRIORITIES[0]} to {PRIORITIES[-1]}; higher goes first",
}
_WISHES = {
    name: {"type": "string", "description": _MEANINGS[name]}
    for name in ("filename", *PARAMETER_FIELDS, "priority")
}
_FILE = {"type": "string", "contentMediaType": BINARY}
_UPLOAD: dict[str, Schema] = {
    BINARY: {},
    FORM: {
        "type": "object",
        "properties": {**_WISHES, "file": {**_FILE, "description": "the video; put it last"}},
        "required": ["file"],
    },
}
_UPLOAD_ERRORS = (409, 413, 415, 422)
_CHOICES = (
    _choice("text", "The words as corrected, or as they were said.", TEXTS),
    _choice("cues", "Every window, or what doesn't change joined.", CUES),
)
_VOICE = _text("voice", "Who speaks; GET /api/exports lists the voices.")
_EXPORT_FORM: Schema = {
    "type": "object",
    "properties": {
        "format": {"type": "string", "enum": list(WRITERS)},
        "text": {"type": "string", "enum": list(TEXTS)},
        "cues": {"type": "string", "enum": list(CUES)},
        "id": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2000},
    },
    "required": ["id"],
}
_TUS = _header("Tus-Resumable", "The protocol's version.", required=True, enum=["1.0.0"])
_TUS_ERRORS = (404, 409, 410, 412, 413, 415, 422, 460)
_TUS_HEADERS = ("Tus-Resumable", "Upload-Offset", "Upload-Expires", "Reelnotes-Job")
_PIECE_HEADERS = (
    _header("Upload-Offset", "Where the piece begins.", pattern="^[0-9]+$"),
    _header("Upload-Checksum", "Algorithm and Base64 of the piece's digest."),
)
_FORMATS = Parameter(
    "export_format", "", {"type": "string", "enum": [*WRITERS, *RENDERINGS]}, "path", True
)
_RENDERED = Parameter(
    "export_format", "", {"type": "string", "enum": list(RENDERINGS)}, "path", True
)
_RENDER_CHOICES = (_RENDERED, *_CHOICES, _VOICE)

OPERATIONS: dict[str, Operation] = {
    # Jobs
    "api.commentators GET": _read(shapes.OfferShape),
    "api.submit POST": Operation(
        Scope.SUBMIT,
        shapes.JobShape,
        201,
        takes=tuple(
            Parameter(name, schema["description"], {"type": "string"})
            for name, schema in _WISHES.items()
        ),
        bodies=_UPLOAD,
        errors=_UPLOAD_ERRORS,
        headers=("Location",),
        once=True,
    ),
    "api.index GET": _read(
        shapes.JobListShape, _limit(200, 25), _BEFORE, *_JOB_FILTER, errors=(404,)
    ),
    "api.show GET": _read(shapes.JobShape),
    "api.segments GET": _read(
        shapes.SegmentListShape,
        _limit(5000, 1000),
        _SINCE,
        _choice("kind", "Only of this kind.", CommentKind),
    ),
    "api.cancel POST": _change(),
    "api.pause POST": _change(),
    "api.resume POST": _change(),
    "api.retry POST": _change(),
    "api.change PATCH": _change(body=shapes.PriorityWish, errors=(415,)),
    "api.delete DELETE": _change(None, status=204),
    "api.playback GET": _read(shapes.PlaybackShape),
    "summary.show GET": Operation(Scope.READ, shapes.SummaryShape),
    "summary.want POST": Operation(Scope.SUBMIT, shapes.SummaryShape, 202, errors=(409,)),
    "summary.forget DELETE": _change(None, status=204),
    "transcript.show GET": Operation(Scope.READ, shapes.TranscriptShape),
    "transcript.want POST": Operation(Scope.SUBMIT, shapes.TranscriptShape, 202, errors=(409,)),
    "transcript.forget DELETE": _change(None, status=204),
    "api.want_playback POST": Operation(Scope.SUBMIT, shapes.PlaybackShape, 202, errors=(409,)),
    "events.stream GET": Operation(
        Scope.READ,
        media="text/event-stream",
        answer=str,
        takes=(_SINCE, _header("Last-Event-ID", "Goes before `since`.", pattern="^[0-9]+$")),
    ),
    # Many at once
    "batch.ids GET": _read(
        shapes.IdListShape, _limit(10_000, 10_000), _BEFORE, *_JOB_FILTER, errors=(404,)
    ),
    "batch.batch POST": Operation(
        Scope.MANAGE, shapes.BatchShape, body=shapes.BatchWish, errors=(415,), once=True
    ),
    "batch.export POST": Operation(
        Scope.READ,
        bytes,
        media="application/zip",
        bodies={FORM: _EXPORT_FORM, "application/x-www-form-urlencoded": _EXPORT_FORM},
        errors=(413,),
    ),
    # Corrections
    "corrections.show GET": _read(shapes.SegmentShape),
    "corrections.correct PUT": _change(
        shapes.SegmentShape, body=shapes.CorrectionWish, errors=(409, 415)
    ),
    # Runs
    "runs.index GET": _read(shapes.RunListShape, _limit(200, 200), _BEFORE, *_JOB_FILTER),
    "runs.start POST": Operation(
        Scope.SUBMIT,
        shapes.JobShape,
        201,
        body=shapes.RunWish,
        errors=(409, 415),
        headers=("Location",),
        once=True,
    ),
    "runs.comparison GET": _read(
        shapes.ComparisonShape,
        _text("left", "A job."),
        _text("right", "Another job of its video."),
        _limit(1000, 200),
        _SINCE,
        _choice("only", "Only rows that differ.", ("different",)),
        errors=(404,),
    ),
    "search.search GET": _read(
        shapes.FindShape,
        _text("q", "The words; those in quotes beside each other.", maxLength=400),
        *(it for it in _JOB_FILTER if it.name != "filename"),
        _choice("profile", "Only of this profile.", PROFILES),
        _limit(100, 25),
        _number("offset", "The last answer's `next`.", 0, 1000),
    ),
    # Exports
    "exporting.offer GET": _read(shapes.ExportsShape),
    "exporting.schema GET": Operation(
        Scope.READ, dict[str, Any], media="application/schema+json", tagged=True, ranges=True
    ),
    "exporting.export GET": Operation(
        Scope.READ,
        bytes,
        media="*/*",
        takes=(
            _FORMATS,
            *_CHOICES,
            _VOICE,
            _choice("inline", "For players: no download.", ("1",)),
        ),
        tagged=True,
        ranges=True,
    ),
    "exporting.show GET": _read(shapes.RenderShape, *_RENDER_CHOICES),
    "exporting.want POST": Operation(
        Scope.SUBMIT, shapes.RenderShape, 202, takes=_RENDER_CHOICES, errors=(409,)
    ),
    "exporting.forget DELETE": Operation(
        Scope.MANAGE, status=204, takes=_RENDER_CHOICES, errors=(409,)
    ),
    # Uploads (tus)
    "tus.options OPTIONS": Operation(
        None,
        status=204,
        headers=("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size"),
    ),
    "tus.create POST": Operation(
        Scope.SUBMIT,
        status=201,
        takes=(
            _TUS,
            _header("Upload-Length", "Bytes of the file.", required=True, pattern="^[0-9]+$"),
            _header("Upload-Metadata", "The fields of an upload, each a name and Base64."),
            _header("Upload-Checksum", "Of the piece that comes along."),
        ),
        bodies={PIECE: {}},
        errors=_TUS_ERRORS,
        headers=("Location", *_TUS_HEADERS),
        once=True,
    ),
    "tus.index GET": Operation(
        Scope.SUBMIT,
        shapes.UploadListShape,
        takes=(_limit(1000, 1000), _BEFORE),
        errors=(404, 410),
        tagged=True,
    ),
    "tus.show GET": Operation(Scope.SUBMIT, shapes.UploadShape, errors=(410,), tagged=True),
    "tus.head HEAD": Operation(
        Scope.SUBMIT,
        takes=(_TUS,),
        errors=(410, 412),
        headers=(*_TUS_HEADERS, "Upload-Length", "Upload-Metadata"),
    ),
    "tus.append PATCH": Operation(
        Scope.SUBMIT,
        status=204,
        takes=(_TUS, *_PIECE_HEADERS),
        bodies={PIECE: {}},
        errors=_TUS_ERRORS,
        headers=_TUS_HEADERS,
    ),
    "tus.override POST": Operation(
        Scope.SUBMIT,
        status=204,
        takes=(
            _TUS,
            _header(
                "X-HTTP-Method-Override",
                "What is meant.",
                required=True,
                enum=["PATCH", "HEAD", "DELETE"],
            ),
            *_PIECE_HEADERS,
        ),
        bodies={PIECE: {}},
        errors=(200, 405, *_TUS_ERRORS),
        headers=_TUS_HEADERS,
    ),
    "tus.remove DELETE": Operation(Scope.SUBMIT, status=204, takes=(_TUS,), errors=(409, 410, 412)),
    # Fetches
    "fetches.show_folder GET": Operation(
        Scope.SUBMIT,
        shapes.FolderShape,
        takes=(
            _text("path", "A folder in the server's."),
            _text("q", "A part of the names."),
            _limit(1000, 200),
        ),
        errors=(404,),
    ),
    "fetches.begin POST": Operation(
        Scope.SUBMIT, shapes.FetchesBegunShape, 202, body=shapes.FetchWish, errors=(404, 413, 415)
    ),
    "fetches.index GET": Operation(
        Scope.SUBMIT, shapes.FetchListShape, takes=(_limit(1000, 100), _BEFORE), errors=(404,)
    ),
    "fetches.show GET": Operation(Scope.SUBMIT, shapes.FetchShape, errors=(404,)),
    "fetches.retry POST": Operation(Scope.SUBMIT, shapes.FetchShape, errors=(404, 409)),
    "fetches.remove DELETE": Operation(Scope.SUBMIT, status=204, errors=(404, 409)),
    # Presets
    "presets.index GET": _read(shapes.PresetListShape),
    "presets.save PUT": _change(shapes.PresetShape, body=dict[str, str], errors=(409, 415)),
    "presets.remove DELETE": _change(None, status=204, errors=()),
    # Webhooks
    "webhooks.index GET": _hook(shapes.WebhookListShape, tagged=True),
    "webhooks.add POST": _hook(
        shapes.WebhookSecretShape,
        status=201,
        body=shapes.WebhookWish,
        errors=(409,),
        headers=("Location",),
    ),
    "webhooks.show GET": _hook(shapes.WebhookShape, tagged=True),
    "webhooks.change PATCH": _hook(shapes.WebhookShape, body=shapes.WebhookChange),
    "webhooks.remove DELETE": _hook(None, status=204),
    "webhooks.rotate POST": _hook(shapes.WebhookSecretShape),
    "webhooks.deliveries GET": _hook(
        shapes.DeliveryListShape,
        takes=(
            _limit(200, 50),
            _BEFORE,
            _choice("state", "Only those in this state.", DeliveryState),
            _choice("event", "Only of this event.", Event),
        ),
        tagged=True,
    ),
    "webhooks.redeliver POST": _hook(shapes.DeliveryShape, status=202, errors=(409,)),
    # The server
    "activity.show GET": Operation(Scope.READ, shapes.ActivityShape),
    "health.health GET": Operation(None, shapes.HealthShape),
    "health.ready GET": Operation(None, shapes.ReadyShape),
    "metrics.show GET": Operation(Scope.READ, str, media="text/plain"),
    "reference.document GET": Operation(Scope.READ, dict[str, Any], tagged=True),
    # Files
    "files.video GET": Operation(Scope.READ, bytes, media="*/*", tagged=True, ranges=True),
    "files.playback GET": Operation(Scope.READ, bytes, media="video/mp4", tagged=True, ranges=True),
    "files.sheet GET": Operation(Scope.READ, bytes, media="image/jpeg", tagged=True, ranges=True),
    "files.still GET": Operation(Scope.READ, bytes, media="image/jpeg", tagged=True, ranges=True),
}
"""By endpoint and method."""


def operation(endpoint: str | None, method: str) -> Operation | None:
    """Return what a request asks for; None for pages. HEAD is GET without the body."""
    found = OPERATIONS.get(f"{endpoint} {method}")
    return found or (OPERATIONS.get(f"{endpoint} GET") if method == "HEAD" else None)
