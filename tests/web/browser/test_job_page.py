"""A job's page: player, commentary, timings."""

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect

from models.errors import BadFile
from models.hints import connect
from models.jobs import get_job
from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.commenting import claim_next, comment_windows, fail_next, store_comment
from tests.web.server import Server
from web.events import MOST_STREAMS
from worker.sweep import Sweep

LINES = "#segments li"
SECOND_WINDOWS = {"window_hop": "2", "frames_per_inference": "2", "frame_stride": "1"}


@pytest.fixture
def job(page: Page, server: Server, other_clip: Path) -> dict[str, Any]:
    """Return a queued job of twenty windows of a second."""
    return queue(server, other_clip, **SECOND_WINDOWS, filename="bars.mp4")


def comment(server: Server, job: dict[str, Any], count: int) -> None:
    comment_windows(server.store, server.media, job["id"], count)


def test_the_commentary_grows_while_it_is_written(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    page.goto(job["links"]["page"])
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    shoot(page, "queued")
    comment(server, job, 3)
    expect(page.locator(LINES)).to_have_count(3)
    expect(page.locator("#state")).to_have_text("running")
    comment(server, job, 8)
    expect(page.locator(LINES)).to_have_count(11)
    expect(page.locator("#numbers")).to_contain_text("11 of 20 windows")
    shoot(page, "running")
    comment(server, job, 9)
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(LINES)).to_have_count(20)
    expect(page.locator(f"{LINES} .time").nth(13)).to_have_text("0:13")


