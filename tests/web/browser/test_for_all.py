"""What axe-core can't see: the keyboard alone, what a screen reader is told, paper, writing from the right."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.jobs import queue
from tests.web.browser.test_accessibility import ARABIC, SECOND_WINDOWS
from tests.web.browser.test_job_page import LINES
from tests.web.commenting import comment_windows, remove_video
from tests.web.server import Server

FOCUS = """() => {
    const here = document.activeElement;
    const style = getComputedStyle(here.matches(".drop input") ? here.closest(".drop") : here);
    const isShown = style.outlineStyle !== "none" || here.matches("video, [type=date]"); // parts of them have it, and show it
    return [here.outerHTML.slice(0, 90), here === document.body, isShown];
}"""
HEARD = """() => {
    window.heard = [];
    new MutationObserver(() => heard.push(document.getElementById("announce").textContent))
        .observe(document.getElementById("announce"), { childList: true, characterData: true, subtree: true });
}"""
BESIDE = """item => {
    const [words, ...controls] = [".text", ".edit", ".link"].map((name) => item.querySelector(name).getBoundingClientRect());
    return controls.every((box) => box.width >= 24 && box.height >= 24 && (box.left >= words.right || box.bottom <= words.top));
}"""


@pytest.fixture
def job(page: Page, server: Server, other_clip: Path) -> dict[str, Any]:
    """Return a job of twenty windows of a second."""
    return queue(server, other_clip, **SECOND_WINDOWS, filename="bars.mp4")


def focused(page: Page) -> str:
    """Return what has the focus, which must be something that shows it."""
    element, is_nothing, is_shown = page.evaluate(FOCUS)
    assert not is_nothing
    assert is_shown, f"{element} doesn't show that it has the focus"
    return str(element)


def test_tab_reaches_everything_and_shows_where_it_is(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment_windows(server.store, server.media, job["id"], 20)
    for path, places in {"/": 14, job["links"]["page"]: 18, "/find": 9}.items():
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.evaluate("document.activeElement.blur()")
        seen = set()
        for _ in range(places):
            page.keyboard.press("Tab")
            seen.add(focused(page))
        assert len(seen) >= places - 4, seen  # the video's own controls hide behind one element


def test_dialogs_keep_the_focus_and_give_it_back(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    page.goto("/")
    button = page.get_by_role("button", name="Delete bars.mp4")
    button.focus()
    page.keyboard.press("Enter")
    keep, delete = (page.locator("dialog[open] button").nth(n) for n in (0, 1))
    expect(keep).to_be_focused()
    page.keyboard.press("Tab")
    expect(delete).to_be_focused()
    button.evaluate("behind => behind.focus()")
    expect(delete).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(keep).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.wait_for_timeout(50)  # the page hears of the "no" a task later
    page.keyboard.press("Enter")
    delete.press("Enter")
    expect(page.get_by_text("No videos yet.")).to_be_visible()
    expect(page.locator("#upload input[type=file]")).to_be_focused()


def test_a_screen_reader_hears_states_and_tenths(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    page.goto(job["links"]["page"])
    expect(page.locator("#numbers")).not_to_be_empty()
    page.evaluate(HEARD)
    for done in range(2, 21, 2):
        comment_windows(server.store, server.media, job["id"], 2)
        expect(page.locator(LINES)).to_have_count(done)
    expect(page.locator("#state")).to_have_text("done")
    heard = page.evaluate("heard")
    assert (heard[0], heard[-1]) == ("running", "done")
    assert set(heard[1:-1]) <= {f"{tenth}0 %" for tenth in range(2, 10)}
    assert len(heard) == len(set(heard)) > 2


def test_who_wants_no_motion_gets_none(page: Page, server: Server, job: dict[str, Any]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(job["links"]["page"])
    moving = """() => {
        document.getElementById("progress").removeAttribute("value");
        return document.getAnimations().length;
    }"""
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) > 0


def test_a_jobs_page_prints_as_a_document(page: Page, server: Server, job: dict[str, Any]) -> None:
    comment_windows(server.store, server.media, job["id"], 20)
    page.emulate_media(color_scheme="dark")
    page.goto(job["links"]["page"])
    expect(page.locator(LINES)).to_have_count(20)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("heading", name="bars.mp4")).to_be_visible()
    expect(page.get_by_text("SHA-256")).to_be_visible()
    expect(page.locator(f"{LINES} .time").last).to_have_text("0:19")
    expect(page.locator(f"{LINES} .text").last).to_be_visible()
    for control in ("button:not(.line)", "input", "select", "a", "video", "nav"):
        assert page.locator(control).locator("visible=true").count() == 0, control
    shown = "getComputedStyle(document.querySelector('.text')).color"
    assert page.evaluate(shown) == "rgb(28, 31, 38)"
    inside = "document.querySelector('#segments').scrollHeight <= document.querySelector('#segments').clientHeight"
    assert page.evaluate(inside)
    facts, text = (page.locator(place).bounding_box() for place in (".facts", "#segments"))
    assert facts is not None
    assert text is not None
    assert text["y"] + text["height"] <= facts["y"]
    for name, told in {"Summary": "no", "Change threshold": "0", "Length": "0:20"}.items():
        fact = page.locator(".facts dt", has_text=name).locator("xpath=following-sibling::dd[1]")
        expect(fact).to_have_text(told)


def test_letters_of_twice_the_size_cover_nothing(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment_windows(server.store, server.media, job["id"], 20)
    page.goto(job["links"]["page"])
    expect(page.locator(LINES)).to_have_count(20)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    search = page.get_by_label("Search the commentary")
    search.click(timeout=2000)  # fails if something lies over it
    expect(search).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_words_from_the_right_stand_at_the_right(page: Page, server: Server, clip: Path) -> None:
    job = queue(server, clip, **SECOND_WINDOWS, filename="نزهة (1).mp4")
    comment_windows(server.store, server.media, job["id"], 6, ARABIC)
    page.goto(job["links"]["page"])
    line = page.locator(f"{LINES}[data-kind=said] .text").first
    expect(line).to_have_text(ARABIC)
    assert line.evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert line.evaluate("element => getComputedStyle(element).textAlign") == "start"
    assert page.locator("h1").evaluate("element => getComputedStyle(element).direction") == "rtl"
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto("/find?q=رجل")
    excerpt = page.locator(".hit .excerpt").first
    expect(excerpt).to_have_text(ARABIC)
    assert excerpt.evaluate("element => getComputedStyle(element).direction") == "rtl"


def test_the_controls_of_a_line_cover_no_words(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment_windows(server.store, server.media, job["id"], 20, "A very long comment. " * 12)
    page.goto(job["links"]["page"])
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(LINES).first.evaluate(BESIDE)


def test_where_a_video_was_removed_no_box_stands_for_its_pictures(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment_windows(server.store, server.media, job["id"], 20)
    remove_video(server.store, job["id"])
    page.goto(job["links"]["page"])
    expect(page.locator(LINES)).to_have_count(20)
    expect(page.locator("#removed")).to_be_visible()
    page.locator("#timeline input").hover()
    expect(page.locator("#timeline figcaption")).to_be_visible()
    assert page.locator(".tile").locator("visible=true").count() == 0
    page.goto("/")
    expect(page.locator(".meta")).to_contain_text("video removed")
    thumb = page.locator(".thumb")
    assert (
        thumb.evaluate("element => getComputedStyle(element).backgroundColor") == "rgba(0, 0, 0, 0)"
    )
    page.goto("/find?q=dog")
    expect(page.locator(".hit .meta").first).to_contain_text("video removed")
    expect(page.locator(".hit img")).to_have_count(0)


def test_a_button_that_goes_hands_the_focus_on(
    page: Page, server: Server, job: dict[str, Any]
) -> None:
    comment_windows(server.store, server.media, job["id"], 20)
    page.goto(job["links"]["page"])
    want, forget = (page.locator(f"#story {name}") for name in (".want", ".forget"))
    expect(want).to_be_visible()
    want.focus()
    page.keyboard.press("Enter")
    expect(forget).to_be_focused()
    page.keyboard.press("Enter")
    expect(want).to_be_focused()
