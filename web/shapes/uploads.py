"""Files that arrive."""

from typing import Any, TypedDict

from web.shapes.refusals import RefusalShape


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
