"""The grammar: facts in, one sentence out, nothing else. docs/builtin.md lists its rules.

A sentence is a row of clauses. Each says one thing that was measured, and the least important ones
are left out when the sentence would grow too long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, pairwise

from worker.builtin.coco import PLURALS
from worker.builtin.facts import Facts, Memory, View
from worker.builtin.sightings import Sighting
from worker.builtin.text import TextLine
from worker.builtin.views import LARGE_SHARE, LIGHT_STEP, WHOLE_SHARE, Box, Light, Motion, Place

MOST_NAMES = 4
MOST_QUOTES = 3
MOST_STEPS = 3  # of a count that goes up and down within a window
LONGEST_QUOTE = 90  # characters
WELL_SEEN = 0.05  # of the picture: movement that a pause makes news again
GROWN = 4.0  # so many times the area moves than when it was last told: that is news
SAME_TEXT = 0.75  # likeness from which two readings are one text
EDGE = 0.015  # of the picture: a box that comes so close is cut off

AT = {Place.LEFT: "at the left", Place.MIDDLE: "in the middle", Place.RIGHT: "at the right"}
BARE = {
    Light.BLACK: "the picture is black",
    Light.PLAIN: "the picture is plain, of one colour",
    Light.TINY: "the picture is too small to make anything out",
}
"""Pictures in which there is nothing to look for."""


@dataclass(frozen=True, slots=True)
class Clause:
    text: str
    weight: int  # the lightest go first when there are too many


def compose(facts: Facts, before: Memory | None, most_words: int) -> str | None:
    """Return the sentence of a window, or None if nothing is new since `before`."""
    first, *others = facts.views
    if before is not None and facts.continues:
        clauses = _news(first, facts.since, before)
    else:
        clauses = _description(first, "a new view: " if before is not None else "")
    if others and not clauses:
        clauses = [Clause("no change at first", 95)]
    for view in others:
        clauses += _description(view, "then a new view: ")
    known = before.lines if before is not None else ()
    clauses += _text_clauses(facts, known)
    return _join(clauses, most_words) if clauses else None


def _description(view: View, opening: str) -> list[Clause]:
    """Describe a view as if nothing were known."""
    if view.light in BARE:
        then = "then " if opening.startswith("then") else ""
        return [Clause(then + BARE[view.light], 100)]
    named = [_first_mention(s) for s in view.sightings[:MOST_NAMES] if any(s.counts)]
    what = _listed(named) if named else "no object recognised"
    dark = "the picture is very dark; " if view.light is Light.DARK else ""
    clauses = [Clause(opening + dark + what, 90)]
    return clauses + _movement(view.motions)


def _first_mention(sighting: Sighting) -> str:
    name, steps = sighting.name, _steps(sighting.counts)
    if len(steps) == 1:
        return _placed(sighting)
    if len(steps) > MOST_STEPS or steps[0] == steps[-1]:
        often = "for a while" if steps[0] == 0 else "not all the time"
        return f"{_counted(name, max(steps))} ({often})"
    if steps[0] == 0:
        return f"{_counted(name, steps[1])} (not at first{_further(name, steps[1:])})"
    return f"{_counted(name, steps[0])} ({_further(name, steps)[2:]})"


def _placed(sighting: Sighting) -> str:
    if sighting.counts[-1] > 1:
        return _counted(sighting.name, sighting.counts[-1])
    return _single(sighting) + _where(sighting)


def _single(sighting: Sighting) -> str:
    if sighting.name == "person" and _is_cut_off(sighting.boxes[0]):
        return "part of a person"
    return _counted(sighting.name, 1)


def _is_cut_off(box: Box) -> bool:
    return min(box.left, box.top, 1 - box.right, 1 - box.bottom) < EDGE


def _news(view: View, since: Motion, before: Memory) -> list[Clause]:
    """Say what differs from how the previous window ended, in the same view."""
    if view.light in BARE:
        return [] if view.light is before.light else [Clause(BARE[view.light], 100)]
    clauses = []
    if view.light is Light.DARK and before.light is not Light.DARK:
        clauses.append(Clause("the picture is very dark now", 70))
    for rank, sighting in enumerate(view.sightings):
        text = _change(sighting, before.counts.get(sighting.name, 0))
        if text:
            clauses.append(Clause(text, 90 - rank))
    return clauses + _new_movement(view.motions, since, before)


def _change(sighting: Sighting, before: int) -> str:
    name, steps = sighting.name, _steps((before, *sighting.counts))
    if len(steps) == 1:
        return ""
    if len(steps) > MOST_STEPS + 1:
        return f"{_plural(name)} come and go, {_counted(name, max(steps))} at a time"
    first = steps[1]
    if before == 0:
        text = _appearing(sighting, first) + (_where(sighting) if len(steps) == 2 else "")
    elif first == 0:
        text = f"no longer seen: {name if before == 1 else _plural(name)}"
    else:
        number = _counted(name, first) if first > 1 else f"at least 1 {name}"
        text = f"now {number} ({before} before)"
    return text + _further(name, steps[1:])


def _appearing(sighting: Sighting, count: int) -> str:
    if count > 1:
        return f"{_counted(sighting.name, count)} appear"
    return f"{_single(sighting)} appears"


def _where(sighting: Sighting) -> str:
    alone = sighting.counts[-1] == 1 and len(sighting.places) == 1
    return f" {AT[sighting.places[0]]}" if alone else ""


def _steps(counts: Sequence[int]) -> list[int]:
    return [count for count, _ in groupby(counts)]


def _further(name: str, steps: Sequence[int]) -> str:
    """Tell how a count goes on after its first step."""
    text = ""
    for before, count in pairwise(steps):
        if count == 0:
            text += ", then not seen"
        elif before == 0:
            text += f", then {_counted(name, count)} {'appears' if count == 1 else 'appear'}"
        else:
            text += f", then {f'at least {count}' if count > 1 else 'one'}"
    return text


def _counted(name: str, count: int) -> str:
    if count == 1:
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    return f"at least {count} {_plural(name)}"


def _plural(name: str) -> str:
    return PLURALS.get(name, f"{name}s")


def _movement(motions: Sequence[Motion]) -> list[Clause]:
    if not motions:  # one picture tells nothing of movement
        return []
    light = _light_clauses(motions)
    moving = [motion for motion in motions if motion.places]
    if moving:
        return [*light, Clause(_moving(moving) + _ending(motions), 60)]
    return light or [Clause("nothing large moves", 20)]


def _new_movement(motions: Sequence[Motion], since: Motion, before: Memory) -> list[Clause]:
    clauses = _light_clauses((since, *motions))
    moving = [motion for motion in motions if motion.places]
    known = before.motion
    if moving and _is_new_motion(motions, since, known):
        paused = known.places and not (motions[0].places and since.places)
        start = "nothing large moves at first, then " if paused else ""
        clauses.append(Clause(start + _moving(moving) + _ending(motions), 60))
    elif since.places and not moving and not known.places:
        clauses.append(Clause("the picture has changed " + _somewhere([since]), 60))
    elif motions and not moving and known.places and not clauses:
        clauses.append(Clause("nothing large moves any more", 30))
    return clauses


def _is_new_motion(motions: Sequence[Motion], since: Motion, known: Motion) -> bool:
    """Tell movement that begins, ends, spreads or grows from what has been told."""
    share = max(motion.share for motion in motions)
    if not since.places and known.places and share >= WELL_SEEN:
        return True
    stops_or_starts = any(bool(a.places) != bool(b.places) for a, b in pairwise((known, *motions)))
    places = {place for motion in motions for place in motion.places}
    return stops_or_starts or not places <= set(known.places) or share >= GROWN * known.share


def _light_clauses(motions: Sequence[Motion]) -> list[Clause]:
    """Tell a fade, a lamp, or a dialog that dims what is behind it."""
    steps = [motion.brighter for motion in motions if abs(motion.brighter) >= LIGHT_STEP]
    words = ["brighter" if step > 0 else "darker" for step in steps]
    turns = [word for word, _ in groupby(words)]
    return [Clause("the picture gets " + ", then ".join(turns), 65)] if turns else []


def _moving(moving: Sequence[Motion]) -> str:
    share = max(motion.share for motion in moving)
    if share >= LARGE_SHARE:
        return f"{'most' if share >= WHOLE_SHARE else 'a large part'} of the picture changes"
    return "something moves " + _somewhere(moving)


def _somewhere(moving: Sequence[Motion]) -> str:
    places = {place for motion in moving for place in motion.places}
    if len(places) == len(Place):
        return "all across the picture"
    return " and ".join(AT[place] for place in Place if place in places)


def _ending(motions: Sequence[Motion]) -> str:
    return "" if not motions or motions[-1].places else ", then nothing large moves"


def _text_clauses(facts: Facts, known: Sequence[TextLine]) -> list[Clause]:
    new = [line.text for line in facts.lines if line.text and not _is_known(line.text, known)]
    clauses = []
    if new:
        quotes = ", ".join(_quoted(text) for text in new[:MOST_QUOTES])
        more = " and more" if len(new) > MOST_QUOTES else ""
        kind = "new text on screen" if known else "text on screen"
        clauses.append(Clause(f"{kind}: {quotes}{more}", 80))
    if facts.gone:
        clauses.append(Clause(f"text no longer on screen: {_quoted(facts.gone[0])}", 40))
    return clauses


def _is_known(text: str, known: Sequence[TextLine]) -> bool:
    return any(is_same_text(text, line.text) for line in known if line.text)


def is_same_text(a: str, b: str) -> bool:
    """Tell whether two readings, with a reader's slips, are of one text."""
    one, other = ("".join(filter(str.isalnum, text.casefold())) for text in (a, b))
    if one in other or other in one:
        return True
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= SAME_TEXT


def _quoted(text: str) -> str:
    inner = text.replace("“", '"').replace("”", '"')
    if len(inner) > LONGEST_QUOTE:
        inner = inner[: LONGEST_QUOTE - 1].rstrip() + "…"
    return f"“{inner}”"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _join(clauses: Sequence[Clause], most_words: int) -> str:
    kept = list(clauses)
    while len(kept) > 1 and _word_count(kept) > most_words:
        kept.remove(min(kept, key=lambda clause: clause.weight))
    words = "; ".join(clause.text for clause in kept).split()
    text = " ".join(words[:most_words])
    if len(words) > most_words:
        text += "…”" if text.count("“") > text.count("”") else "…"
    return text[0].upper() + text[1:] + ("" if text.endswith("…") else ".")


def _word_count(clauses: Sequence[Clause]) -> int:
    return sum(len(clause.text.split()) for clause in clauses)
