"""Signing in, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser.conftest import Shoot
from tests.web.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    env = {"REDIS_URL": shared_broker_url, "PASSWORD": "käse & mäuse"}
    with running_server(tmp_path_factory.mktemp("guarded"), env) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with browser.new_context(base_url=server.url) as context:
        yield context.new_page()


def test_a_person_signs_in_and_out(page: Page, shoot: Shoot) -> None:
    page.goto("/")
    page.get_by_label("Password").fill("cheese")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_have_text("This is not the password.")
    expect(page.get_by_role("navigation")).to_have_count(0)  # all of its pages are closed
    shoot(page, "sign-in")
    page.get_by_label("Password").fill("käse & mäuse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("No videos yet.")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto("/")
    expect(page.get_by_label("Password")).to_be_visible()


def test_the_sign_in_page_asks_for_nothing_that_is_refused(page: Page) -> None:
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto("/", wait_until="networkidle")
    expect(page.get_by_label("Password")).to_be_focused()
    assert refused == []


def test_the_head_of_a_page_fits_a_phone(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Password").fill("käse & mäuse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
