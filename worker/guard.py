"""What a network says is hostile text, and may be no comment at all, until it has passed here.

`clean` is for every commentator; `judge` for those whose network writes freely. Pure functions.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from models.tables import CommentKind
from worker.loops import find_loop, plain_words, split_sentences

_LONGEST = 10_000  # characters; far beyond any honest comment
_KEPT_CONTROLS = "\n\t"

StopReason = Literal["end", "length", "time", "filter"]
"""Why a network stopped writing: it was done, at its most tokens, at its time limit, or what it
writes was held back by whoever serves it."""

_CUTS = {
    "length": "cut off at its limit of tokens",
    "time": "cut off at its time limit",
    "filter": "held back by a content filter",
}

_NOTHING_NEW = {
    "no change", "no changes", "no new change", "no new changes", "no visible change",
    "no significant change", "no significant changes", "nothing changed", "nothing has changed",
    "nothing changes", "nothing new", "unchanged", "same as before", "没有变化", "无变化", "画面没有变化",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth. With a flaw, `text` is the good part of it."""

    kind: CommentKind
    text: str = ""
    flaw: str = ""  # a clause: what is wrong with the answer
    ask_again: bool = False


def clean(text: str) -> str:
    """Drop what no store or page can hold: control characters, NUL, lone surrogates; bound the length."""
    kept = (
        character
        for character in text[:_LONGEST]
        if character in _KEPT_CONTROLS or unicodedata.category(character) not in ("Cc", "Cs")
    )
    return "".join(kept).strip()


def judge(answer: str, stopped_by: StopReason, previous: str | None) -> Verdict:
    """Tell whether an answer can be believed to be a comment, and what of it.

    `previous` is what was said before; saying it again is saying that nothing changed.
    """
    text = clean(answer)
    if says_nothing_new(text) or (previous and plain_words(text) == plain_words(previous) != []):
        return Verdict(CommentKind.UNCHANGED)
    text = re.sub(r"^(\.{3,}|…)\s*", "", text)
    if not plain_words(text):
        flaw = _CUTS["filter"] if stopped_by == "filter" else "empty"
        return Verdict(CommentKind.EMPTY, flaw=f"the answer was {flaw}", ask_again=True)
    loop = find_loop(text)
    if loop is not None:
        return _shortened(text[:loop], "the answer repeated itself", ask_again=True)
    if stopped_by == "end" or whole_sentences(text) == text:
        return Verdict(CommentKind.SAID, text)
    kept = _shortened(text, f"the answer was {_CUTS[stopped_by]}", ask_again=False)
    again = kept.kind is CommentKind.EMPTY and stopped_by != "time"  # which doesn't grow
    return Verdict(kept.kind, kept.text, kept.flaw, again)


def _shortened(text: str, flaw: str, *, ask_again: bool) -> Verdict:
    good = whole_sentences(text)
    kind = CommentKind.SAID if good else CommentKind.EMPTY
    return Verdict(kind, good, flaw, ask_again)


def says_nothing_new(text: str) -> bool:
    """Tell whether an answer is "...", or says as much in words."""
    bare = text.strip(" \n\t\"'“”‘’«»*-_()[]").casefold()
    return bare != "" and (set(bare) <= set(".…。") or bare.rstrip(".…。!") in _NOTHING_NEW)


def whole_sentences(text: str) -> str:
    """Return the text up to the end of its last whole sentence; empty if none has an end."""
    *whole, rest = split_sentences(text)
    return text[: len(text) - len(rest)].rstrip() if whole or not rest else ""
