"""What a person may choose for every export."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from models.errors import InvalidRequest

TEXTS = ("corrected", "original")
CUES = ("split", "merged")


@dataclass(frozen=True, slots=True)
class Choice:
    """`text`: with people's corrections, or as it was commented. `cues`: one for each window, or one
    for what was said and the unchanged windows after it."""

    text: str = TEXTS[0]
    cues: str = CUES[0]

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Read `text` and `cues`; what is missing or empty is the default. Raises InvalidRequest."""
        return cls(_one_of("text", given, TEXTS), _one_of("cues", given, CUES))


def _one_of(name: str, given: Mapping[str, str], offered: tuple[str, ...]) -> str:
    wish = given.get(name) or offered[0]
    if wish not in offered:
        raise InvalidRequest(f"`{name}` must be {' or '.join(offered)}, not {wish[:40]!r}.")
    return wish
