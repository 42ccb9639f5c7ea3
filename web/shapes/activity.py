"""What the jobs and workers of a server do."""

from typing import TypedDict


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
