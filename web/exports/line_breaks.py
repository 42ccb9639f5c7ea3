"""Where a text may be broken, how wide it shows, and the lines that fit a subtitle.

Width counts columns of a fixed grid: an East Asian wide character or an emoji takes 2, a combining
one none, any other 1. Text stays in logical order; the player shows it right to left where it must.
Knows nothing of time, cues or file formats.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

LINE_WIDTH = 42  # columns
CUE_LINES = 2

# How far from its fair share a cue may end to end with a sentence or a clause, as part of the share.
_PAUSES = dict.fromkeys(".;:!?…。；：！？", 0.5) | dict.fromkeys(",،、，", 0.25)
_CLOSING = "\"'”’»)]」』）"

_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_JAMO_INSIDE_SYLLABLE = range(0x1160, 0x1200)
_HANGUL = range(0xAC00, 0xD7A4)  # Korean is broken at its spaces
_NEVER_FIRST = set("ーゝゞヽヾ々〻ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is never broken."""

    text: str
    width: int  # columns
    spaced: bool  # a space stands before it, unless it begins a line


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    width: int  # columns


def lines_by_cue(text: str, most: int) -> list[list[Line]]:
    """Break a plain text for cues of one or two lines; every character but spaces is kept.

    There are as few cues as lines of 42 columns allow, but never more than `most`: if these can't
    hold the text, lines grow wider. A cue ends near its fair share of the text, with a sentence or
    a clause if one ends near there; its two lines are about equally wide.
    """
    pieces = list(_pieces(text))
    if not pieces:
        return []
    width = LINE_WIDTH
    if len(_line_starts(pieces, width)) > most * CUE_LINES:
        width = _narrowest(pieces, most * CUE_LINES)
    count = -(-len(_line_starts(pieces, width)) // CUE_LINES)
    return [_balanced(run) for run in _share_out(pieces, count, width)]


def display_width(text: str) -> int:
    """Return the columns that a text without line breaks takes."""
    return len(text) if text.isascii() else sum(map(_cluster_width, _clusters(text)))


def _share_out(pieces: list[Piece], count: int, width: int) -> Iterator[list[Piece]]:
    """Cut into `count` runs, each of which fits two lines of `width` columns."""
    for left in range(count, 1, -1):
        stop = _stop_of_first(pieces, left, width)
        yield pieces[:stop]
        pieces = pieces[stop:]
    yield pieces


def _stop_of_first(pieces: list[Piece], count: int, width: int) -> int:
    """Return where the first of `count` runs best stops, so that the others have room too."""
    furthest = _line_starts(pieces, width)[CUE_LINES]
    room = (count - 1) * CUE_LINES
    nearest = bisect_left(
        range(furthest), True, key=lambda stop: len(_line_starts(pieces[stop:], width)) <= room
    )
    ends = list(accumulate(piece.width + piece.spaced for piece in pieces))
    fair = ends[-1] / count

    def cost(stop: int) -> float:
        last = pieces[stop - 1].text.rstrip(_CLOSING)[-1:]
        return abs(ends[stop - 1] - fair) - fair * _PAUSES.get(last, 0.0)

    return min(range(max(nearest, 1), furthest + 1), key=cost)


def _balanced(pieces: list[Piece]) -> list[Line]:
    """Make one line if 42 columns hold it, else two that are as narrow as can be."""
    whole = _lines(pieces, [0])
    if whole[0].width <= LINE_WIDTH:
        return whole
    return _lines(pieces, _line_starts(pieces, _narrowest(pieces, CUE_LINES)))


def _narrowest(pieces: list[Piece], lines: int) -> int:
    """Return the least width at which that many lines hold the pieces."""
    widest = max(piece.width for piece in pieces)
    widths = range(widest, sum(piece.width + piece.spaced for piece in pieces))
    return widest + bisect_left(
        widths, True, key=lambda width: len(_line_starts(pieces, width)) <= lines
    )


def _line_starts(pieces: list[Piece], width: int) -> list[int]:
    """Fill lines greedily; return the index of each line's first piece."""
    starts, used = [0], 0
    for index, piece in enumerate(pieces):
        grown = used + piece.width + (piece.spaced and used > 0)
        if grown > width and index > starts[-1]:
            starts.append(index)
            grown = piece.width
        used = grown
    return starts


def _lines(pieces: list[Piece], starts: list[int]) -> list[Line]:
    lines = []
    for first, stop in pairwise([*starts, len(pieces)]):
        run = pieces[first:stop]
        text = "".join(" " * piece.spaced + piece.text for piece in run).lstrip(" ")
        spaces = sum(piece.spaced for piece in run[1:])
        lines.append(Line(text, sum(piece.width for piece in run) + spaces))
    return lines


def _pieces(text: str) -> Iterator[Piece]:
    """Cut a plain text where a line may end: at spaces, between ideographs, in endless words."""
    for word in text.split():
        spaced = True
        for part in _cut_word(word):
            yield Piece(part, display_width(part), spaced)
            spaced = False


def _cut_word(word: str) -> Iterator[str]:
    if word.isascii():
        yield from (word[at : at + LINE_WIDTH] for at in range(0, len(word), LINE_WIDTH))
        return
    piece: list[str] = []
    used = 0
    for cluster in _clusters(word):
        width = _cluster_width(cluster)
        if piece and (used + width > LINE_WIDTH or _may_break(piece[-1], cluster)):
            yield "".join(piece)
            piece, used = [], 0
        piece.append(cluster)
        used += width
    yield "".join(piece)


def _may_break(before: str, after: str) -> bool:
    """Tell whether a line may end between two clusters of a word."""
    if unicodedata.category(before[0]) in ("Ps", "Pi"):
        return False
    if unicodedata.category(after[0]) in ("Pe", "Pf", "Po") or after[0] in _NEVER_FIRST:
        return False
    return _is_ideograph(before[0]) or _is_ideograph(after[0]) or before[0] in _NEVER_FIRST


def _is_ideograph(character: str) -> bool:
    return (
        unicodedata.category(character) == "Lo"
        and unicodedata.east_asian_width(character) == "W"
        and ord(character) not in _HANGUL
    )


def _clusters(text: str) -> Iterator[str]:
    """Yield what a reader sees as one character: a base and all that is drawn into it."""
    cluster: list[str] = []
    for character in text:
        if cluster and not _belongs(character, cluster):
            yield "".join(cluster)
            cluster = []
        cluster.append(character)
    if cluster:
        yield "".join(cluster)


def _belongs(character: str, cluster: list[str]) -> bool:
    category, code = unicodedata.category(character), ord(character)
    return (
        category in ("Mn", "Me", "Mc", "Cf")
        or code in _SKIN_TONES
        or code in _JAMO_INSIDE_SYLLABLE
        or (cluster[-1] == _JOINER and category == "So")
        or (code in _FLAG_LETTERS and len(cluster) == 1 and ord(cluster[0]) in _FLAG_LETTERS)
    )


def _cluster_width(cluster: str) -> int:
    """Return the columns of one cluster: its base's, and one for each mark that is drawn beside it."""
    base = cluster[0]
    if unicodedata.category(base) in ("Mn", "Me", "Cf"):
        return 0
    wide = (
        unicodedata.east_asian_width(base) in "WF"
        or _EMOJI_STYLE in cluster
        or (len(cluster) > 1 and ord(cluster[1]) in _FLAG_LETTERS)
    )
    beside = sum(unicodedata.category(mark) == "Mc" for mark in cluster[1:])
    return (2 if wide else 1) + beside
