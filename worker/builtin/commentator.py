"""The built-in commentator: measures a window, remembers how it ended, says what is new.

It is no vision-language model: it tags objects, reads text, and sees light and motion change.
"""

import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.tables import CommentKind
from worker.builtin.extract import extract
from worker.builtin.facts import (
    Facts,
    Memory,
    View,
    facts_to_json,
    memory_from_json,
    memory_to_json,
    remember,
)
from worker.builtin.objects import Detection, ObjectDetector
from worker.builtin.sentence import BARE, compose, is_same_text
from worker.builtin.sightings import sight
from worker.builtin.text import LONGEST_SIDE, TextLine, TextReader, fingerprint, is_like_print
from worker.builtin.views import (
    STILL,
    Look,
    changed,
    is_new_view,
    is_same,
    look,
    motion,
    split_views,
)
from worker.commentator import (
    Accelerator,
    Comment,
    Draft,
    Matter,
    Picture,
    Prompt,
    Timings,
    Told,
    Window,
)

NO_CONTRAST = 24  # brightest less darkest cell: below it there is no text to look for

Cells = NDArray[np.bool_]


class BuiltinCommentator:
    """Shared by all threads: what it holds is only read."""

    name = "builtin"
    network: dict[str, str] | None = None

    def __init__(self, streams: int) -> None:
        self.streams = streams
        self._detector = ObjectDetector()
        self._reader = TextReader()

    def accelerator(self) -> Accelerator | None:
        return None

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        """Fit into what the text finder looks at; never enlarge."""
        scale = min(1.0, LONGEST_SIDE / max(width, height))
        return _even(width * scale), _even(height * scale)

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        """Say what is new in the window since `previous`; there at once, so `draft` stays empty."""
        started = time.perf_counter()
        before = _memory(previous)
        pictures = [frame.picture for frame in window.frames]
        looks = [look(picture) for picture in pictures]
        facts = self._measure(pictures, looks, before)
        seen = time.perf_counter()
        text = compose(facts, before, prompt.max_new_tokens)
        told = facts_to_json(facts)
        memory = memory_to_json(remember(facts, looks[-1]))
        said = time.perf_counter()
        timings = Timings(vision_ms=(seen - started) * 1000, generate_ms=(said - seen) * 1000)
        if text is None:
            return Comment(CommentKind.UNCHANGED, facts=told, memory=memory, timings=timings)
        return Comment(CommentKind.SAID, text, facts=told, memory=memory, timings=timings)

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        """Pick the sentences that stand best for all: nothing is said that was not said before."""
        started = time.perf_counter()
        title, text = extract(matter.texts, matter.sentences)
        spent = (time.perf_counter() - started) * 1000
        return Told(title, text, timings=Timings(generate_ms=spent))

    def close(self) -> None:
        """Nothing was started."""

    def _measure(
        self, pictures: Sequence[Picture], looks: Sequence[Look], before: Memory | None
    ) -> Facts:
        found = self._detect(pictures, looks)
        continues = before is not None and not is_new_view(before.look, looks[0])
        views = []
        for run in split_views(looks):
            earlier = before if continues and run.start == 0 else None
            views.append(_view(looks[run], found[run], earlier))
        lines, gone = self._read(pictures[-1], looks[-1], before)
        since = STILL
        if before is not None and continues:
            since = motion(before.coarse, looks[0].coarse)
        return Facts(tuple(views), continues, since, lines, gone)

    def _detect(
        self, pictures: Sequence[Picture], looks: Sequence[Look]
    ) -> list[Sequence[Detection]]:
        """Detect in every picture, once where pictures are the same."""
        found: list[Sequence[Detection]] = []
        for i, picture in enumerate(pictures):
            if looks[i].light in BARE:
                found.append([])
            elif i and is_same(looks[i - 1], looks[i]):
                found.append(found[-1])
            else:
                found.append(self._detector.detect(picture))
        return found

    def _read(
        self, picture: Picture, seen: Look, before: Memory | None
    ) -> tuple[tuple[TextLine, ...], tuple[str, ...]]:
        """Return the lines on screen, and those texts of `before` that have gone."""
        known = before.lines if before is not None else ()
        contrast = float(seen.fine.max() - seen.fine.min())
        lines = self._reader.read(picture, known) if contrast >= NO_CONTRAST else []
        missing = [
            line
            for line in known
            if line.text and not any(is_same_text(line.text, now.text) for now in lines if now.text)
        ]
        stay = [x for x in missing if is_like_print(x.print, fingerprint(picture, x.box))]
        gone = tuple(line.text for line in missing if line not in stay)
        return (*lines, *stay), gone


def _memory(previous: Comment | None) -> Memory | None:
    if previous is None or previous.memory is None:
        return None
    return memory_from_json(previous.memory)


def _view(
    looks: Sequence[Look], found: Sequence[Sequence[Detection]], before: Memory | None
) -> View:
    changes: list[Cells] = [changed(a.fine, b.fine) for a, b in pairwise(looks)]
    entry: Cells = changed(before.coarse, looks[0].coarse) if before else np.ones((1, 1), np.bool_)
    sightings = sight(found, [entry, *changes], before.boxes if before else ())
    motions = [motion(a.fine, b.fine) for a, b in pairwise(looks)]
    return View(looks[-1].light, tuple(sightings), tuple(motions))


def _even(pixels: float) -> int:
    return max(1, round(pixels) if pixels < 4 else round(pixels / 2) * 2)
