"""What was not done, and why."""

from typing import TypedDict


class RefusalShape(TypedDict):
    kind: str
    message: str


class ErrorShape(TypedDict):
    kind: str
    message: str


class ErrorAnswer(TypedDict):
    """What every refusal looks like."""

    error: ErrorShape
