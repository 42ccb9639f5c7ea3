"""Which characters show, and hostile text made harmless to a terminal and to a log."""

import unicodedata


def is_unknown(character: str) -> bool:
    """Tell what a newer Unicode than Python's may know, as next year's emoji, from what never gets a meaning."""
    code = ord(character)
    is_none = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return unicodedata.category(character) == "Cn" and not is_none


def is_shown(character: str) -> bool:
    return character.isprintable() or is_unknown(character)


def printable(text: str) -> str:
    """Show what doesn't print, line breaks and what turns a line around included, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
