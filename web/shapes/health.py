"""Whether the server lives, and can be used."""

from typing import TypedDict


class HealthShape(TypedDict):
    status: str
    version: str


class ReadyShape(TypedDict):
    status: str
