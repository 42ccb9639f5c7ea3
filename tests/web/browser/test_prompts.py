"""The page of a server on which a network can be asked in words, and the text while it is written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from models import chunks, jobs
from models.profiles import PROFILES
from tests.web.browser.conftest import Shoot, watched_page
from tests.web.browser.jobs import queue
from tests.web.browser.test_job_page import LINES, SECOND_WINDOWS
from tests.web.commenting import claim_next, comment_windows, store_comment
from tests.web.server import Server, running_server

WRITING = "#segments .writing"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    env = {"REDIS_URL": shared_broker_url, "COMMENTATOR": "builtin,minicpm"}
    with running_server(tmp_path_factory.mktemp("web"), env) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    yield from watched_page(browser, server.url)


def choose_minicpm(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Commentator").select_option("minicpm")


def sent(server: Server) -> dict[str, Any]:
    """Return the parameters of the newest job."""
    parameters: dict[str, Any] = httpx.get(f"{server.url}/api/jobs").json()["jobs"][0]["parameters"]
    return parameters


def upload(page: Page, clip: Path) -> None:
    page.locator("input[type=file]").set_input_files(clip)
    expect(page.locator(".upload")).to_have_count(0)
    expect(page.locator(".job").first).to_be_visible()


def test_only_a_network_that_is_asked_in_words_has_fields_for_them(
    page: Page, server: Server, clip: Path, shoot: Shoot
) -> None:
    page.goto("/")
    expect(page.get_by_label("Profile")).to_be_hidden()
    expect(page.get_by_text("More", exact=True)).to_be_hidden()
    upload(page, clip)
    assert (sent(server)["commentator"], "profile" in sent(server)) == ("builtin", False)
    page.get_by_label("Commentator").select_option("minicpm")
    expect(page.locator("#commentator-meaning")).to_contain_text("it can be wrong")
    expect(page.locator("#max_new_tokens-meaning")).to_have_text("tokens")
    expect(page.get_by_label("Profile")).to_be_visible()
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("System prompt")).to_have_value(PROFILES["general"].system_prompt)
    shoot(page, "prompts")
    upload(page, clip)
    asked = sent(server)
    assert (asked["commentator"], asked["profile"]) == ("minicpm", "general")
    assert asked["system_prompt"] == PROFILES["general"].system_prompt
    page.get_by_label("Commentator").select_option("builtin")
    expect(page.get_by_label("Profile")).to_be_hidden()
    upload(page, clip)
    assert sent(server)["commentator"] == "builtin"


def test_what_is_written_goes_with_the_file_and_is_kept_for_each_profile(
    page: Page, server: Server, clip: Path
) -> None:
    choose_minicpm(page)
    page.get_by_text("More", exact=True).click()
    prompt = page.get_by_label("System prompt")
    prompt.fill("Sag es auf Deutsch.\nZwei Sätze. 犬")
    page.get_by_label("Profile").select_option("sports")
    expect(prompt).to_have_value(PROFILES["sports"].system_prompt)
    page.get_by_label("Profile").select_option("general")
    expect(prompt).to_have_value("Sag es auf Deutsch.\nZwei Sätze. 犬")
    page.get_by_label("Your own wish").fill("Räder & <b>Züge</b>" * 20)
    page.get_by_label("Temperature").fill("0.5")
    upload(page, clip)
    asked = sent(server)
    assert asked["system_prompt"] == "Sag es auf Deutsch.\nZwei Sätze. 犬"
    assert asked["instruction"] == "Räder & <b>Züge</b>" * 20
    assert asked["temperature"] == 0.5


def test_a_wrong_field_is_shown_even_if_it_was_folded_away(
    page: Page, clip: Path, server: Server
) -> None:
    choose_minicpm(page)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("System prompt").fill("")
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("System prompt")).to_be_hidden()
    page.locator("input[type=file]").set_input_files(clip)
    expect(page.get_by_label("System prompt")).to_be_focused()
    expect(page.locator(".upload")).to_have_count(0)


def test_the_text_grows_until_its_segment_replaces_it(
    page: Page, server: Server, other_clip: Path, shoot: Shoot
) -> None:
    job = queue(server, other_clip, **SECOND_WINDOWS, commentator="minicpm")
    page.goto(job["links"]["page"])
    comment_windows(server.store, server.media, job["id"], 4, "A man walks in.")
    one, other = claim_next(server.store, job["id"]), claim_next(server.store, job["id"])
    assert one
    assert other

    def write(*texts: str) -> None:
        owners = zip((one, other), texts, strict=False)
        with server.store.write() as session:
            chunks.write_partial(session, {c.owner: (c.cursor, text) for c, text in owners})

    with server.store.write() as session:
        network = {"name": "MiniCPM-o 4.5, AWQ INT4", "checkpoint": "tiny", "fingerprint": "0f"}
        jobs.note_network(session, job["id"], network)
    write("A dog", "A <b>red</b> ball")
    expect(page.locator(f"{WRITING} .text")).to_have_text(["A dog", "A <b>red</b> ball"])
    beginnings = [
        page.locator(f"{line} .text").first.evaluate("text => text.getBoundingClientRect().left")
        for line in ("#segments [data-kind=said]", WRITING)
    ]
    assert beginnings[0] == beginnings[1]
    write("A dog runs to the")
    expect(page.locator(f"{WRITING} .text").first).to_have_text("A dog runs to the")
    shoot(page, "writing")
    store_comment(server.store, server.media, one, one.cursor, "A dog runs to the gate.")
    expect(page.locator(WRITING)).to_have_count(1)
    expect(page.locator(LINES)).to_have_count(6)
    expect(page.locator(f"{LINES} .text").nth(4)).to_have_text("A dog runs to the gate.")
    with server.store.write() as session:
        jobs.cancel(session, job["id"])
    expect(page.locator(WRITING)).to_have_count(0)
    page.get_by_text("Video and parameters").click()
    expect(page.locator("dd.networks")).to_have_text("MiniCPM-o 4.5, AWQ INT4: tiny (0f)")
    shoot(page, "asked")


def test_drafts_are_no_lines_for_a_keyboard_or_a_screen_reader(
    page: Page, server: Server, other_clip: Path
) -> None:
    job = queue(server, other_clip, **SECOND_WINDOWS, commentator="minicpm")
    mine = claim_next(server.store, job["id"])
    assert mine
    with server.store.write() as session:
        chunks.write_partial(session, {mine.owner: (0, "A dog")})
    page.goto(job["links"]["page"])
    expect(page.locator(WRITING)).to_have_attribute("aria-hidden", "true")
    expect(page.locator("#silence")).to_be_hidden()
    comment_windows(server.store, server.media, job["id"], 2)
    expect(page.locator(f"{LINES}[data-kind]")).to_have_count(2)
    assert page.locator(f"{WRITING} button").count() == 0
    live = page.evaluate(
        "document.querySelector('#segments').closest('[aria-live], [role=status], [role=log]')"
    )
    assert live is None
    page.locator(f"{LINES} button").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator(f"{LINES}[data-kind]").first).to_have_attribute("aria-current", "true")


def test_a_job_that_nobody_takes_up_any_more_says_so(
    browser: Browser, server: Server, clip: Path, tmp_path: Path, shared_broker_url: str
) -> None:
    job = queue(server, clip, commentator="minicpm")
    env = {"REDIS_URL": shared_broker_url, "COMMENTATOR": "builtin"}
    data = server.media.root.parent
    with running_server(data.parent, env) as later:
        for page in watched_page(browser, later.url):
            page.goto(job["links"]["page"])
            expect(page.locator("#hindrance")).to_contain_text("Nobody here comments as minicpm")
            page.goto("/")
            expect(page.locator(".hindrance").first).to_contain_text("Add minicpm to COMMENTATOR")
