"""How people spell the networks that Reelnotes runs, and how their folders are called."""

import re
from collections.abc import Sequence

from pull.errors import PullFailed

SPELLINGS = {
    "openbmb/MiniCPM-o-4_5-awq": ("openbmb/MiniCPM-o-4_5-awq", "openbmb/MiniCPM-o-4_5-AWQ"),
    "openbmb/MiniCPM-o-4_5": ("openbmb/MiniCPM-o-4_5",),
}
"""Folder under DATA_DIR/models → what the hub may call it."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def folder_name(typed: str) -> str:
    """Return owner/name in the spelling that MODEL_PATH uses; raise PullFailed if it is no name."""
    for known in SPELLINGS:
        if _letters(typed) == _letters(known):
            return known
    if not NAME.fullmatch(typed) or ".." in typed:
        raise PullFailed(
            f"{typed[:80]!r} is no repository's name: write owner/name, for instance "
            f"{next(iter(SPELLINGS))}."
        )
    return typed


def hub_names(folder: str) -> Sequence[str]:
    """Return the names to ask the hub for, the likeliest first."""
    return SPELLINGS.get(folder, (folder,))


def _letters(name: str) -> str:
    return re.sub(r"[-_. ]", "", name.lower())
