"""Networks that think aloud: what of their words is meant for the reader."""

import re

_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)


def without_thoughts(raw: str) -> str:
    """Drop thoughts, also one that lacks its beginning or hasn't ended yet, and space around the rest."""
    shown = _THOUGHTS.sub("", raw)
    shown = shown.rpartition("</think>")[2]
    return shown.partition("<think>")[0].strip()
