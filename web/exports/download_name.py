"""A file name to save an export under, made from what a person called the video."""

import re
import unicodedata

from models.printable import is_unknown

MOST_CHARACTERS = 120
_MOST_BYTES = 200  # of UTF-8: common file systems take 255, and an extension comes after it
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_AWKWARD = re.compile(r"""[<>:"'`|?*;%$&\\/]+""")
_WINDOWS_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", re.IGNORECASE)


def download_stem(filename: str) -> str:
    """Return a name without folder and extension that is safe on every system, never empty.

    Letters of any script stay. At most 120 characters and 200 bytes of UTF-8.
    """
    last = re.split(r"[/\\]", filename)[-1]
    visible = "".join(map(_visible, unicodedata.normalize("NFC", last)))
    stem = " ".join(_AWKWARD.sub("_", _EXTENSION.sub("", visible)).split()).lstrip(".- ")
    if _WINDOWS_DEVICES.match(stem):
        stem = f"_{stem}"
    return (
        stem[:MOST_CHARACTERS].encode()[:_MOST_BYTES].decode(errors="ignore").rstrip(". ")
        or "video"
    )


def _visible(character: str) -> str:
    """Drop what can't be seen (controls, bidi marks, surrogates, no characters); keep spaces."""
    if character.isspace():
        return " "
    is_seen = unicodedata.category(character)[0] != "C" or is_unknown(character)
    return character if is_seen else ""
