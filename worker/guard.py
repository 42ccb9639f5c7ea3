"""What a commentator says is hostile text until it has passed here."""

import unicodedata

_LONGEST = 10_000  # characters; far beyond any honest comment
_KEPT_CONTROLS = "\n\t"


def clean(text: str) -> str:
    """Drop what no store or page can hold: control characters, NUL, lone surrogates; bound the length."""
    kept = (
        character
        for character in text[:_LONGEST]
        if character in _KEPT_CONTROLS or unicodedata.category(character) not in ("Cc", "Cs")
    )
    return "".join(kept).strip()
