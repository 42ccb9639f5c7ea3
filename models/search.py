"""Full-text search over comments, corrections included, speech, and summaries with their chapters.

The index is the migrations' own: tables and a view called search_… that triggers keep in step with what
is searched, in the same transaction. A word is found by its English stem, or as it stands; the last one, which may
still be being typed, also by its beginning.

Of a word that more than POOL texts hold, the newest POOL are ranked.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    Subquery,
    and_,
    any_,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, REGCONFIG
from sqlalchemy.orm import Session

from models.errors import InvalidRequest
from models.tables import Job, JobState, Segment

POOL = 2500
LONGEST_QUERY = 400  # characters
MOST_WORDS = 32
PREFIX = "search_"
"""How the index's tables are called: they are no business of the schema's comparison."""

_BEGIN, _END = "\x01", "\x02"  # around a hit; no text that is stored holds them
_EXCERPT = 280  # characters of a comment that are shown

_WORD = re.compile(r"\w+")

_WORDS = table("search_words", column("id"), column("job_id"), column("words"))
_TEXTS = table(
    "search_texts",
    *(column(name) for name in ("id", "job_id", "source", "number", "start_ms", "end_ms")),
    *(column(name) for name in ("text", "corrected")),
)


class Source(StrEnum):
    """What a text is that was found."""

    COMMENT = "comment"
    SPEECH = "speech"  # what is said in the video
    SUMMARY = "summary"  # of a chapter, or of the whole video


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for, and in which jobs; None: in all."""

    words: str
    state: JobState | None = None
    commentator: str | None = None
    profile: str | None = None
    from_ms: int | None = None  # when the job was submitted, inclusive
    until_ms: int | None = None  # exclusive


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, and whether it was looked for."""

    text: str
    is_hit: bool


@dataclass(frozen=True, slots=True)
class Hit:
    job: Job
    source: Source
    window: int | None  # at its beginning; None: no such window has been told yet
    start_ms: int
    end_ms: int
    is_corrected: bool
    excerpt: list[Piece]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, the best first; `total` counts at most POOL."""

    hits: list[Hit]
    total: int


@dataclass(frozen=True, slots=True)
class _Term:
    text: str  # a word, or several that stand beside each other
    is_open: bool  # its last word may still be being typed


