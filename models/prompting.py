"""How a commentator that is asked in words is asked: the prompt's constant part and the sampling."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from models.commentators import About
from models.errors import InvalidRequest
from models.profiles import DEFAULT_PROFILE, PROFILES
from models.ranges import Range
from settings import Settings

LONGEST_SYSTEM_PROMPT = 2000  # characters: with four frames they fit the room of a window
LONGEST_INSTRUCTION = 500

PROMPT_RANGES = {
    "max_slice_nums": Range(1, 9, "Most slices"),
    "temperature": Range(0, 2, "Temperature"),
    "top_p": Range(0.01, 1, "Top p"),
    "top_k": Range(0, 1000, "Top k"),
    "repetition_penalty": Range(1, 2, "Repetition penalty"),
    "seed": Range(0, 2**31 - 1, "Seed"),
}


@dataclass(frozen=True, slots=True)
class Prompting:
    """Meanings and units of the numbers stand in settings.py."""

    profile: str  # where the system prompt came from; it may have been edited since
    system_prompt: str
    instruction: str  # the person's own wish; empty: none
    max_slice_nums: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    seed: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read a snapshot; what it lacks, having been made by an older version, is as by default."""
        return cls(**{name: values.get(name, default) for name, default in _DEFAULTS.items()})


def parse_prompting(request: Mapping[str, str], defaults: Settings) -> Prompting:
    """Read a form or query; empty or missing means the default. Raises InvalidRequest."""
    profile = request.get("profile", "").strip() or DEFAULT_PROFILE
    if profile not in PROFILES:
        raise InvalidRequest(
            f"There is no profile called {profile[:40]!r}; choose {', '.join(PROFILES)}."
        )
    system_prompt = _text(request, "system_prompt", "The system prompt", LONGEST_SYSTEM_PROMPT)
    numbers = {
        name: limits.read(request.get(name, "").strip(), getattr(defaults, name))
        for name, limits in PROMPT_RANGES.items()
    }
    return Prompting(
        profile=profile,
        system_prompt=system_prompt or PROFILES[profile].system_prompt,
        instruction=_text(request, "instruction", "The instruction", LONGEST_INSTRUCTION),
        **numbers,
    )


def refuse_unheeded(request: Mapping[str, str], commentator: str, about: About) -> None:
    """Refuse what the commentator would ignore. Raises InvalidRequest."""
    unheeded = about.unheeded if about.is_prompted else PROMPT_FIELDS
    given = [name for name in unheeded if request.get(name, "").strip()]
    if given:
        why = "takes no" if about.is_prompted else "is not asked in words, so it takes no"
        raise InvalidRequest(
            f"The commentator {commentator} {why} {given[0]!r}: leave it out, or choose another "
            "commentator."
        )


def _text(request: Mapping[str, str], name: str, what: str, longest: int) -> str:
    """Read a text of several lines; forms end a line with CRLF."""
    text = request.get(name, "").replace("\r\n", "\n").strip()
    if len(text) > longest:
        raise InvalidRequest(f"{what} has {len(text)} characters; at most {longest} are taken.")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
        raise InvalidRequest(
            f"{what} holds a character that can't be shown: write it as plain text."
        )
    return text


PROMPT_FIELDS = tuple(field.name for field in fields(Prompting))
_DEFAULTS = parse_prompting({}, Settings()).to_json()
