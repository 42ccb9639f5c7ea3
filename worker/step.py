"""A step of a chunk that is done: what is to be stored of it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.tables import Segment


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    store: Callable[[Session], bool]  # as models.chunks.store_step()
    segment: Segment | None = None  # that it stores, of a window
    still: bytes | None = None  # JPEG of a window
