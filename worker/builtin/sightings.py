"""What the window's pictures together say is there: votes over detections, name by name.

One picture's detections can't be believed (about one in five at a score of 0.5 is wrong). A name
counts when two pictures of a view show it well, or one shows it very well. What has been seen
stays until the pixels change where it was: a thing can't leave without that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from worker.builtin.objects import Detection
from worker.builtin.views import Box, Place, share_within


@dataclass(frozen=True, slots=True)
class Threshold:
    """Scores from which a name is believed."""

    twice: float  # in two pictures of a view
    once: float  # in one picture


USUAL = Threshold(twice=0.5, once=0.6)
PERSON = Threshold(twice=0.45, once=0.6)
DOUBTFUL = Threshold(twice=0.65, once=0.75)
CONFUSED = frozenset(
    {
        *("bird", "cat", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
        *("frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat"),
        *("baseball glove", "tennis racket", "tie", "handbag", "teddy bear"),
        *("hot dog", "pizza", "donut", "cake", "bed", "toilet", "sink", "tv", "remote"),
        *("cell phone", "hair drier", "toothbrush", "traffic light", "fire hydrant"),
    }
)
"""Names that the network also gives to leaves, letter blocks, dark panels and the like."""

SMALL_AREA = 0.02  # of the picture: smaller things need `SMALL_EXTRA` more
SMALL_EXTRA = 0.15
WEAK = 0.35  # a name that is believed is present in each picture that has it at this score
ONE_MORE = 0.4  # a further thing of a believed name
SECOND_PERSON = 0.5  # and a further person, in two pictures
SAME_PLACE = 0.4  # overlap (intersection over union) from which two boxes show one thing
ANOTHER_NAME = 0.6  # overlap from which two names claim the same thing
CLEAR_LEAD = 0.08  # the better of two such names must lead by this
UNTOUCHED = 0.25  # share of a box's cells that may change while its thing stays


def believed_at(name: str) -> Threshold:
    if name == "person":
        return PERSON
    return DOUBTFUL if name in CONFUSED else USUAL


@dataclass(frozen=True, slots=True)
class Sighting:
    """A believed name in one view."""

    name: str
    counts: tuple[int, ...]  # how many at least, picture by picture
    boxes: tuple[Box, ...]  # where they are in the last picture that shows any
    places: tuple[Place, ...]  # all that the middle of the first box goes through, in order
    score: float  # the best one


def sight(
    pictures: Sequence[Sequence[Detection]],
    changes: Sequence[NDArray[np.bool_]],
    before: Sequence[tuple[str, Box]],
) -> list[Sighting]:
    """Vote over one view.

    `changes[i]` are the cells that differ between picture i and the one before it; for picture 0
    that is the picture in which `before` was seen.
    """
    clear = [_settle_names(found) for found in pictures]
    held = {name for name, _ in before}
    names = {d.name for found in clear for d in found} | held
    sightings = []
    for name in sorted(names):
        found = [[d for d in one if d.name == name] for one in clear]
        sure = _is_believed(name, found)
        known = [box for held_name, box in before if held_name == name]
        if sure or known:
            sightings.append(_follow(name, sure, found, changes, known))
    return sorted(sightings, key=_rank)


def _rank(sighting: Sighting) -> tuple[bool, float, str]:
    return sighting.name != "person", -sighting.score, sighting.name


def _settle_names(found: Sequence[Detection]) -> list[Detection]:
    """Where two names claim one thing, keep the better, and neither if they are about even."""
    kept = []
    for one in found:
        rivals = [d for d in found if d.name != one.name and d.box.overlap(one.box) >= ANOTHER_NAME]
        best = max((rival.score for rival in rivals), default=0.0)
        if one.score >= best + CLEAR_LEAD:
            kept.append(one)
    return kept


def _is_believed(name: str, found: Sequence[Sequence[Detection]]) -> bool:
    threshold = believed_at(name)
    scores = [max((_fair_score(d) for d in one), default=0.0) for one in found]
    twice = sum(score >= threshold.twice for score in scores) >= 2
    return twice or any(score >= threshold.once for score in scores)


def _fair_score(detection: Detection) -> float:
    return detection.score - (SMALL_EXTRA if detection.box.area < SMALL_AREA else 0.0)


def _follow(
    name: str,
    sure: bool,
    found: Sequence[Sequence[Detection]],
    changes: Sequence[NDArray[np.bool_]],
    known: Sequence[Box],
) -> Sighting:
    """Count the things of one name, picture by picture."""
    lowest = _lowest_count_score(name, found) if sure else 1.0
    counts, boxes, last, places = [], list(known), list(known), []
    for detections, cells in zip(found, changes, strict=True):
        seen = [d.box for d in detections if _fair_score(d) >= lowest]
        for box in boxes:
            if not _is_among(box, seen):
                weak = [d.box for d in detections if d.box.overlap(box) >= SAME_PLACE]
                stays = [box] if share_within(cells, box) <= UNTOUCHED else []
                seen += (weak or stays)[:1]
        if not seen and sure:  # the best one, where none counts by itself
            seen = [d.box for d in detections if d.score >= WEAK][:1]
        boxes, last = seen, seen or last
        places += [box.place for box in boxes[:1]]
        counts.append(len(boxes))
    best = max((d.score for one in found for d in one), default=0.0)
    path = tuple(place for place, _ in groupby(places))
    return Sighting(name, _without_gaps(counts, len(known)), tuple(last), path, best)


def _is_among(box: Box, others: Sequence[Box]) -> bool:
    return any(box.overlap(other) >= SAME_PLACE for other in others)


def _lowest_count_score(name: str, found: Sequence[Sequence[Detection]]) -> float:
    """Return the score from which every box counts; two hands are one person more often than two."""
    if name != "person":
        return ONE_MORE
    several = [one for one in found if sum(_fair_score(d) >= SECOND_PERSON for d in one) >= 2]
    return SECOND_PERSON if len(several) >= 2 else 1.0


def _without_gaps(counts: Sequence[int], before: int) -> tuple[int, ...]:
    """Take a lower count that one picture alone gives for the detector's slip.

    A drop to none in the last picture is believed of what two pictures have shown.
    """
    smooth = [before, *counts]
    for i in range(1, len(smooth) - 1):
        if smooth[i - 1] == smooth[i + 1] > smooth[i]:
            smooth[i] = smooth[i - 1]
    shown = sum(count > 0 for count in smooth[:-1])
    if smooth[-1] < smooth[-2] and (smooth[-1] > 0 or shown < 2):
        smooth[-1] = smooth[-2]
    return tuple(smooth[1:])
