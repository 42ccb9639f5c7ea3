"""The search: what is found on both stores, and that its index keeps step with what is told."""

from collections.abc import Sequence

import pytest
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from migrations import downgrade, upgrade
from models import chunks, jobs, passages, utterances
from models.corrections import correct
from models.errors import InvalidRequest
from models.search import Found, Wish, find
from models.store import Store
from models.tables import Job, JobState, Passage, Utterance
from tests.conftest import open_store
from tests.security.nasty import NASTY
from tests.store.rows import LEASE_MS, claim, make_job, segment

STREET = (
    "A woman runs across the street.",
    "Two dogs are running beside a red car.",
    "On-screen text: “READY – 12:45”.",
    "The café closes; a dog’s bowl is empty.",
)


def say(store: Store, texts: Sequence[str] = STREET) -> str:
    """Store a job that says the texts, a window each; return its id."""
    with store.write() as session:
        job = make_job(session, seconds=4 * len(texts), chunk_windows=len(texts))
        held = claim(session, job)
        assert held is not None
        for index, words in enumerate(texts):
            chunks.store_segment(session, held, segment(job.id, index, words), LEASE_MS)
        return job.id


def look(store: Store, words: str, **filters: object) -> Found:
    with store.read() as session:
        return find(session, Wish(words, **filters), limit=25)  # type: ignore[arg-type]


def windows(store: Store, words: str, **filters: object) -> list[int]:
    return sorted(
        hit.window for hit in look(store, words, **filters).hits if hit.window is not None
    )


FOUND = [
    ("street", [0]),
    ("STREET", [0]),
    ("running", [0, 1]),  # the stem
    ("runni", [1]),  # being typed
    ("runni ", []),  # typed to its end
    ("dog", [1, 3]),
    ("red dogs", [1]),  # all words, in any order
    ("red street", []),
    ('"red car"', [1]),
    ('"car red"', []),
    ("ready 12:45", [2]),
    ("the woman", [0]),
    ("", []),
    ("  ,;–  ", []),
]


def test_words_are_found(store: Store) -> None:
    say(store)
    assert [(words, windows(store, words)) for words, _ in FOUND] == FOUND


def test_the_better_hit_comes_first(store: Store) -> None:
    say(store, ["A dog, two cats, a car, a horse and a boat at the sea.", "A dog.", "A cat."])
    assert [hit.window for hit in look(store, "dog").hits] == [1, 0]


def test_what_was_looked_for_is_told_apart(store: Store) -> None:
    say(store, ["<b>Dogs</b> & a dog"])
    (hit,) = look(store, "dog").hits
    assert [(piece.text, piece.is_hit) for piece in hit.excerpt] == [
        ("<b>", False), ("Dogs", True), ("</b> & a ", False), ("dog", True),
    ]  # fmt: skip


def test_what_is_being_typed_is_marked_too(store: Store) -> None:
    say(store, ["Élan: an elegant dog, two dogs."])
    (hit,) = look(store, "dog ele").hits
    assert [p.text for p in hit.excerpt if p.is_hit] == ["elegant", "dog", "dogs"]


def test_a_long_comment_is_cut_around_what_was_looked_for(store: Store) -> None:
    say(store, ["word " * 200 + "needle " + "word " * 200])
    (hit,) = look(store, "needle").hits
    assert [piece.text for piece in hit.excerpt if piece.is_hit] == ["needle"]
    assert len("".join(piece.text for piece in hit.excerpt)) < 300
    assert (hit.excerpt[0].text, hit.excerpt[-1].text) == ("… ", " …")


def test_a_correction_is_found_and_the_original_no_longer(store: Store) -> None:
    job_id = say(store)
    with store.write() as session:
        correct(session, job_id, 0, "A man walks.", revision=0, by=None)
        correct(session, job_id, 1, "", revision=0, by=None)
    assert (windows(store, "woman"), windows(store, "man"), windows(store, "car")) == ([], [0], [])
    with store.write() as session:
        correct(session, job_id, 0, None, revision=1, by=None)
        correct(session, job_id, 1, None, revision=1, by=None)
    assert (windows(store, "woman"), windows(store, "man"), windows(store, "car")) == ([0], [], [1])


