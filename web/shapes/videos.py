"""Videos, and the copies of them that play."""

from typing import TypedDict


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


class PlaybackShape(TypedDict):
    """A copy of the video that every browser plays."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    progress: float  # 0 to 1
    message: str | None  # why it failed
    url: str | None  # once it is ready
