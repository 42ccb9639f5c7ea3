"""The summary on a job's page: asked for, watched, sought by its chapters, taken away."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from models import chunks, jobs, utterances
from models.media import Media
from models.store import Store
from models.tables import AdditionKind, Utterance
from tests.speech.clips import write_tones
from tests.story.test_steps import Teller, run
from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.commenting import claim_next, comment_windows
from tests.web.server import Server
from worker.builtin.extract import extract
from worker.commentator import Draft, Matter, Prompt, Told
from worker.keeper import Keeper
from worker.site import Site

BEACH = "A dog runs over the beach; text on screen: “<b>SURF</b>”."
KITCHEN = "Two people in a kitchen chop onions."


class Extracting(Teller):
    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        return Told(*extract(matter.texts, matter.sentences))


def summarise(store: Store, media: Media, job_id: str) -> None:
    """Make the summary that a job waits for."""
    keeper = Keeper(store, 30_000, 120)
    run(Site(store, media, Extracting(), keeper, 30_000, 120), job_id)


def hear(store: Store, job_id: str, said: list[tuple[int, int, str]]) -> None:
    """Store what is said, each with its begin and end in ms, as the only piece of a job's sound."""
    claim = claim_next(store, job_id)
    assert claim is not None
    rows = [
        Utterance(
            **{"job_id": job_id, "piece": 0, "number": n, "language": "en"},
            **{"start_ms": start, "end_ms": end, "text": text},
        )
        for n, (start, end, text) in enumerate(said)
    ]
    with store.write() as session:
        chunks.store_step(
            *(session, claim, 0, 30_000),
            lambda: utterances.store_piece(session, job_id, 0, rows),
        )


def test_a_summary_is_asked_for_and_its_chapters_seek(
    page: Page, server: Server, other_clip: Path, shoot: Shoot
) -> None:
    two_seconds = {"window_hop": "4", "frames_per_inference": "2", "frame_stride": "2"}
    job = queue(server, other_clip, **two_seconds, filename="bars.mp4")
    comment_windows(server.store, server.media, job["id"], 5, BEACH)
    comment_windows(server.store, server.media, job["id"], 5, KITCHEN)
    page.goto(job["links"]["page"])
    story = page.locator("#story")
    story.get_by_role("button", name="Summarise this video").click()
    expect(page.locator("#state")).to_have_text("queued")
    expect(story.locator(".state")).to_have_text("0 of 1 step …")
    page.get_by_role("button", name="Pause").click()
    expect(story.locator(".state")).to_have_text("It is made once the job goes on.")
    page.get_by_role("button", name="Resume").click()
    expect(story.locator(".state")).to_have_text("0 of 1 step …")
    summarise(server.store, server.media, job["id"])
    expect(page.locator("#state")).to_have_text("done")
    chapters = story.locator(".chapters li")
    expect(chapters).to_have_text(
        ["0:00Text on screen: “<b>SURF</b>”", "0:10Two people in a kitchen chop onions"]
    )
    expect(story.locator(".text")).to_contain_text("“<b>SURF</b>”")
    expect(page.locator("#timeline .marks span")).to_have_count(1)
    expect(chapters.nth(0)).to_have_attribute("aria-current", "true")
    chapters.nth(1).get_by_role("button").click()
    expect(chapters.nth(1)).to_have_attribute("aria-current", "true")
    expect(page.locator("#segments [aria-current] .time")).to_have_text("0:10")
    shoot(page, "story")

    page.locator("#segments li").first.hover()
    page.locator("#segments li .edit").first.click()
    page.get_by_label("Corrected comment").fill("A cat.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(story.get_by_text("Comments were corrected since.")).to_be_visible()
    story.get_by_role("button", name="Remove").click()
    expect(story.get_by_role("button", name="Summarise this video")).to_be_visible()
    expect(story.locator(".chapters")).to_be_hidden()
    expect(page.locator("#timeline .marks span")).to_have_count(0)


def test_what_is_said_stands_under_the_comments(
    page: Page, server: Server, tmp_path_factory: pytest.TempPathFactory, shoot: Shoot
) -> None:
    clip = write_tones(tmp_path_factory.mktemp("sound") / "tones.mp4", 12, [(1, 3, 440)])
    job = queue(server, clip)
    comment_windows(server.store, server.media, job["id"], 100)
    with server.store.write() as session:
        jobs.add(session, job["id"], AdditionKind.TRANSCRIPT)
    page.goto(job["links"]["page"])
    speech = page.locator("#speech")
    expect(speech.locator(".state")).to_contain_text("0 of 1 piece …")
    page.get_by_role("button", name="Pause").click()
    expect(speech.locator(".state")).to_have_text(
        "What is said is written down once the job goes on."
    )
    page.get_by_role("button", name="Resume").click()
    expect(speech.locator(".state")).to_contain_text("0 of 1 piece …")
    said = [(1000, 3000, "<i>Good</i> evening."), (3100, 3500, "Welcome."), (8100, 9000, "Bye.")]
    hear(server.store, job["id"], said)
    expect(speech.locator(".state")).to_have_text("Speech (en) stands under the comments.")
    heard = page.locator("#segments .heard")
    expect(heard).to_have_text(["“<i>Good</i> evening. Welcome.”", "", "“Bye.”"])
    shoot(page, "speech")
    speech.get_by_role("button", name="Remove the speech").click()
    expect(heard).to_have_text(["", "", ""])
