"""What was found."""

from typing import TypedDict


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
