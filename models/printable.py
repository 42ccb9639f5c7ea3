"""Hostile text, made harmless to a terminal and to a log."""


def printable(text: str) -> str:
    """Show what doesn't print, line breaks and what turns a line around included, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
