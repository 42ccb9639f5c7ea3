"""Presets: a job's parameters under a name, to be chosen again. Everybody who may come in shares them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import Conflict, InvalidRequest, NotFound
from models.printable import is_shown
from models.tables import Preset

LONGEST_NAME = 60
MOST_PRESETS = 200


def list_presets(session: Session) -> Sequence[Preset]:
    """Return all presets by name."""
    return session.scalars(select(Preset).order_by(Preset.name)).all()


def save_preset(session: Session, name: str, fields: Mapping[str, str]) -> Preset:
    """Store fields that were found right under a name, in place of what it held.

    Raises InvalidRequest for the name, Conflict when there are too many.
    """
    if not _is_name(name):
        raise InvalidRequest(
            f"A preset's name has up to {LONGEST_NAME} characters that can be shown."
        )
    preset = session.get(Preset, name)
    if preset is None:
        if len(list_presets(session)) >= MOST_PRESETS:
            raise Conflict(f"There are {MOST_PRESETS} presets already: delete one first.")
        preset = Preset(name=name)
        session.add(preset)
    preset.fields, preset.saved_ms = dict(fields), now_ms()
    session.flush()
    return preset


def delete_preset(session: Session, name: str) -> None:
    """Raise NotFound if there is none of that name."""
    found = delete(Preset).where(Preset.name == name).returning(Preset.name)
    if not _is_name(name) or session.execute(found).first() is None:
        raise NotFound(f"There is no preset called {name[:60]!r}.")


def _is_name(text: str) -> bool:
    return all(map(is_shown, text)) and text == text.strip() and 0 < len(text) <= LONGEST_NAME
