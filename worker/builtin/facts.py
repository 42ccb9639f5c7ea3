"""What is known of a window: what its sentence rests on, and what the next one is compared with.

Goes to JSON and back without loss, so that a window commented elsewhere compares the same.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.commentators import label_of
from worker.builtin.sightings import Sighting
from worker.builtin.text import TextLine
from worker.builtin.views import COARSE, STILL, Box, Grid, Light, Look, Motion, Place

LABEL = label_of("builtin")


@dataclass(frozen=True, slots=True)
class View:
    """A run of the window's pictures without a cut between them."""

    light: Light
    sightings: tuple[Sighting, ...] = ()
    motions: tuple[Motion, ...] = ()  # between each two pictures that follow each other


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was measured in a window."""

    views: tuple[View, ...]
    continues: bool  # the first view is the one that the previous window ended with
    since: Motion  # how the first picture differs from the previous window's last one
    lines: tuple[TextLine, ...]  # text on screen in the last picture, the largest first
    gone: tuple[str, ...]  # text quoted before whose pixels have changed


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of a window for the next one: how it ended."""

    light: Light
    counts: Mapping[str, int]
    boxes: tuple[tuple[str, Box], ...]
    motion: Motion
    lines: tuple[TextLine, ...]
    coarse: Grid

    @property
    def look(self) -> Look:
        return Look(self.light, self.coarse, self.coarse)


def remember(facts: Facts, last: Look) -> Memory:
    """Return how the window ended; `last` is the look of its last picture."""
    view = facts.views[-1]
    still_there = [s for s in view.sightings if s.counts[-1]]
    return Memory(
        light=view.light,
        counts={s.name: s.counts[-1] for s in still_there},
        boxes=tuple((s.name, box) for s in still_there for box in s.boxes),
        motion=_last_motion(view.motions),
        lines=facts.lines,
        coarse=last.coarse,
    )


def _last_motion(motions: Sequence[Motion]) -> Motion:
    """Return all that moves in a view that ends moving, and nothing if it ends still."""
    if not motions or not motions[-1].places:
        return STILL
    places = {place for motion in motions for place in motion.places}
    return Motion(tuple(p for p in Place if p in places), max(m.share for m in motions))


def facts_to_json(facts: Facts) -> dict[str, Any]:
    return {
        "label": LABEL,
        "views": [_view_to_json(view) for view in facts.views],
        "text": [line.text for line in facts.lines if line.text],
    }


def memory_to_json(memory: Memory) -> dict[str, Any]:
    pixels = np.round(memory.coarse).astype(np.uint8).tobytes()
    return {
        "light": memory.light.value,
        "objects": [{"name": name, "box": _box_to_json(box)} for name, box in memory.boxes],
        "counts": dict(memory.counts),
        "moving": [place.value for place in memory.motion.places],
        "moving_share": round(memory.motion.share, 4),
        "lines": [
            {"text": line.text, "box": _box_to_json(line.box), "print": line.print}
            for line in memory.lines
        ],
        "picture": base64.b64encode(pixels).decode(),
    }


def _view_to_json(view: View) -> dict[str, Any]:
    return {
        "light": view.light.value,
        "objects": [
            {"name": s.name, "counts": list(s.counts), "score": round(s.score, 3)}
            for s in view.sightings
        ],
        "moving": [[place.value for place in motion.places] for motion in view.motions],
    }


def _box_to_json(box: Box) -> list[float]:
    return [round(side, 4) for side in box]


def memory_from_json(values: Mapping[str, Any]) -> Memory:
    """Restore what `memory_to_json` kept."""
    pixels = np.frombuffer(base64.b64decode(values["picture"]), np.uint8).astype(np.float32)
    return Memory(
        light=Light(values["light"]),
        counts=values["counts"],
        boxes=tuple((one["name"], Box(*one["box"])) for one in values["objects"]),
        motion=Motion(tuple(Place(p) for p in values["moving"]), values["moving_share"]),
        lines=tuple(TextLine(x["text"], Box(*x["box"]), x["print"]) for x in values["lines"]),
        coarse=pixels.reshape(COARSE[1], COARSE[0], 3),
    )
