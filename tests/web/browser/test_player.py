"""A job's page: keys, frames, search, links, thumbnails, and copies of what browsers can't play."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.browser.test_job_page import LINES, SECOND_WINDOWS, comment, seek, wait_until
from tests.web.server import Server

VIDEO = "document.querySelector('video')"


@pytest.fixture
def job(page: Page, server: Server, other_clip: Path) -> dict[str, Any]:
    """Return a job with twenty segments of a second, whose clip has ten frames a second."""
    job = queue(server, other_clip, **SECOND_WINDOWS, filename="bars.mp4")
    comment(server, job, 20)
    return job


@pytest.fixture
def opened(page: Page, job: dict[str, Any]) -> Page:
    page.goto(job["links"]["page"])
    expect(page.locator(LINES)).to_have_count(20)
    wait_until(page, f"{VIDEO}.readyState >= 2")
    return page


def moment(page: Page) -> float:
    return float(page.evaluate(f"{VIDEO}.currentTime"))


def test_keys_play_skip_and_walk_through_segments(opened: Page) -> None:
    page = opened
    for key, then in (
        ("l", 10),
        ("ArrowRight", 15),
        ("ArrowLeft", 10),
        ("j", 0),
        ("n", 1),
        ("p", 0),
    ):
        page.keyboard.press(key)
        wait_until(page, f"Math.abs({VIDEO}.currentTime - {then}) < 0.2")
    page.keyboard.press("k")
    wait_until(page, f"!{VIDEO}.paused")
    page.keyboard.press("Space")
    wait_until(page, f"{VIDEO}.paused")
    page.keyboard.press("c")
    wait_until(page, f"{VIDEO}.textTracks[0].mode === 'hidden'")


def test_keys_are_letters_while_somebody_writes_and_belong_to_others_with_ctrl(
    opened: Page,
) -> None:
    page = opened
    page.keyboard.press("Control+l")
    page.keyboard.press("/")
    expect(page.get_by_label("Search the commentary")).to_be_focused()
    page.keyboard.type("jkl ")
    expect(page.get_by_label("Search the commentary")).to_have_value("jkl ")
    assert moment(page) == 0
    assert page.evaluate(f"{VIDEO}.paused")


def test_a_question_mark_lists_the_keys(opened: Page, shoot: Shoot) -> None:
    page = opened
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("a frame back, on")
    page.keyboard.press("l")  # a key of the page, not of the dialog
    assert moment(page) == 0
    shoot(page, "keys")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_point_and_a_comma_step_by_exactly_one_frame(opened: Page) -> None:
    page = opened
    seek(page, 3.0)
    wait_until(page, f"!{VIDEO}.seeking")
    frames = []
    for key in (".", ".", ".", ",", ","):
        before = moment(page)
        page.keyboard.press(key)
        wait_until(
            page, f"Math.floor({VIDEO}.currentTime * 10 + 0.001) !== {int(before * 10 + 0.001)}"
        )
        page.wait_for_timeout(150)
        frames.append(int(moment(page) * 10 + 0.001))
    assert frames == [31, 32, 33, 32, 31]


def test_search_counts_goes_round_and_marks_without_changing_the_lines(
    opened: Page, shoot: Shoot
) -> None:
    page = opened
    page.keyboard.press("/")
    page.keyboard.type("DOG")
    count = page.locator("#search .count")
    expect(count).to_have_text("1 of 3")
    hit = page.locator("#segments .hit .time")
    expect(hit).to_have_text("0:07")
    for key, number, time in (
        ("Enter", 2, "0:12"),
        ("Enter", 3, "0:17"),
        ("Shift+Enter", 2, "0:12"),
    ):
        page.keyboard.press(key)
        expect(count).to_have_text(f"{number} of 3")
        expect(hit).to_have_text(time)
    assert page.evaluate("CSS.highlights.get('hits').size") == 3
    assert page.evaluate("[...CSS.highlights.get('hit')][0].toString()") == "dog"
    assert page.locator("#segments .text *").count() == 0
    shoot(page, "search")
    page.keyboard.press("Escape")
    expect(count).to_have_text("")
    page.keyboard.type("(no such")
    expect(count).to_have_text("not found")


def test_a_link_to_a_moment_opens_there_and_is_copied_from_its_line(
    page: Page, job: dict[str, Any]
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{job['links']['page']}#t=12.5")
    expect(page.locator(LINES).nth(12)).to_have_attribute("aria-current", "true")
    assert moment(page) == pytest.approx(12.5, abs=0.05)
    page.locator(LINES).nth(5).hover()
    page.get_by_role("button", name="Copy a link to 0:05").click()
    expect(page.get_by_text("A link to 0:05 is on the clipboard.")).to_be_visible()
    address = page.evaluate("navigator.clipboard.readText()")
    assert address.endswith(f"{job['links']['page']}#t=5")
    assert moment(page) == pytest.approx(12.5, abs=0.05)
    page.evaluate("location.hash = '#t=3'")
    expect(page.locator(LINES).nth(3)).to_have_attribute("aria-current", "true")


def test_lines_and_the_seek_bar_show_thumbnails_of_one_sheet(
    opened: Page, server: Server, job: dict[str, Any]
) -> None:
    page = opened
    tile = page.locator(f"{LINES} .tile").first
    wait_until(page, "document.querySelector('#segments .tile').style.backgroundImage !== ''")
    assert f"/media/sheets/{job['id']}/0.jpg" in (tile.get_attribute("style") or "")
    bar = page.get_by_role("slider", name="Moment of the video")
    box = bar.bounding_box()
    assert box is not None
    bar.hover(position={"x": box["width"] * 0.525, "y": 5})
    expect(page.locator("#timeline .preview figcaption")).to_have_text("0:10")
    expect(page.locator("#timeline .tile")).to_have_attribute("data-look", "10 true")
    bar.click(position={"x": box["width"] * 0.525, "y": 5})
    expect(page.locator(LINES).nth(10)).to_have_attribute("aria-current", "true")
    expect(bar).to_have_attribute("aria-valuetext", "0:10 of 0:20")


@pytest.fixture
def clip_of_the_nineties(media: Path) -> Path:
    return media / "tree_and_hand.avi"


def test_a_copy_that_plays_is_made_of_what_the_browser_cannot_play(
    page: Page, server: Server, clip_of_the_nineties: Path, shoot: Shoot
) -> None:
    job = queue(server, clip_of_the_nineties)
    comment(server, job, 8)
    page.goto(job["links"]["page"])
    expect(page.get_by_text("This browser can't play the file (cinepak in avi)")).to_be_visible()
    page.get_by_role("button", name="Make a copy that plays").click()
    expect(page.locator("video")).to_be_visible(timeout=60_000)
    wait_until(page, f"{VIDEO}.readyState >= 2")
    assert page.evaluate(f"{VIDEO}.videoWidth") == 320
    assert page.evaluate(f"{VIDEO}.duration") == pytest.approx(29.6, abs=0.1)
    page.locator(LINES).nth(5).click()
    wait_until(page, f"!{VIDEO}.seeking && Math.abs({VIDEO}.currentTime - 20) < 0.1")
    page.keyboard.press("k")
    wait_until(page, f"{VIDEO}.currentTime > 20.3")
    page.keyboard.press("k")
    expect(page.locator(LINES).nth(5)).to_have_attribute("aria-current", "true")
    shoot(page, "copy")
    page.reload()
    expect(page.locator("video")).to_be_visible()
    httpx.delete(f"{server.url}/api/jobs/{job['id']}").raise_for_status()
    assert not (server.media.root / server.media.playback(job["video"]["id"])).exists()
