"""What people make of commentary: corrections, another run, two runs compared."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.store.rows import segment
from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.browser.test_job_page import LINES, SECOND_WINDOWS, wait_until
from tests.web.commenting import comment_windows
from tests.web.server import Server

SAID = "At least 1 person has come; something moves at the left."


@pytest.fixture
def job(page: Page, server: Server, other_clip: Path) -> dict[str, Any]:
    """Return a done job of twenty windows of a second."""
    job = queue(server, other_clip, **SECOND_WINDOWS, filename="bars.mp4")
    comment_windows(server.store, server.media, job["id"], 20)
    return job


def stored(server: Server, job: dict[str, Any], window: int) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/api/jobs/{job['id']}/segments/{window}").json()
    assert isinstance(answer, dict)
    return answer


def test_a_line_is_corrected_from_the_keyboard_and_undone(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    page.goto(job["links"]["page"])
    line = page.locator(LINES).nth(1)
    page.locator(LINES).first.locator(".line").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("e")
    editor = page.get_by_label("Corrected comment")
    expect(editor).to_be_focused()
    expect(editor).to_have_value(SAID)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("never stored")
    page.keyboard.press("Escape")
    expect(line.locator(".text")).to_have_text(SAID)
    expect(line.locator(".line")).to_be_focused()

    page.keyboard.press("e")
    page.get_by_label("Your name").fill("Ada")
    editor.fill("A man in red comes in <b>from the left</b>.")
    editor.press("Enter")
    expect(line.locator(".text")).to_have_text("A man in red comes in <b>from the left</b>.")
    expect(line.locator(".origin")).to_contain_text("corrected by Ada")
    assert stored(server, job, 1)["text"] == "A man in red comes in <b>from the left</b>."
    cue = "[...document.querySelector('video').textTracks].some(t => [...t.cues ?? []].some(c => c.text.includes('man in red')))"
    wait_until(page, cue)
    page.keyboard.press("e")
    expect(page.get_by_text(f"Original: {SAID}")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Ada")
    shoot(page, "correcting")
    page.get_by_role("button", name="Back to the original").click()
    expect(line.locator(".text")).to_have_text(SAID)
    assert stored(server, job, 1)["corrected_ms"] is None


def test_whoever_is_second_sees_what_the_first_wrote(
    forgiving_page: Page, server: Server, other_clip: Path, shoot: Shoot
) -> None:
    page = forgiving_page
    job = queue(server, other_clip, **SECOND_WINDOWS, filename="bars.mp4")
    comment_windows(server.store, server.media, job["id"], 20)
    page.goto(job["links"]["page"])
    page.locator(LINES).nth(1).hover()
    page.get_by_role("button", name="Correct the comment at 0:01").click()
    editor = page.get_by_label("Corrected comment")
    editor.fill("What the second wrote.")
    httpx.put(
        f"{server.url}/api/jobs/{job['id']}/segments/1/text",
        json={"text": "What the first wrote.", "revision": 0, "by": "Bob"},
    ).raise_for_status()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="Somebody else (Bob)")).to_be_visible()
    expect(page.get_by_text("Theirs: What the first wrote.")).to_be_visible()
    expect(editor).to_have_value("What the second wrote.")
    shoot(page, "correction-conflict")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(f"{LINES} .text").nth(1)).to_have_text("What the second wrote.")
    assert stored(server, job, 1)["revision"] == 2


def test_chosen_windows_are_run_again_and_compared(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    page.goto(job["links"]["page"])
    page.get_by_role("link", name="Run again").click()
    page.get_by_label("Only chosen ones").check()
    boxes = page.locator("#windows input")
    expect(boxes).to_have_count(20)
    boxes.nth(4).click()
    boxes.nth(8).click(modifiers=["Shift"])
    boxes.nth(6).press("Space")
    expect(page.locator("#chosen")).to_have_text("4 of 20 chosen")
    shoot(page, "again")
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("#numbers")).to_contain_text("16 of 20 windows")
    expect(page.locator(f"{LINES} .origin").first).to_have_text("from an earlier run")
    new_id = page.url.rsplit("/", 1)[1]
    assert new_id != job["id"]
    comment_windows(server.store, server.media, new_id, 4, "At least 1 dog has gone; quiet.")
    expect(page.locator("#state")).to_have_text("done")
    page.get_by_text("Every window").click()
    expect(page.locator(".by-window tbody tr")).to_have_count(
        4
    )  # the others were timed in another run
    page.locator(".facts summary").click()
    expect(page.locator(".facts")).to_contain_text(
        "16 of 20 windows from an earlier run, by builtin"
    )

    page.get_by_role("link", name="Compare with the other run").click()
    rows = page.locator("#comparison tbody tr")
    expect(rows).to_have_count(20)
    differing = page.locator("#comparison tbody tr.differs")
    expect(page.locator("#sum")).to_have_text(re.compile(r"\d of 20 rows differ\."))
    expect(differing.first.locator("ins").first).to_be_visible()
    shoot(page, "compare")
    page.get_by_label("Only what differs").check()
    expect(rows).to_have_count(4)
    link = rows.first.get_by_role("link")
    expect(link).to_have_attribute("href", f"/jobs/{job['id']}#t=4")


def test_windows_that_could_not_all_be_read_are_read_anew(
    forgiving_page: Page, server: Server, clip: Path
) -> None:
    job = queue(server, clip)
    with server.store.write() as session:
        session.add_all(segment(job["id"], index) for index in range(1001))
    page = forgiving_page
    page.route("**/segments?since=1000&*", lambda route: route.abort(), times=1)
    page.goto(f"/jobs/{job['id']}/again")
    page.get_by_label("Only chosen ones").check()
    expect(page.locator("#trouble")).to_be_visible()
    page.get_by_label("The whole video").check()
    page.get_by_label("Only chosen ones").check()
    expect(page.locator("#chosen")).to_have_text("0 of 1,001 chosen")
    expect(page.locator("#windows input")).to_have_count(1001)
    expect(page.locator("#trouble")).to_be_hidden()


def test_the_whole_video_is_run_with_other_windows_and_aligned(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    page.goto(f"/jobs/{job['id']}/again")
    page.get_by_text("Windows and sampling").click()
    page.get_by_label("Frames per window").fill("4")
    page.get_by_label("Window hop").fill("0")
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("#numbers")).to_contain_text("0 of 10 windows")
    comment_windows(server.store, server.media, page.url.rsplit("/", 1)[1], 10)
    page.goto(f"/compare?left={job['id']}&right={page.url.rsplit('/', 1)[1]}")
    expect(page.locator("#comparison tbody tr")).to_have_count(10)
    page.locator("#right").select_option(job["id"])
    expect(page.locator("#sum")).to_have_text("Both say the same in all 20 rows.")
