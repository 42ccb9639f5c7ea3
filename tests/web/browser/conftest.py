"""A real browser before the real server. Every page must stay free of errors in its console, of
refused loads (the content security policy speaks there too) and of requests to other hosts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import running_chromium
from tests.web.clips import write_clip
from tests.web.server import Server, running_server

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
MAX_UPLOAD_BYTES = 30_000_000

# A list without an open job asks the server every five seconds, Playwright's own patience.
expect.set_options(timeout=20_000)

Shoot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    env = {"REDIS_URL": shared_broker_url, "MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES)}
    with running_server(tmp_path_factory.mktemp("web"), env) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Yield a page of the server without jobs; fail if it complained about anything."""
    _delete_jobs(server)
    yield from watched_page(browser, server.url)


def watched_page(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{said.text} {said.location}") if said.type == "error" else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(url) else complaints.append(request.url),
    )
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def forgiving_page(browser: Browser, server: Server) -> Iterator[Page]:
    """Yield a page for what can't go without an error in the console, such as a refused request."""
    _delete_jobs(server)
    with browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 900}
    ) as context:
        yield context.new_page()


def _delete_jobs(server: Server) -> None:
    for job in httpx.get(f"{server.url}/api/jobs?limit=200").json()["jobs"]:
        httpx.delete(f"{server.url}/api/jobs/{job['id']}").raise_for_status()


@pytest.fixture(scope="session")
def old_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video that no browser plays."""
    return write_clip(tmp_path_factory.mktemp("clips") / "old.avi", codec="mpeg4", seconds=20)


@pytest.fixture
def shoot() -> Shoot:
    """Return a function that photographs a page: light and dark, wide and narrow."""
    ARTEFACTS.mkdir(exist_ok=True)

    def photograph(page: Page, name: str) -> None:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(150)
                page.screenshot(path=ARTEFACTS / f"{name}-{width}-{scheme}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} wide in a window of {width}"
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")

    return photograph