def tell(store: Store, job_id: str) -> None:
    """Let a job of STREET have heard three sentences, and tell two chapters made of three parts."""
    heard = [(0, 0, 500), (0, 1, 5_000), (1, 0, 13_000)]
    words = ("Welcome to the harbour.", "The harbour is old.", "Goodbye, harbour!")
    parts = [(0, 0, 0, 2, True), (0, 1, 2, 3, False), (0, 2, 3, 4, False), (1, 0, 2, 4, True)]
    with store.write() as session:
        for (piece, number, at), said in zip(heard, words, strict=True):
            row = Utterance(piece=piece, number=number, start_ms=at, end_ms=at + 900, text=said)
            session.add(row)
            row.job_id, row.language = job_id, "en"
        for level, index, first, stop, is_chapter in [*parts, (2, 0, 0, 4, False)]:
            row_of_passage = passage(job_id, level, index, first, stop, is_chapter)
            session.add(row_of_passage)
        session.flush()
        for level, index, _, _, _ in [*parts, (2, 0, 0, 4, False)]:
            told = passages.get_passage(session, job_id, level, index)
            assert told is not None
            told.title, told.text = f"Title{level}{index}", f"A lighthouse {level}{index}."
            passages.fill_in(session, told)


def passage(
    job_id: str, level: int, index: int, first: int, stop: int, is_chapter: bool
) -> Passage:
    return Passage(
        job_id=job_id,
        level=level,
        index=index,
        first=first,
        stop=stop,
        start_ms=first * 4000,
        end_ms=stop * 4000,
        is_chapter=is_chapter,
        title="",
        text="",
        **dict.fromkeys(("waiting_ms", "prefill_ms", "generate_ms", "total_ms"), 0.0),
    )


def places(store: Store, words: str) -> list[tuple[str, int | None, int, str]]:
    """Return source, window, begin and text of each hit."""
    return sorted(
        (hit.source.value, hit.window, hit.start_ms, "".join(piece.text for piece in hit.excerpt))
        for hit in look(store, words).hits
    )


SPEECH = [
    ("speech", 0, 500, "Welcome to the harbour."),
    ("speech", 1, 5_000, "The harbour is old."),
    ("speech", 3, 13_000, "Goodbye, harbour!"),
]
SUMMARY = [
    ("summary", 0, 0, "Title00: A lighthouse 00."),
    ("summary", 0, 0, "Title20: A lighthouse 20."),  # of the whole video
    ("summary", 2, 8_000, "Title10: A lighthouse 10."),  # what its parts say is shown nowhere
]


def test_speech_and_summaries_are_found_and_said_to_be_so(store: Store) -> None:
    tell(store, say(store))
    assert places(store, "harbours") == SPEECH
    assert places(store, "lightho") == SUMMARY
    assert places(store, '"title10 a"') == SUMMARY[2:]
    assert {place[0] for place in places(store, "dog")} == {"comment"}
    (hit,) = look(store, "welcome").hits
    assert [piece.text for piece in hit.excerpt if piece.is_hit] == ["Welcome"]


def test_what_is_heard_or_told_anew_takes_the_old_ones_place(store: Store) -> None:
    job_id = say(store)
    tell(store, job_id)
    with store.write() as session:
        utterances.store_piece(session, job_id, 0, [])
        passages.lay_out(session, job_id, [passage(job_id, 0, 0, 0, 4, True)])
    assert places(store, "harbour") == SPEECH[2:]
    assert places(store, "lighthouse") == []
    with store.write() as session:
        told = passage(job_id, 0, 0, 0, 4, True)
        told.text = "A ferry."  # chapter and whole at once, without a title
        passages.fill_in(session, told)
    assert places(store, "ferry") == [("summary", 0, 0, "A ferry.")]


def test_speech_is_found_before_there_is_a_comment(store: Store) -> None:
    with store.write() as session:
        job_id = make_job(session).id
    tell(store, job_id)
    assert [hit.window for hit in look(store, "welcome").hits] == [None]


def _correct_and_fail(session: Session, job_id: str) -> None:
    correct(session, job_id, 0, "A zebra.", revision=0, by=None)
    raise InvalidRequest("The request breaks off.")


