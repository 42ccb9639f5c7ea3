"""Settings that were saved under a name."""

from typing import TypedDict


class PresetShape(TypedDict):
    """A job's parameters under a name: those that differ from the defaults, as the form sends them."""

    name: str
    fields: dict[str, str]


class PresetListShape(TypedDict):
    presets: list[PresetShape]
