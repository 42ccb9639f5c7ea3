"""What a folder and an address have in common: bytes from an offset on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.arriving import Arriving


class Interrupted(Exception):
    """The source gave no more for now, and may later; the text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is ready to go on."""

    offset: int  # from where it goes on: 0 where it is to be begun anew
    length_bytes: int | None  # of the whole file; None: nobody knows
    validator: str | None  # what says later that it is still the same file; None: nothing does
    filename: str | None  # as the source calls it
    bring: Callable[[Arriving, int], Iterator[int]]
    """Append what is left to a file that ends at the offset; yield the offset after each piece.

    Raises Interrupted, TimedOut and what Arriving.append() does.
    """
