"""What the doctor says of a part: how it stands, and the next step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Line:
    level: Level
    subject: str
    text: str
    next_step: str = ""


def problems(lines: Sequence[Line]) -> int:
    return sum(line.level == "problem" for line in lines)


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB"
