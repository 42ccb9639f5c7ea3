"""How the supervisor tells what its programs say: a name and a line, or JSON, without secrets."""

import json
from collections.abc import Callable
from contextlib import suppress

from models.log import Blots, as_json, plain_event
from settings import Settings

COLOURS = (36, 32, 33, 35, 34, 31)

Telling = Callable[[str, str, int, bool], str]
"""(program, what it said, width of the longest name, whether a person looks on) → the line."""


def telling(settings: Settings) -> Telling:
    """Return what LOG_FORMAT asks for."""
    blot = Blots(settings.secrets)
    if settings.log_format == "json":
        return lambda program, text, width, coloured: in_json(program, text, blot)
    return lambda program, text, width, coloured: in_text(program, blot(text), width, coloured)


def in_text(program: str, text: str, width: int, coloured: bool) -> str:
    prefix = f"{program:<{width}} |"
    if coloured:
        prefix = f"\033[{COLOURS[sum(program.encode()) % len(COLOURS)]}m{prefix}\033[0m"
    return f"{prefix} {text}"


def in_json(program: str, text: str, blot: Blots) -> str:
    """Name the program in what is JSON already, and make JSON of the rest."""
    with suppress(ValueError):
        record = json.loads(text) if text.startswith("{") else None
        if isinstance(record, dict):
            return as_json({**record, "program": program}, blot)
    return plain_event(program, text, blot)