def find(session: Session, wish: Wish, *, limit: int, offset: int = 0) -> Found:
    """Return the texts that hold all the words. Raises InvalidRequest for a query that is too long."""
    if len(wish.words) > LONGEST_QUERY:
        raise InvalidRequest(
            f"The search has {len(wish.words)} characters; at most {LONGEST_QUERY} are taken."
        )
    terms = list(_terms(wish.words))
    if len(terms) > MOST_WORDS:
        raise InvalidRequest(f"The search has {len(terms)} words; at most {MOST_WORDS} are taken.")
    if not terms:
        return Found([], 0)
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    ranked = (_rank_sqlite if is_sqlite else _rank_postgres)(terms, _wanted(wish))
    rows = session.execute(
        select(ranked, func.count().over().label("total"))
        .order_by(ranked.c.place, ranked.c.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    if not rows:
        return Found([], 0)
    ids = [row.id for row in rows]
    marked = (_mark_sqlite if is_sqlite else _mark_postgres)(session, terms, ids)
    texts = _texts(session, ids)
    hits = [
        Hit(
            job=told.Job,
            source=Source(told.source),
            window=told.window,
            start_ms=told.start_ms,
            end_ms=told.end_ms,
            is_corrected=bool(told.corrected),
            excerpt=list(_excerpt(told.text, marked[told.id])),
        )
        for told in (texts[id_] for id_ in ids)
    ]
    return Found(hits, rows[0].total)


def _terms(words: str) -> Iterator[_Term]:
    """Take a query apart: words, and "phrases". Whatever else stands in it only separates words."""
    parts = unicodedata.normalize("NFC", words).split('"')
    found: list[str] = []
    for number, part in enumerate(parts):
        plain = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in part)
        found += [" ".join(plain.split())] if number % 2 and plain.split() else plain.split()
    is_open = bool(parts[-1]) and unicodedata.category(parts[-1][-1])[0] in "LNM"
    for place, text in enumerate(found, start=1):
        yield _Term(text, is_open and place == len(found))


def _wanted(wish: Wish) -> Select[Any] | None:
    """Return the ids of the jobs that are looked through; None: all."""
    filters = []
    if wish.state is not None:
        filters.append(Job.state == wish.state)
    if wish.commentator is not None:
        filters.append(Job.commentator == wish.commentator)
    if wish.profile is not None:
        filters.append(Job.parameters["profile"].as_string() == wish.profile)
    if wish.from_ms is not None:
        filters.append(Job.created_ms >= wish.from_ms)
    if wish.until_ms is not None:
        filters.append(Job.created_ms < wish.until_ms)
    return select(Job.id).where(and_(*filters)) if filters else None


def _texts(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return what stands behind the numbers of the index, with its job and window."""
    shown_then = (
        select(func.max(Segment.index))
        .where(Segment.job_id == _TEXTS.c.job_id, Segment.start_ms <= _TEXTS.c.start_ms)
        .scalar_subquery()
    )
    window = case((_TEXTS.c.source == Source.COMMENT, _TEXTS.c.number), else_=shown_then)
    rows = session.execute(
        select(_TEXTS, window.label("window"), Job)
        .join(Job, Job.id == _TEXTS.c.job_id)
        .where(_TEXTS.c.id.in_(ids))
    )
    return {row.id: row for row in rows}


# SQLite: FTS5. A quoted string is never read as an operator.


def _fts_tables(terms: Sequence[_Term]) -> list[str]:
    """Return the indexes to ask: what stands in the plain one is found by its stem, beginnings aside."""
    return ["search_stems", *(["search_plain"] if terms[-1].is_open else [])]


def _fts_query(name: str, terms: Sequence[_Term]) -> str:
    return " ".join(
        f'"{term.text}"' + (" *" if term.is_open and name == "search_plain" else "")
        for term in terms
    )


def _rank_sqlite(terms: Sequence[_Term], wanted: Select[Any] | None) -> Subquery:
    pools = []
    for name in _fts_tables(terms):
        fts = table(name, column("rowid"), column("rank"))
        pool = (
            select(_WORDS.c.id, fts.c.rank.label("place"))
            .join(_WORDS, _WORDS.c.id == fts.c.rowid)
            .where(literal_column(name).op("MATCH")(_fts_query(name, terms)))
            .order_by(fts.c.rowid.desc())
            .limit(POOL)
        )
        if wanted is not None:
            pool = pool.where(_WORDS.c.job_id.in_(wanted))
        pools.append(select(pool.subquery()))
    both = union_all(*pools).subquery()
    return select(both.c.id, func.min(both.c.place).label("place")).group_by(both.c.id).subquery()


def _mark_sqlite(
    session: Session, terms: Sequence[_Term], ids: Sequence[int]
) -> dict[int, list[str]]:
    """Mark stems by the index, beginnings here: the index would look each row's up anew."""
    name = "search_stems"
    fts = table(name, column("rowid"))
    any_term = " OR ".join(f'"{term.text}"' for term in terms)
    highlight = func.highlight(literal_column(name), 0, _BEGIN, _END)
    match = literal_column(name).op("MATCH")(any_term)
    by_stem = session.execute(
        select(fts.c.rowid, highlight).where(match, fts.c.rowid.in_(ids))
    ).all()
    marked: dict[int, list[str]] = {id_: [] for id_ in ids}
    for id_, text in by_stem:
        marked[id_].append(text)
    if terms[-1].is_open:
        beginning = _folded(terms[-1].text.split()[-1])
        wanted = select(_TEXTS.c.id, _TEXTS.c.text).where(_TEXTS.c.id.in_(ids))
        for id_, text in session.execute(wanted):
            marked[id_].append(_mark_beginnings(text, beginning))
    return marked


def _mark_beginnings(text: str, beginning: str) -> str:
    return _WORD.sub(
        lambda word: (
            f"{_BEGIN}{word[0]}{_END}" if _folded(word[0]).startswith(beginning) else word[0]
        ),
        text,
    )


def _folded(word: str) -> str:
    """Leave case and accents out, as the index does."""
    plain = unicodedata.normalize("NFD", word.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


# Postgres: vectors of stems and of plain words, one behind the other.


def _ts_query(config: str, terms: Sequence[_Term]) -> ColumnElement[Any]:
    """Return a tsquery that wants all terms: their stems ("english"), or the words themselves."""
    whole: ColumnElement[Any] | None = None
    for term in terms:
        if config == "english":
            part = func.phraseto_tsquery(_config(config), term.text)
        else:  # letters, digits and spaces only: nothing in it can end the quotes
            open_end = ":*" if term.is_open else ""
            part = func.to_tsquery(_config(config), f"'{term.text}'{open_end}")
        whole = part if whole is None else whole.op("&&")(part)
    assert whole is not None
    return whole


def _config(name: str) -> ColumnElement[Any]:
    return cast(name, REGCONFIG)


def _rank_postgres(terms: Sequence[_Term], wanted: Select[Any] | None) -> Subquery:
    query = _ts_query("english", terms).op("||")(_ts_query("simple", terms))
    pool = (
        select(_WORDS.c.id, _WORDS.c.words)
        .where(_WORDS.c.words.op("@@")(query))
        .order_by(_WORDS.c.id.desc())
        .limit(POOL)
    )
    if wanted is not None:
        # Looked up once: as a join, all hits would be sorted before the newest are taken.
        ids = func.array(wanted.scalar_subquery(), type_=ARRAY(String))
        pool = pool.where(_WORDS.c.job_id == any_(ids))
    newest = pool.subquery()
    place = (-func.ts_rank(newest.c.words, query)).label("place")
    return select(newest.c.id, place).subquery()


def _mark_postgres(
    session: Session, terms: Sequence[_Term], ids: Sequence[int]
) -> dict[int, list[str]]:
    options = f'HighlightAll=true, StartSel="{_BEGIN}", StopSel="{_END}"'
    headlines = [
        func.ts_headline(_config(config), _TEXTS.c.text, _ts_query(config, terms), options)
        for config in ("english", "simple")
    ]
    rows = session.execute(select(_TEXTS.c.id, *headlines).where(_TEXTS.c.id.in_(ids)))
    return {row[0]: list(row[1:]) for row in rows}


def _excerpt(text: str, marked: Sequence[str]) -> Iterator[Piece]:
    """Cut a text into pieces that were looked for and others; a long one around its first hit."""
    hit = [False] * len(text)
    for copy in marked:
        if copy.replace(_BEGIN, "").replace(_END, "") == text:
            _note_hits(copy, hit)
    first = next((place for place, is_hit in enumerate(hit) if is_hit), 0)
    start = 0 if len(text) <= _EXCERPT else max(0, first - _EXCERPT // 3)
    stop = min(len(text), start + _EXCERPT)
    if start:
        yield Piece("… ", False)
    while start < stop:
        end = next((place for place in range(start, stop) if hit[place] != hit[start]), stop)
        yield Piece(text[start:end], hit[start])
        start = end
    if stop < len(text):
        yield Piece(" …", False)


def _note_hits(marked: str, hit: list[bool]) -> None:
    place, inside = 0, False
    for character in marked:
        if character in (_BEGIN, _END):
            inside = character == _BEGIN
        else:
            hit[place] = hit[place] or inside
            place += 1
