"""What is compared of the builtin commentator's facts, to find where a video changes."""

from collections.abc import Mapping
from typing import Any


def traits_of(told: Mapping[str, Any]) -> tuple[frozenset[str], bool]:
    """Return what `facts_to_json` tells was there at a window's end, and whether there was a cut in it."""
    views = told.get("views") or [{}]
    objects = views[-1].get("objects", [])
    names = {one["name"] for one in objects if one["counts"] and one["counts"][-1]}
    light = {f"({views[-1]['light']})"} if views[-1].get("light") else set()
    lines = {f"“{text.casefold()}”" for text in told.get("text", [])}
    return frozenset(names | light | lines), len(views) > 1
