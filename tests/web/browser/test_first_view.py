"""What the first view of a page weighs, and that nothing is found out about late."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.jobs import queue
from tests.web.commenting import comment_windows
from tests.web.server import Server

MOST_BYTES = {"list": 80_000, "job": 105_000}  # of script, ours and vendored
LOADED = """() => performance.getEntriesByType("resource")
    .filter(({ name }) => name.endsWith(".js")).map(({ name, decodedBodySize: size }) => [new URL(name).pathname, size])"""
NAMED = """() => [...document.querySelectorAll("link[rel=modulepreload], script[src]")]
    .map((tag) => new URL(tag.href || tag.src).pathname)"""

PRELOADED = """() => [...document.querySelectorAll("link[rel=preload][as=fetch]")].map(({ href }) => href)"""
ASKED = """() => performance.getEntriesByType("resource").map(({ name }) => name)"""


@pytest.fixture
def job(page: Page, server: Server, clip: Path) -> dict[str, Any]:
    job = queue(server, clip, window_hop="4")
    comment_windows(server.store, server.media, job["id"], 9)
    return job


def loaded(page: Page) -> dict[str, int]:
    """Return the sizes of the scripts that were fetched, and see that the page's head named each."""
    sizes: dict[str, int] = dict(page.evaluate(LOADED))
    assert sizes.keys() <= {*page.evaluate(NAMED)}
    return sizes


def answers_to_preloads(page: Page) -> int:
    """See that what the head asks the API for is used, not asked for again; return how much that is."""
    early = page.evaluate(PRELOADED)
    asked: list[str] = page.evaluate(ASKED)
    assert [asked.count(address) for address in early] == [1] * len(early)
    return len(early)


def test_the_list_is_light(page: Page, job: dict[str, Any]) -> None:
    page.goto("/")
    expect(page.locator("#jobs .job")).to_have_count(1)
    sizes = loaded(page)
    assert "/static/queue.js" in sizes
    assert sum(sizes.values()) < MOST_BYTES["list"]
    assert answers_to_preloads(page) == 1


def test_a_jobs_page_is_light_until_its_charts_are_near(page: Page, job: dict[str, Any]) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    page.goto(job["links"]["page"])
    expect(page.locator("#actions button").first).to_be_visible()
    assert answers_to_preloads(page) == 2
    page.wait_for_timeout(1000)  # the charts would have come
    light = loaded(page)
    assert sum(light.values()) < MOST_BYTES["job"]
    page.locator("#timings").scroll_into_view_if_needed()
    expect(page.locator("#timings .bars canvas")).to_be_visible()
    fetched = dict(page.evaluate(LOADED)).keys() - light.keys()
    assert [Path(name).name for name in fetched] == ["uPlot.iife.min.js"]
