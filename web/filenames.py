"""What a person calls a file: kept as text to show, never used as a path."""

import re
import unicodedata

from models.printable import is_unknown

LONGEST = 255  # characters
NAMELESS = "unnamed"

_INVISIBLE = {"Cc", "Cs", "Cn", "Zl", "Zp"}  # controls, lone surrogates, no characters, line ends


def clean_filename(text: str) -> str:
    """Drop folders, controls and what can't be stored as UTF-8; `unnamed` if nothing is left.

    Letters are composed (NFC), as most keyboards write them: macOS sends them in parts.
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", text)[-1])
    kept = "".join(c for c in last if is_unknown(c) or unicodedata.category(c) not in _INVISIBLE)
    return kept.strip()[:LONGEST] or NAMELESS