def test_lines_stand_in_order_whatever_order_they_come_in(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    page.goto(job["links"]["page"])
    slow, fast = claim_next(server.store, job["id"]), claim_next(server.store, job["id"])
    assert slow is not None
    assert fast is not None
    store_comment(server.store, server.media, fast, fast.cursor)
    expect(page.locator(LINES)).to_have_count(1)
    store_comment(server.store, server.media, slow, 0)
    expect(page.locator(f"{LINES} .time")).to_have_text(["0:00", f"0:0{fast.cursor}"])


def test_a_click_on_a_line_seeks_and_the_line_of_the_moment_is_marked(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    comment(server, job, 20)
    page.goto(job["links"]["page"])
    page.locator(LINES).nth(5).click()
    expect(page.locator(LINES).nth(5)).to_have_attribute("aria-current", "true")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(5, abs=0.1)
    page.evaluate("document.querySelector('video').currentTime = 12.4")
    expect(page.locator(LINES).nth(12)).to_have_attribute("aria-current", "true")
    expect(page.locator("[aria-current]")).to_have_count(1)
    shoot(page, "done")


def test_lines_are_chosen_from_the_keyboard(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment(server, job, 20)
    page.goto(job["links"]["page"])
    page.locator(f"{LINES} .line").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(LINES).nth(2)).to_have_attribute("aria-current", "true")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator(LINES).nth(19)).to_have_attribute("aria-current", "true")


def seek(page: Page, seconds: float) -> None:
    page.evaluate(f"document.querySelector('video').currentTime = {seconds}")


def scrolled(page: Page, what: str = "document.querySelector('#segments')") -> float:
    return float(page.evaluate(f"{what}.scrollTop"))


def test_the_list_follows_the_video_but_not_under_a_persons_hands(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    page.set_viewport_size({"width": 1000, "height": 600})
    comment(server, job, 20)
    page.goto(job["links"]["page"])
    expect(page.locator(LINES)).to_have_count(20)
    last = page.locator(LINES).nth(19)
    page.mouse.move(5, 5)
    seek(page, 19.5)
    expect(last).to_have_attribute("aria-current", "true")
    expect(last).to_be_in_viewport()
    assert scrolled(page) > 0
    assert scrolled(page, "document.documentElement") == 0
    page.locator("#segments").hover()
    before = scrolled(page)
    seek(page, 0.5)
    expect(page.locator(LINES).first).to_have_attribute("aria-current", "true")
    assert scrolled(page) == before
    follow = page.get_by_role("button", name="Follow the video")
    expect(follow).to_be_hidden()
    page.mouse.wheel(0, -40)
    expect(follow).to_be_visible()
    page.mouse.move(5, 5)
    wait_until(page, f"document.querySelector('#segments').scrollTop !== {before}")
    before = scrolled(page)
    seek(page, 5.5)
    expect(page.locator(LINES).nth(5)).to_have_attribute("aria-current", "true")
    assert scrolled(page) == before
    follow.click()
    expect(follow).to_be_hidden()
    wait_until(page, f"document.querySelector('#segments').scrollTop !== {before}")
    expect(page.locator(LINES).nth(5)).to_be_in_viewport()
    before = scrolled(page)
    page.mouse.move(5, 5)
    seek(page, 5.9)  # within the same segment nothing moves
    page.wait_for_timeout(300)
    assert scrolled(page) == before


def wait_until(page: Page, true_in_the_end: str) -> None:
    """Ask again and again; the page's policy keeps Playwright's own way of waiting out."""
    for _ in range(150):
        if page.evaluate(true_in_the_end):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"it never came true: {true_in_the_end}")


def test_captions_keep_up_with_the_commentary(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    cues = "[...document.querySelector('video').textTracks].flatMap(t => [...t.cues ?? []]).length"
    page.goto(job["links"]["page"])
    comment(server, job, 2)
    wait_until(page, f"{cues} === 2")
    comment(server, job, 6)
    said = page.locator(f"{LINES}[data-kind=said]")
    expect(page.locator(LINES)).to_have_count(8)
    wait_until(page, f"{cues} >= {said.count()}")
    assert page.evaluate("document.querySelector('video').textTracks.length") == 1
    assert page.evaluate("document.querySelector('video').textTracks[0].mode") == "showing"


def test_the_timings_stand_in_a_chart_and_in_tables(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment(server, job, 20)
    page.goto(job["links"]["page"])
    expect(page.locator(".summary [data-row=p50] td")).to_have_text(
        ["4.5 ms", "33 ms", "81 ms", "0.0 ms", "1.5 ms", "110 ms"]
    )
    expect(page.locator(".summary [data-row=p95] td")).to_have_text(
        ["5.5 ms", "48 ms", "105 ms", "0.0 ms", "1.5 ms", "150 ms"]
    )
    page.get_by_text("Every window").click()
    rows = page.locator(".by-window tbody tr")
    expect(rows).to_have_count(20)
    expect(rows.nth(1)).to_have_text(
        re.compile("2.*0:01.*4.5 ms.*27 ms.*73 ms.*0.0 ms.*1.5 ms.*110 ms.*–.*7")
    )
    bars = page.locator("#timings .bars .u-over")
    bars.hover(position={"x": 12, "y": 60})
    expect(page.locator(".readout")).to_contain_text("Window 1 at 0:00: waiting 3.5 ms")
    bars.click(position={"x": 12, "y": 60})
    expect(page.locator(LINES).first).to_have_attribute("aria-current", "true")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        wait_until(page, DRAWN_IN_THE_PAGES_COLOUR)


DRAWN_IN_THE_PAGES_COLOUR = """(() => {
  const wanted = getComputedStyle(document.querySelector(".key.vision"), "::before").backgroundColor;
  const canvas = document.querySelector(".bars canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const [red, green, blue] = wanted.match(/\\d+/g).map(Number);
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at] === red && pixels[at + 1] === green && pixels[at + 2] === blue && pixels[at + 3] === 255) return true;
  }
  return false;
})()"""


def test_the_slowest_windows_lead_to_their_moment_and_tokens_are_counted(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment(server, job, 20)
    page.goto(job["links"]["page"])
    slowest = page.locator(".slowest li")
    expect(slowest).to_have_count(5)
    expect(slowest.first).to_contain_text("150 ms, of which vision")
    slowest.nth(1).get_by_role("button").click()
    expect(page.locator(LINES).nth(7)).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-fact=tokens-out]")).to_have_text("140, median 7 a window")
    expect(page.locator("[data-fact=tokens-in]")).to_have_text("not counted")
    expect(page.locator("[data-fact=speed]")).to_contain_text("× real time")
    told = httpx.get(server.url + job["links"]["self"]).json()
    a_minute = 60 * told["realtime"]  # of windows of a second
    words = page.locator("[data-fact=pace]").inner_text().removesuffix(" a minute")
    assert float(words.replace(",", "")) == pytest.approx(a_minute, rel=0.01)
    expect(page.locator(".pace-readout")).to_contain_text("windows a minute")


def test_what_no_browser_plays_is_shown_in_stills(
    page: Page, server: Server, old_clip: Path, shoot: Shoot
) -> None:
    job = queue(server, old_clip, **SECOND_WINDOWS)
    comment(server, job, 9)
    page.goto(job["links"]["page"])
    still = page.locator(".still img")
    expect(still).to_have_attribute("src", f"/media/stills/{job['id']}/0.jpg")
    expect(page.get_by_text("This browser can't play the file (mpeg4 in avi)")).to_be_visible()
    expect(page.locator("video")).to_be_hidden()
    page.locator(LINES).nth(4).click()
    expect(still).to_have_attribute("src", f"/media/stills/{job['id']}/4.jpg")
    expect(still).to_have_js_property("naturalWidth", 320)
    expect(page.locator(LINES).nth(4)).to_have_attribute("aria-current", "true")
    shoot(page, "unplayable")


def test_a_video_that_the_browser_gives_up_on_is_shown_in_stills(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    path = server.media.root / server.media.video(job["video"]["id"])
    content = path.read_bytes()
    try:
        path.write_bytes(bytes(len(content)))
        comment(server, job, 2)
        page.goto(job["links"]["page"])
        expect(page.locator(".still img")).to_be_visible()
        expect(page.locator("video")).to_be_hidden()
    finally:
        path.write_bytes(content)


def test_a_failure_is_told_and_retried(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    comment(server, job, 5)
    fail_next(server.store, job["id"], BadFile("bars.mp4 can't be decoded: <b>invalid data</b>."))
    page.goto(job["links"]["page"])
    failure = page.locator("#failure")
    expect(failure.locator(".kind")).to_have_text("bad-file")
    expect(failure.locator(".sentence")).to_have_text(
        "bars.mp4 can't be decoded: <b>invalid data</b>."
    )
    expect(failure.locator(".where")).to_have_text("It happened at window 6, 0:05 into the video.")
    shoot(page, "failed")
    again = page.get_by_role("button", name="Retry bars.mp4")
    expect(again).not_to_contain_class("primary")
    again.click()
    expect(page.locator("#state")).to_have_text("queued")
    expect(failure).to_be_hidden()
    comment(server, job, 15)
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(LINES)).to_have_count(20)


def test_a_cancelled_job_keeps_what_was_said(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    comment(server, job, 5)
    page.goto(job["links"]["page"])
    page.get_by_role("button", name="Cancel bars.mp4").click()
    expect(page.locator("#state")).to_have_text("cancelled")
    expect(page.locator(LINES)).to_have_count(5)
    shoot(page, "cancelled")


def test_delete_asks_and_leads_back_to_the_list(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    page.goto(job["links"]["page"])
    page.get_by_role("button", name="Delete bars.mp4").click()
    expect(page.get_by_text("Delete this job?")).to_be_visible()
    shoot(page, "delete")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No videos yet.")).to_be_visible()


def test_a_page_without_a_stream_asks_again_and_again(
    forgiving_page: Page, server: Server, clip: Path
) -> None:
    page = forgiving_page
    job = queue(server, clip, **SECOND_WINDOWS)
    with ExitStack() as streams, httpx.Client(limits=httpx.Limits(max_connections=None)) as client:
        for _ in range(MOST_STREAMS):
            streams.enter_context(client.stream("GET", server.url + job["links"]["events"]))
        page.goto(job["links"]["page"])
        comment(server, job, 6)
        expect(page.locator(LINES)).to_have_count(6, timeout=15_000)
        expect(page.locator("#state")).to_have_text("done")


def test_a_page_comes_back_after_the_server_was_killed(
    forgiving_page: Page, server: Server, clip: Path
) -> None:
    page = forgiving_page
    job = queue(server, clip, **SECOND_WINDOWS)
    page.goto(job["links"]["page"])
    comment(server, job, 2)
    expect(page.locator(LINES)).to_have_count(2)
    (child,) = psutil.Process(server.pid).children()
    os.kill(child.pid, 9)
    comment(server, job, 4)
    expect(page.locator(LINES)).to_have_count(6, timeout=30_000)
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator("#trouble")).to_be_hidden()


def test_hostile_words_are_only_words(page: Page, server: Server, clip: Path) -> None:
    evil = "<img src=x onerror=alert(1)> --> {{ 7*7 }} \u202egnp.exe"
    job = queue(server, clip, **SECOND_WINDOWS, filename=evil)
    comment_windows(server.store, server.media, job["id"], 6, evil)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(job["links"]["page"])
    expect(page.locator(f"{LINES} .text").first).to_have_text(evil)
    page.goto("/")
    expect(page.locator(".job .name")).to_have_text(evil)


def test_an_address_of_nothing_is_a_page(forgiving_page: Page, shoot: Shoot) -> None:
    forgiving_page.goto("/jobs/aaaaaaaaaaaaaaaa")
    expect(forgiving_page.get_by_text("it may have been deleted")).to_be_visible()
    shoot(forgiving_page, "not-found")


def test_a_video_that_was_removed_is_told_and_the_commentary_stays(
    page: Page, server: Server, job: dict[str, Any], shoot: Shoot
) -> None:
    comment(server, job, 12)
    fail_next(server.store, job["id"], BadFile("It broke off."))
    with server.store.write() as session:
        get_job(session, job["id"]).finished_ms = 1
    Sweep(server.store, connect(""), server.media, 64, keep_media_days=30).old_media()
    page.goto(job["links"]["page"])
    expect(page.locator("#removed")).to_contain_text("by the server's retention")
    expect(page.locator(LINES)).to_have_count(12)
    expect(page.locator("video")).to_be_hidden()
    expect(page.get_by_role("button", name="Make a copy that plays")).to_be_hidden()
    refused = httpx.post(f"{server.url}/api/jobs/{job['id']}/playback")
    assert (refused.status_code, "KEEP_MEDIA_DAYS" in refused.text) == (409, True)
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_have_count(1)
    page.locator(LINES).nth(5).click()
    expect(page.locator(LINES).nth(5)).to_have_attribute("aria-current", "true")
    page.get_by_text("Save as …").click()
    with page.expect_download() as saved:
        page.locator("#exports").get_by_role("link", name="SRT", exact=True).click()
    assert saved.value.suggested_filename == "bars.srt"
    page.keyboard.press("Escape")
    shoot(page, "removed")
    page.goto("/")
    expect(page.get_by_text("bars.mp4")).to_be_visible()
