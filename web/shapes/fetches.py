"""Files that the server gets by itself, and its folder."""

from typing import Any, NotRequired, TypedDict

from web.shapes.refusals import RefusalShape


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
