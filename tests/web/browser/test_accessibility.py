"""Every page in each of its states, before axe-core: WCAG 2.2 AA, in the light and in the dark; narrow too where
a page is laid out otherwise then. One walk passes through many states, for a browser's start costs more than a look."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from models.errors import BadFile
from models.jobs import cancel, pause
from tests.speech.clips import write_tones
from tests.web.browser.axe import violations
from tests.web.browser.conftest import watched_page
from tests.web.browser.jobs import queue
from tests.web.browser.test_story import hear, summarise
from tests.web.commenting import claim_next, comment_windows, fail_next, remove_video
from tests.web.server import Server, running_server

SECOND_WINDOWS = {"window_hop": "2", "frames_per_inference": "2", "frame_stride": "1"}
NARROW: ViewportSize = {"width": 320, "height": 900}  # 1280 at 400 %
WIDE: ViewportSize = {"width": 1280, "height": 900}
ARABIC = "رجل يدخل من اليسار ويجلس على الكرسي."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    """Yield a server on which a person can choose between two commentators, and has all ways to bring videos."""
    videos = tmp_path_factory.mktemp("operator")
    (videos / "2026").mkdir()
    for name in ("evening.mp4", "morning.mp4", "notes.txt"):
        (videos / name).touch()
    env = {
        "REDIS_URL": shared_broker_url,
        "COMMENTATOR": "builtin,minicpm",
        "SERVER_FOLDER": str(videos),
        "FETCH_URLS": "1",
        "TRANSCRIBE_MODEL": "any",
    }
    with running_server(tmp_path_factory.mktemp("accessible"), env) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    yield from watched_page(browser, server.url)


@pytest.fixture(scope="module")
def jobs(server: Server, clip: Path, other_clip: Path, old_clip: Path) -> dict[str, dict[str, Any]]:
    """Return a job of each state; one of Arabic words; and one whose video the retention removed."""
    made = {
        name: queue(server, other_clip, **SECOND_WINDOWS, filename=f"{name}.mp4")
        for name in ("queued", "running", "paused", "cancelled", "failed", "done", "again")
    }
    made["stills"] = queue(server, old_clip)
    made["removed"] = queue(server, clip, filename="نزهة (1).mp4", **SECOND_WINDOWS)
    for name, count in {"running": 8, "failed": 3, "done": 20, "again": 20, "stills": 2}.items():
        comment_windows(server.store, server.media, made[name]["id"], count)
    comment_windows(server.store, server.media, made["removed"]["id"], 6, ARABIC)
    claim_next(server.store, made["running"]["id"])
    fail_next(server.store, made["failed"]["id"], BadFile("The file is damaged at its very end."))
    with server.store.write() as session:
        pause(session, made["paused"]["id"])
        cancel(session, made["cancelled"]["id"])
    remove_video(server.store, made["removed"]["id"])
    return made


def complaints(page: Page, state: str) -> list[str]:
    """Return what is wrong with a page as it is now, and whether it is wider than its window."""
    wrong = violations(page)
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    if width > room:
        wrong.append(f"is {width} wide in a window of {room}")
    return [f"{state}, {room} wide: {line}" for line in wrong]


def in_both_widths(page: Page, state: str) -> list[str]:
    wide = complaints(page, state)
    page.set_viewport_size(NARROW)
    narrow = complaints(page, state)
    page.set_viewport_size(WIDE)
    return [*wide, *narrow]


def test_the_list(page: Page, server: Server, clip: Path, request: pytest.FixtureRequest) -> None:
    page.goto("/")
    expect(page.get_by_text("No videos yet.")).to_be_visible()
    wrong = complaints(page, "empty")
    request.getfixturevalue("jobs")
    page.reload()
    expect(page.locator(".job")).to_have_count(9)
    page.get_by_text("Window settings").click()
    page.get_by_label("Frames per window").fill("0")
    page.locator("input[type=file]").set_input_files(clip)
    expect(page.get_by_label("Frames per window")).to_be_focused()
    page.get_by_label("Frames per window").fill("4")
    page.get_by_label("Commentator").select_option("minicpm")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Wait with sending").check()
    page.locator("input[type=file]").set_input_files(clip)
    page.locator(".job .choose").first.check()
    page.evaluate(
        "scrollTo(0, document.body.scrollHeight)"
    )  # the bar of what is chosen lies over rows before
    wrong += in_both_widths(page, "jobs, fields, an upload, chosen rows")
    page.get_by_role("button", name="Save these settings as a preset").click()
    wrong += complaints(page, "a preset's name")
    page.keyboard.press("Escape")
    page.locator(".job .actions").first.get_by_role("button", name="Delete").click()
    wrong += complaints(page, "the question before deleting")
    page.keyboard.press("Escape")
    assert not wrong, "\n".join(wrong)


def test_more_ways_to_bring_videos(
    page: Page, server: Server, jobs: dict[str, dict[str, Any]]
) -> None:
    page.goto("/")
    page.get_by_role("button", name="From the server's folder").click()
    expect(page.locator("#folder-entries li")).to_have_count(3)
    page.get_by_label("evening.mp4").check()
    wrong = in_both_widths(page, "the server's folder")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="By web address").click()
    wrong += in_both_widths(page, "addresses")
    page.get_by_label("Addresses of video files").fill("http://10.0.0.1/inside.mp4")
    page.get_by_role("button", name="Fetch").click()
    expect(page.locator("#fetches .kind")).to_be_visible()
    wrong += in_both_widths(page, "a refused address")
    page.locator("#fetches").get_by_role("button", name="Remove").click()
    expect(page.locator("#fetches li")).to_have_count(0)
    assert not wrong, "\n".join(wrong)


def test_a_jobs_page(page: Page, server: Server, jobs: dict[str, dict[str, Any]]) -> None:
    wrong = []
    for state in ("queued", "running", "paused", "cancelled", "failed", "removed"):
        page.goto(jobs[state]["links"]["page"])
        expect(page.locator("#numbers")).not_to_be_empty()
        wrong += complaints(page, state)
    words = {"text": "Words of a person.", "revision": 0}
    row = f"/api/jobs/{jobs['again']['id']}/segments/0/text"
    httpx.put(f"{server.url}{row}", json=words).raise_for_status()
    page.goto(jobs["again"]["links"]["page"])
    expect(page.locator("#segments .origin").first).not_to_be_empty()
    wrong += complaints(page, "a corrected comment")
    assert not wrong, "\n".join(wrong)


def test_a_jobs_page_with_all_that_opens(page: Page, jobs: dict[str, dict[str, Any]]) -> None:
    page.goto(jobs["done"]["links"]["page"])
    expect(page.locator("#segments li")).to_have_count(20)
    expect(page.locator("#timings canvas")).to_have_count(2)
    expect(page.get_by_role("link", name="Compare")).to_be_visible()
    for closed in ("Save as …", "Every window", "Video and parameters"):
        page.get_by_text(closed).click()
    page.get_by_role("searchbox").fill("person")
    page.locator("#segments li").nth(4).locator(".line").focus()
    page.keyboard.press("e")
    expect(page.get_by_label("Corrected comment")).to_be_focused()
    wrong = in_both_widths(page, "done, everything open")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    wrong += complaints(page, "keys")
    page.keyboard.press("Escape")
    page.goto(jobs["stills"]["links"]["page"])
    expect(page.get_by_role("button", name="Make a copy")).to_be_visible()
    wrong += complaints(page, "stills")
    assert not wrong, "\n".join(wrong)


def test_a_summary_and_speech(
    page: Page, server: Server, jobs: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    tones = write_tones(tmp_path / "tones.mp4", 12, [(1, 3, 440)])
    job = queue(server, tones)
    comment_windows(server.store, server.media, job["id"], 100)
    page.goto(job["links"]["page"])
    page.get_by_role("button", name="Summarise this video").click()
    expect(page.locator("#story .state")).not_to_be_empty()
    wrong = complaints(page, "a summary is being made")
    summarise(server.store, server.media, job["id"])
    expect(page.locator("#story .chapters li").first).to_be_visible()
    page.get_by_role("button", name="Write down what is said").click()
    expect(page.locator("#speech .state")).to_contain_text("piece")
    hear(server.store, job["id"], [(1000, 3000, "Good evening.")])
    expect(page.locator("#segments .heard").first).to_have_text("“Good evening.”")
    wrong += in_both_widths(page, "a summary and speech")
    assert not wrong, "\n".join(wrong)


def test_the_other_pages(page: Page, jobs: dict[str, dict[str, Any]]) -> None:
    page.goto("/find")
    wrong = complaints(page, "nothing sought")
    page.get_by_role("searchbox").fill("nobody said this")
    expect(page.locator("#found")).to_have_text("Nothing was found.")
    wrong += complaints(page, "nothing found")
    page.get_by_role("searchbox").fill("dog")
    expect(page.locator(".hit").first).to_be_visible()
    wrong += in_both_widths(page, "hits")
    page.goto("/activity")
    expect(page.locator("#activity canvas")).to_have_count(1)
    wrong += in_both_widths(page, "activity")
    page.goto(f"/compare?left={jobs['done']['id']}&right={jobs['again']['id']}")
    expect(page.locator("#comparison tbody tr").first).to_be_visible()
    wrong += in_both_widths(page, "compare")
    page.goto(f"/jobs/{jobs['done']['id']}/again")
    page.get_by_label("Only chosen ones").check()
    page.get_by_text("Windows and sampling").click()
    expect(page.locator("#windows li")).to_have_count(20)
    wrong += in_both_widths(page, "again")
    page.goto("/sign-in")
    wrong += complaints(page, "sign in")
    page.goto("/api")
    page.locator("summary").first.click()
    wrong += in_both_widths(page, "the API")
    assert not wrong, "\n".join(wrong)


def test_pages_that_refuse(browser: Browser, server: Server) -> None:
    """These can't go without an error in the console."""
    with browser.new_context(base_url=server.url) as context:
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This is not the password.")).to_be_visible()
        wrong = complaints(page, "wrong password")
        page.goto("/nowhere")
        wrong += complaints(page, "error")
    assert not wrong, "\n".join(wrong)
