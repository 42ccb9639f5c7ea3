"""Ten hours of video, nine thousand segments: the browser lays out what is in view, never all of it.

What its layout has to look at is counted, as its own trace tells it. How long that takes is a figure of the machine:
`python -m bench.long_page`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.web.browser.jobs import queue
from tests.web.browser.test_job_page import wait_until
from tests.web.long_job import comment_all, write_long_clip
from tests.web.server import Server

MOST_LAID_OUT = 4000  # boxes and texts; about 1800 with the lines in view, 50,000 with all
MOST_SCRIPT_BYTES = 150_000


@pytest.fixture
def long_job(page: Page, server: Server, tmp_path: Path) -> dict[str, Any]:
    job = queue(server, write_long_clip(tmp_path / "long.mp4"))
    assert comment_all(server, job["id"]) == 9000
    return job


def test_only_what_is_in_view_is_laid_out(
    browser: Browser, page: Page, long_job: dict[str, Any]
) -> None:
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    page.goto(long_job["links"]["page"])
    wait_until(page, "document.querySelectorAll('#segments li').length === 9000")
    wait_until(page, "document.querySelectorAll('#timings canvas').length === 2")
    page.locator("#segments").hover()
    for distance in [3000] * 8 + [-2000] * 8:
        page.mouse.wheel(0, distance)
        page.wait_for_timeout(50)
    page.mouse.move(5, 5)
    page.locator("#follow").click()  # by its role Playwright would look at every line, in the page
    page.evaluate("document.querySelector('video').playbackRate = 16")
    page.evaluate("document.querySelector('video').currentTime = 18000.5")
    page.keyboard.press("k")
    wait_until(page, "document.querySelector('video').currentTime > 18030")
    page.keyboard.press("/")
    page.keyboard.type("dog")
    wait_until(page, "document.querySelector('#search .count').textContent.endsWith('of 5,625')")
    assert max(laid_out(browser.stop_tracing())) < MOST_LAID_OUT
    assert page.evaluate(SCRIPT_BYTES) < MOST_SCRIPT_BYTES
    current = page.locator("#segments [aria-current]")
    assert int(current.get_attribute("data-index") or 0) in range(4500, 4600)


SCRIPT_BYTES = """performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js"))
  .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)"""


def laid_out(trace: bytes) -> list[int]:
    """Return how many boxes and texts the page had at each layout."""
    events = json.loads(trace)["traceEvents"]
    layouts = [event["args"] for event in events if event["name"] == "Layout"]
    return [layout["beginData"]["totalObjects"] for layout in layouts if "beginData" in layout]
