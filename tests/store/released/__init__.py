"""Databases of every schema there has been, as text: REVISION.sqlite.sql and REVISION.postgres.sql."""

from pathlib import Path

FOLDER = Path(__file__).parent
MAKE = ".venv/bin/python -m tests.store.released"


def dump_of(revision: str, kind: str) -> Path:
    """Return where the dump of a revision is kept; `kind` is sqlite or postgres."""
    return FOLDER / f"{revision}.{kind}.sql"
