"""The search over all commentary, and many jobs at once."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, Route, expect

from models.errors import BadFile, TimedOut
from models.jobs import add
from models.tables import AdditionKind
from tests.speech.clips import write_tones
from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.browser.test_job_page import LINES, SECOND_WINDOWS
from tests.web.browser.test_story import hear, summarise
from tests.web.commenting import comment_windows, fail_next
from tests.web.server import Server

EVIL = "<img src=x onerror=alert(1)> a zebra & “stripes”"


def test_words_lead_to_the_second_at_which_they_were_said(
    page: Page, server: Server, other_clip: Path, shoot: Shoot
) -> None:
    job = queue(server, other_clip, **SECOND_WINDOWS, filename="bars.mp4")
    comment_windows(server.store, server.media, job["id"], 20)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    evil = queue(server, other_clip, filename="<b>zoo</b>.mp4")
    comment_windows(server.store, server.media, evil["id"], 1, EVIL)
    page.goto("/")
    page.get_by_role("link", name="Find").click()
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    page.keyboard.type("something mov")
    hits = page.locator(".hit")
    expect(hits).to_have_count(2)
    expect(page.locator("#found")).to_have_text("2 places, the best first")
    expect(hits.first.locator("mark").last).to_have_text("moves")
    field.fill("at least")
    expect(page.locator("#found")).to_contain_text("places")
    shoot(page, "find")
    field.fill("zebra")
    expect(hits).to_have_count(1)
    expect(hits.locator(".excerpt")).to_have_text(EVIL)
    page.get_by_label("State").select_option("failed")
    expect(page.locator("#found")).to_have_text("Nothing was found.")
    page.get_by_label("State").select_option("")
    field.fill("READY")
    expect(hits.last.locator("mark")).to_have_text("READY")
    hits.last.get_by_role("link").click()
    expect(page.locator(f"{LINES}[aria-current]")).to_contain_text("READY")
    page.go_back()
    expect(field).to_have_value("READY")


def test_what_was_typed_before_the_script_came_is_sought(
    page: Page, server: Server, other_clip: Path
) -> None:
    job = queue(server, other_clip)
    comment_windows(server.store, server.media, job["id"], 1, EVIL)
    held: list[Route] = []
    page.route("**/find.js", lambda route: held.append(route))
    page.goto("/find", wait_until="commit")
    page.get_by_role("searchbox").fill("zebra")
    while not held:
        page.wait_for_timeout(10)
    held[0].continue_()
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_have_value("zebra")


def test_what_is_said_in_a_video_and_told_of_it_is_found_too(
    page: Page, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clip = write_tones(tmp_path_factory.mktemp("sound") / "tones.mp4", 12, [(1, 3, 440)])
    job_id = queue(server, clip)["id"]
    comment_windows(server.store, server.media, job_id, 100, "A ferry leaves the harbour.")
    for kind in (AdditionKind.TRANSCRIPT, AdditionKind.SUMMARY):
        with server.store.write() as session:
            add(session, job_id, kind)
        if kind is AdditionKind.TRANSCRIPT:
            hear(server.store, job_id, [(8100, 9000, "<b>Harbour</b> to the left.")])
        else:
            summarise(server.store, server.media, job_id)
    page.goto("/find?q=harbour")
    hits = page.locator(".hit")
    expect(hits.filter(has_text="comment ·")).not_to_have_count(0)
    expect(hits.filter(has_text="summary ·")).not_to_have_count(0)
    heard = hits.filter(has_text="speech ·")
    expect(heard.locator(".excerpt")).to_have_text("<b>Harbour</b> to the left.")
    expect(heard.locator("mark")).to_have_text("Harbour")
    heard.get_by_role("link").click()
    line = page.locator(f"{LINES}[aria-current]")
    expect(line.locator(".time")).to_have_text("0:08")
    expect(line.locator(".heard")).to_contain_text("to the left")


@pytest.fixture
def jobs(page: Page, server: Server, clip: Path) -> list[dict[str, Any]]:
    """Return five jobs: two done, two failed in one way, one in another."""
    made = [queue(server, clip, **SECOND_WINDOWS, filename=f"{n}.mp4") for n in range(5)]
    for job in made[:2]:
        comment_windows(server.store, server.media, job["id"], 6)
    for job, failure in zip(
        made[2:], (TimedOut("It took too long."),) * 2 + (BadFile("No."),), strict=True
    ):
        fail_next(server.store, job["id"], failure)
    return made


def test_failed_jobs_are_grouped_and_a_group_is_retried(
    page: Page, server: Server, jobs: list[dict[str, Any]], shoot: Shoot
) -> None:
    page.goto("/")
    expect(page.locator("#totals")).to_have_text("5 jobs: 2 done, 3 failed")
    expect(page.locator("#failures li")).to_have_count(2)
    shoot(page, "failures")
    page.get_by_role("button", name="Retry all 2: timeout").click()
    expect(page.locator("#toast")).to_have_text("2 queued again")
    expect(page.locator("#totals")).to_have_text("5 jobs: 2 done, 1 failed, 2 queued")
    expect(page.locator("#failures li")).to_have_count(1)


def test_many_jobs_are_chosen_and_acted_on(
    page: Page, server: Server, jobs: list[dict[str, Any]], shoot: Shoot
) -> None:
    page.goto("/")
    boxes = page.locator(".job .choose")
    expect(boxes).to_have_count(5)
    boxes.first.focus()
    for key in ("Space", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("#batch-count")).to_have_text("3 chosen")
    shoot(page, "chosen")
    page.keyboard.press("Escape")
    expect(page.locator("#batch")).to_be_hidden()
    boxes.nth(0).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("#batch-count")).to_have_text("5 chosen")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator("#toast")).to_contain_text("3 queued again, 2 left as they were:")
    page.get_by_role("button", name="Choose none").click()

    for job in jobs[:2]:
        page.locator(f".job[data-id='{job['id']}'] .choose").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as ZIP").click()
    assert sorted(ZipFile(saved.value.path()).namelist()) == ["0.srt", "1.srt"]
    page.get_by_label("All on this page").check()
    page.locator("#batch").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("5 jobs and everything")).to_be_visible()
    page.locator("#confirm-delete").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No videos yet.")).to_be_visible()
    expect(page.locator("#batch")).to_be_hidden()


def test_all_jobs_are_chosen_beyond_the_page(page: Page, server: Server, clip: Path) -> None:
    for number in range(27):
        queue(server, clip, filename=f"{number}.mp4")
    page.goto("/")
    expect(page.locator(".job")).to_have_count(25)
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Choose all 27").click()
    expect(page.locator("#batch-count")).to_have_text("27 chosen")
    page.get_by_role("button", name="Older jobs").click()
    expect(page.locator(".job .choose:checked")).to_have_count(2)
    page.locator("#batch").get_by_role("button", name="Cancel").click()
    expect(page.locator("#toast")).to_have_text("27 cancelled")
    expect(page.locator("#totals")).to_have_text("27 jobs: 27 cancelled")
