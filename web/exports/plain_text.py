"""Hostile text made plain: one line of words, nothing that a player or a terminal obeys.

Knows nothing of any file format; what a format reads as markup, its writer escapes.
"""

import re

_SPACES = {ord(space) for space in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"}
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - _SPACES
# Embeddings, overrides and isolates can show text in another order than it has; the marks that
# right-to-left scripts need (U+200E, U+200F, U+061C) order only what is beside them.
_BIDI_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x2070)}
_INVISIBLE = {0xFEFF, *range(0xFFF9, 0xFFFC)}  # byte order mark, interlinear annotation
_DROPPED = dict.fromkeys(_CONTROLS | _BIDI_CONTROLS | _INVISIBLE)
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """Return the words of `text`, one space between them, in one line.

    Line breaks of every kind, tabs and no-break spaces separate words. Control characters, bidi
    overrides and isolates are dropped, a lone surrogate becomes U+FFFD.
    """
    return " ".join(encodable(text).translate(_DROPPED).split())


def encodable(text: str) -> str:
    """Replace what UTF-8 can't encode by U+FFFD."""
    return _LONE_SURROGATES.sub("\ufffd", text)