def test_what_is_undone_is_not_found(store: Store) -> None:
    job_id = say(store)
    with pytest.raises(InvalidRequest), store.write() as session:
        _correct_and_fail(session, job_id)
    assert (windows(store, "zebra"), windows(store, "woman")) == ([], [0])


def test_a_deleted_job_leaves_nothing_in_the_index(store: Store) -> None:
    gone, kept = say(store), say(store)
    for job_id in (gone, kept):
        tell(store, job_id)
    with store.write() as session:
        jobs.delete_job(session, gone)
    assert {hit.job.id for hit in look(store, "dog").hits} == {kept}
    with store.write() as session:
        session.execute(delete(Job).where(Job.id == kept))  # as a cascade, too
    with store.read() as session:
        assert session.scalar(text("SELECT count(*) FROM search_words")) == 0
    assert [look(store, words).total for words in ("dog", "harbour", "lighthouse")] == [0, 0, 0]
    if store.engine.dialect.name == "sqlite":
        with store.write() as session:
            for name in ("search_stems", "search_plain"):
                session.execute(text(f"INSERT INTO {name} ({name}) VALUES ('integrity-check')"))


def test_filters_leave_other_jobs_out(store: Store) -> None:
    done, failed = say(store), say(store)
    with store.write() as session:
        jobs.lock_job(session, failed).state = JobState.FAILED
        jobs.lock_job(session, failed).parameters = {"profile": "sports"}
        jobs.lock_job(session, failed).created_ms = 1000
    kept: list[dict[str, object]] = [
        {"state": JobState.DONE},
        {"from_ms": 1001},
        {"commentator": "builtin", "from_ms": 2000},
    ]
    others: list[dict[str, object]] = [
        {"state": JobState.FAILED},
        {"profile": "sports"},
        {"until_ms": 1001},
    ]
    for filters in kept:
        assert {hit.job.id for hit in look(store, "dog", **filters).hits} == {done}, filters
    for filters in others:
        assert {hit.job.id for hit in look(store, "dog", **filters).hits} == {failed}, filters
    assert look(store, "dog", commentator="minicpm").hits == []


def test_pages_of_hits_adjoin(store: Store) -> None:
    say(store, [f"A dog number {number}." for number in range(30)])
    with store.read() as session:
        pages = [find(session, Wish("dog"), limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    seen = [hit.window for page in pages for hit in page.hits]
    assert sorted(number for number in seen if number is not None) == list(range(30))
    assert [page.total for page in pages] == [30, 30, 30, 0]


HOSTILE = [
        *NASTY,
        '"', '""', '"a', 'a" OR "b', "NEAR(a b)", "a AND", "NOT", "a*", "*", "^a", "a:b", "text:x", "(", ")",
        "'", "a'b", "a & b", "!a", "a <-> b", "a | ", "\\", "a\\", ":*", "%", "$$", "{}", "\x00", "a\x00b",
        "\ud800", "é", "e\u0301", "漢字", "हिन्दी", "😀", "a" * 400, "a " * 32, '"' * 400,
]  # fmt: skip


def test_no_query_breaks_it(store: Store) -> None:
    say(store)
    for words in HOSTILE:
        look(store, words[:400])


def test_a_query_that_is_too_long_is_refused(store: Store) -> None:
    for words, sentence in (("a" * 10_000, "at most 400"), ("a " * 33, "at most 32")):
        with pytest.raises(InvalidRequest, match=sentence):
            look(store, words)


def test_what_was_said_before_the_index_is_found(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    upgrade(store)
    tell(store, say(store))
    downgrade(store, "0011")
    downgrade(store, "0005")  # without speech and summaries
    upgrade(store)
    assert windows(store, "dog") == [1, 3]
    tell(store, say(store))
    downgrade(store, "0011")
    upgrade(store)
    assert (places(store, "harbour"), places(store, "lighthouse")) == (SPEECH, SUMMARY)
    downgrade(store, "0004")
    upgrade(store)
    assert {place[0] for place in places(store, "dog")} == {"comment"}
    store.engine.dispose()
