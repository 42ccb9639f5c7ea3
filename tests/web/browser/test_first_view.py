"""What the first view of a page weighs, and that nothing is found out about late."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.jobs import queue
from tests.web.commenting import comment_windows
from tests.web.server import Server

MOST_BYTES = 150_000  # of script, ours and vendored
LOADED = """() => performance.getEntriesByType("resource")
    .filter(({ name }) => name.endsWith(".js")).map(({ name, decodedBodySize: size }) => [new URL(name).pathname, size])"""
NAMED = """() => [...document.querySelectorAll("link[rel=modulepreload], script[src]")]
    .map((tag) => new URL(tag.href || tag.src).pathname)"""


@pytest.fixture
def job(page: Page, server: Server, clip: Path) -> dict[str, Any]:
    job = queue(server, clip, window_hop="4")
    comment_windows(server.store, server.media, job["id"], 9)
    return job


def loaded(page: Page) -> dict[str, int]:
    """Return the sizes of the scripts that were fetched, and see that the page's head named each."""
    sizes: dict[str, int] = dict(page.evaluate(LOADED))
    assert sizes.keys() <= {*page.evaluate(NAMED)}
    assert sum(sizes.values()) < MOST_BYTES
    return sizes


def test_the_list_is_light(page: Page, job: dict[str, Any]) -> None:
    page.goto("/")
    expect(page.locator("#jobs .job")).to_have_count(1)
    assert "/static/queue.js" in loaded(page)


def test_a_jobs_page_is_light_with_its_charts(page: Page, job: dict[str, Any]) -> None:
    page.goto(job["links"]["page"])
    expect(page.locator("#timings .bars canvas")).to_be_visible()
    assert any("uPlot" in name for name in loaded(page))
