"""The pages' scripts: modules that import each other, and none of them bundled.

A browser would find out about the imports of imports one round trip after the other, so a page names all of them at its head.
"""

import re
from functools import cache
from pathlib import Path

from flask import Flask

_FOLDER = Path(__file__).parent / "static"
_IMPORT = re.compile(r"""^(?:import|export)\b[^"']*["']\./([\w./-]+)["']""", re.MULTILINE)


def install(app: Flask) -> None:
    app.add_template_global(imports_of)


@cache
def imports_of(name: str) -> tuple[str, ...]:
    """Return the names of all modules that this one needs, itself left out, in order."""
    found: set[str] = set()
    unread = [name]
    while unread:
        text = (_FOLDER / unread.pop()).read_text("utf-8")
        fresh = set(_IMPORT.findall(text)) - found
        found |= fresh
        unread.extend(fresh)
    return tuple(sorted(found - {name}))
