"""A hint is followed: on a real file, decoder and store; only the commentator is a small one of our own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select, update

from models import jobs
from models.errors import AppError, BadFile, OutOfMemory, PromptRefused
from models.ids import new_id
from models.jobs import Hints
from models.media import Media, folder_media
from models.parameters import parse_parameters
from models.segments import list_partial, list_segments
from models.store import Store
from models.tables import Chunk, CommentKind, Job, JobState, Segment
from models.videos import add_video
from settings import Settings
from tests.journey.footage import write_moving_square
from tests.packaging.processes import wait_for
from tests.store.lost_answers import lost_answer
from web.probe import probe
from worker.advance import advance
from worker.commentator import (
    Accelerator,
    Comment,
    Commentator,
    CommentatorLost,
    Draft,
    Matter,
    Prompt,
    Told,
    Unwanted,
    Window,
)
from worker.keeper import Keeper
from worker.site import Site

SECONDS = 20  # 5 windows of 4 s


def nothing(_: Window) -> None:
    pass


@dataclass
class Counting:
    """Says which window it sees and what was said before; does as told first."""

    before: Callable[[Window], None] = nothing
    name: str = "counting"
    streams: int = 1
    network: dict[str, str] | None = None
    seen: list[int] = field(default_factory=list)

    def accelerator(self) -> Accelerator | None:
        return None

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        return width // 2, height // 2

    def close(self) -> None:
        pass

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        return Told("A title", f"{len(matter.texts)} texts, the first: {matter.texts[0]}"[:80])

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        self.before(window)
        self.seen.append(window.index)
        assert window.frames[0].picture.shape == (90, 160, 3)
        said = f"window {window.index} after {previous.text if previous else 'nothing'}"
        memory = {"index": window.index, "before": previous.memory if previous else None}
        return Comment(CommentKind.SAID, said[:40], memory=memory)


@dataclass(frozen=True)
class Bench:
    store: Store
    media: Media
    sites: list[Site] = field(default_factory=list)

    def site(self, commentator: Commentator) -> Site:
        keeper = Keeper(self.store, lease_ms=30_000, call_timeout_s=120)
        self.sites.append(Site(self.store, self.media, commentator, keeper, 30_000, 120))
        return self.sites[-1]

    def job(self, clip: Path, chunk_windows: int = 5, **parameters: str) -> Job:
        video_id = new_id()
        (self.media.root / "videos").mkdir(parents=True, exist_ok=True)
        (self.media.root / self.media.video(video_id)).write_bytes(clip.read_bytes())
        with self.store.write() as session:
            video = add_video(session, video_id, new_id() * 4, 1, probe(clip, clip.name))
            wish = parse_parameters(parameters, Settings())
            return jobs.create_job(session, video, clip.name, wish, chunk_windows=chunk_windows)

    def reload(self, job: Job) -> Job:
        with self.store.read() as session:
            return jobs.get_job(session, job.id)

    def segments(self, job: Job) -> list[Segment]:
        with self.store.read() as session:
            return list(list_segments(session, job.id))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "clip.mp4", SECONDS)


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(store, folder_media(tmp_path / "media"))
    yield bench
    for site in bench.sites:
        site.decoder().close()
        site.keeper.end()


def test_a_chunk_is_commented_in_order_and_each_window_stored_whole(
    bench: Bench, clip: Path
) -> None:
    job = bench.job(clip)
    site = bench.site(Counting())
    assert not advance(site, job.id, 0)  # nothing is left to do
    segments = bench.segments(job)
    assert [(row.start_ms, row.end_ms) for row in segments] == [
        (index * 4000, index * 4000 + 4000) for index in range(5)
    ]
    assert segments[0].text == "window 0 after nothing"
    assert segments[1].text == "window 1 after window 0 after nothing"
    assert len(segments[0].frame_pts) == 4
    assert all(row.total_ms >= row.decode_ms > 0 for row in segments[:1])
    assert all(
        (bench.media.root / bench.media.still(job.id, row.index)).read_bytes()[:2] == b"\xff\xd8"
        for row in segments
    )
    assert bench.reload(job).state == JobState.DONE


def test_each_chunk_begins_anew_and_says_whether_there_is_more(bench: Bench, clip: Path) -> None:
    job = bench.job(clip, chunk_windows=3)
    site = bench.site(Counting())
    assert advance(site, job.id, 0)
    assert not advance(site, job.id, 0)
    assert bench.segments(job)[3].text == "window 3 after nothing"


def test_a_chunk_taken_over_reads_as_if_it_had_not_been(bench: Bench, clip: Path) -> None:
    whole, broken = bench.job(clip), bench.job(clip)
    site = bench.site(Counting())
    advance(site, whole.id, 0)

    stumbles = [OutOfMemory("For a moment.")]

    def stumble(window: Window) -> None:
        if window.index == 3 and stumbles:
            raise stumbles.pop()

    stumbling = Counting(stumble)
    while advance(bench.site(stumbling), broken.id, 0):
        pass
    assert [row.text for row in bench.segments(broken)] == [
        row.text for row in bench.segments(whole)
    ]
    assert [row.memory for row in bench.segments(broken)] == [
        row.memory for row in bench.segments(whole)
    ]
    assert stumbling.seen == [0, 1, 2, 3, 4]  # nothing was commented twice
    site.decoder().close()


@pytest.mark.parametrize(
    ("error", "attempts", "kind"),
    [
        (OutOfMemory("Too large a window."), 3, "out-of-memory"),
        (BadFile("Damaged there."), 1, "bad-file"),
        (PromptRefused("The prompt is too long."), 1, "commentator"),
        (MemoryError(), 3, "out-of-memory"),
    ],
)
def test_errors_fail_the_job_with_their_kind_and_keep_the_rest(
    bench: Bench, clip: Path, error: Exception, attempts: int, kind: str
) -> None:
    job = bench.job(clip)
    tries = []

    def fail(window: Window) -> None:
        if window.index == 2:
            tries.append(window.index)
            raise error

    site = bench.site(Counting(fail))
    while advance(site, job.id, 0):
        pass
    failed = bench.reload(job)
    assert (failed.state, failed.failure_kind, failed.failure_window) == (JobState.FAILED, kind, 2)
    assert len(tries) == attempts
    assert len(bench.segments(job)) == 2
    if isinstance(error, AppError):
        assert failed.failure_text == str(error)


def test_our_own_bug_is_loud_and_counts_as_an_attempt(bench: Bench, clip: Path) -> None:
    job = bench.job(clip)

    def stumble(window: Window) -> None:
        raise ZeroDivisionError("a bug")

    site = bench.site(Counting(stumble))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            advance(site, job.id, 0)
    assert bench.reload(job).failure_kind == "internal"


def test_a_cancelled_job_gets_no_further_segment(bench: Bench, clip: Path) -> None:
    job = bench.job(clip)

    def cancel(window: Window) -> None:
        if window.index == 2:
            with bench.store.write() as session:
                jobs.cancel(session, job.id)

    commentator = Counting(cancel)
    assert not advance(bench.site(commentator), job.id, 0)
    assert commentator.seen == [0, 1, 2]
    assert [row.index for row in bench.segments(job)] == [0, 1]
    stills = sorted(path.name for path in bench.media.root.rglob("*.jpg"))
    assert stills == ["0.jpg", "1.jpg"]  # no picture of the window that came too late
    assert list((bench.media.root / "incoming").iterdir()) == []


def test_a_window_whose_commit_was_done_without_an_answer_is_stored_once(
    bench: Bench, clip: Path
) -> None:
    job = bench.job(clip)
    commentator = Counting()
    with lost_answer(lambda: len(bench.segments(job)) == 3):
        assert not advance(bench.site(commentator), job.id, 0)
    assert commentator.seen == list(range(job.window_count))
    assert [row.index for row in bench.segments(job)] == commentator.seen
    assert bench.reload(job).state == JobState.DONE


def test_a_draining_worker_finishes_its_window_and_passes_the_hint_on(
    bench: Bench, clip: Path
) -> None:
    job = bench.job(clip)
    site = bench.site(Counting(lambda _: site.draining.set()))
    assert advance(site, job.id, 0)
    assert [row.index for row in bench.segments(job)] == [0]
    assert bench.reload(job).state == JobState.RUNNING
    assert not advance(bench.site(Counting()), job.id, 0)
    assert bench.reload(job).state == JobState.DONE


def test_a_still_picture_below_the_threshold_is_not_looked_at(bench: Bench, clip: Path) -> None:
    commentator = Counting()
    job = bench.job(clip, change_threshold="200")
    advance(bench.site(commentator), job.id, 0)
    assert commentator.seen == [0]
    assert [row.kind for row in bench.segments(job)] == [CommentKind.SAID] + [
        CommentKind.UNCHANGED
    ] * 4


def test_a_file_that_is_gone_fails_the_job_with_a_sentence(bench: Bench, clip: Path) -> None:
    job = bench.job(clip)
    bench.media.remove_video(job.video_id)
    while advance(bench.site(Counting()), job.id, 0):
        pass
    failed = bench.reload(job)
    assert failed.state == JobState.FAILED
    assert failed.failure_kind == "bad-file"
    assert failed.failure_text


def test_hostile_words_are_stored_clean(bench: Bench, clip: Path) -> None:
    class Rude(Counting):
        def comment(
            self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
        ) -> Comment:
            return Comment(CommentKind.SAID, "a\x00b\ud800<script>")

    job = bench.job(clip)
    advance(bench.site(Rude()), job.id, 0)
    assert bench.segments(job)[0].text == "ab<script>"


def test_a_still_that_cannot_be_stored_costs_nothing_else(bench: Bench, clip: Path) -> None:
    job = bench.job(clip)
    (bench.media.root / "stills").write_text("a file where the folder should be")
    advance(bench.site(Counting()), job.id, 0)
    assert bench.reload(job).state == JobState.DONE


@dataclass
class Slow(Counting):
    """Writes a word, waits until a test has seen it, and gives up when nobody wants it any more."""

    seen_by_test: threading.Event = field(default_factory=threading.Event)

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        self.seen.append(window.index)
        draft.show(f"window {window.index}: A dog\x00 ru")
        while not self.seen_by_test.wait(0.01):
            if draft.unwanted.is_set():
                raise Unwanted
        return Comment(CommentKind.SAID, "A dog runs.")


@contextmanager
def advancing(site: Site, job: Job) -> Iterator[Future[list[Hints]]]:
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(advance, site, job.id, 0)
        finally:
            pool.submit(lambda: site.decoder().close())  # this thread's


def written(bench: Bench, job: Job) -> list[tuple[int, str]]:
    with bench.store.read() as session:
        return [(window.index, window.text) for window in list_partial(session, job.id)]


def test_what_is_being_written_is_shown_until_it_is_said(bench: Bench, clip: Path) -> None:
    job, slow = bench.job(clip), Slow()
    with advancing(bench.site(slow), job) as end:
        wait_for(lambda: written(bench, job), "the text so far")
        assert written(bench, job) == [(0, "window 0: A dog ru")]
        slow.seen_by_test.set()
        assert end.result(60) == []
    assert written(bench, job) == []
    assert [row.text for row in bench.segments(job)] == ["A dog runs."] * 5


@pytest.mark.parametrize("end", ["cancelled", "deleted", "taken over"])
def test_a_window_that_nobody_wants_any_more_is_given_up(
    bench: Bench, clip: Path, end: str
) -> None:
    job, slow = bench.job(clip), Slow()
    with advancing(bench.site(slow), job) as ended:
        wait_for(lambda: written(bench, job), "the text so far")
        with bench.store.write() as session:
            if end == "cancelled":
                jobs.cancel(session, job.id)
            elif end == "deleted":
                jobs.delete_job(session, job.id)
            else:
                session.execute(update(Chunk).values(owner="somebody else"))
        assert ended.result(60) == []
    assert slow.seen == [0]
    assert bench.segments(job) == []


def test_a_lost_commentator_gives_its_chunk_back_and_begins_no_other(
    bench: Bench, clip: Path
) -> None:
    def lose(window: Window) -> None:
        if window.index == 2:
            raise CommentatorLost("The network's runtime ended (a fault).")

    job = bench.job(clip)
    site = bench.site(Counting(lose))
    assert advance(site, job.id, 0)
    assert site.lost.is_set()
    with bench.store.read() as session:
        chunk = session.scalars(select(Chunk)).one()
    assert (chunk.owner, chunk.cursor, chunk.failure_kind) == (None, 2, "commentator")
    assert advance(site, job.id, 0)
    with bench.store.read() as session:
        assert session.scalars(select(Chunk.attempts)).one() == chunk.attempts
    assert not advance(bench.site(Counting()), job.id, 0)
    assert bench.reload(job).state == JobState.DONE
    assert len(bench.segments(job)) == 5


def test_the_network_is_noted_with_the_job(bench: Bench, clip: Path) -> None:
    network = {"name": "Tiny", "checkpoint": "tiny", "fingerprint": "0"}
    job = bench.job(clip)
    advance(bench.site(Counting(network=network)), job.id, 0)
    assert bench.reload(job).networks == [network]
