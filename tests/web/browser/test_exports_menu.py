"""The menu of files to save: all formats, what can be chosen, and files that take time."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import srt
from playwright.sync_api import Locator, Page, expect

from models import jobs
from models.tables import AdditionKind
from tests.speech.clips import write_tones
from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.browser.test_story import hear, summarise
from tests.web.commenting import comment_windows
from tests.web.server import Server

PATIENCE_MS = 120_000
PLAYS = """async (url) => {
    const video = document.createElement("video");
    video.muted = true;
    video.src = url;
    await video.play();
    video.currentTime = 4;
    await new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    return [video.videoWidth, video.videoHeight, Math.round(video.duration), Math.round(video.currentTime)];
}"""
HEARD = """async (url) => {
    const context = new OfflineAudioContext(1, 44100, 44100);
    const sound = await context.decodeAudioData(await (await fetch(url)).arrayBuffer());
    const loudest = sound.getChannelData(0).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    return [Math.round(sound.duration), loudest > 0.1];
}"""


@pytest.fixture
def job(page: Page, server: Server, clip: Path) -> dict[str, Any]:
    job = queue(server, clip, window_hop="4", filename="bars.mp4")
    comment_windows(server.store, server.media, job["id"], 9)
    return job


def opened(page: Page, job: dict[str, Any]) -> Locator:
    page.goto(job["links"]["page"])
    page.get_by_text("Save as …").click()
    menu = page.locator("#exports")
    expect(menu.get_by_label("Voice")).to_be_visible()
    return menu


def test_every_format_is_saved_under_its_name(
    page: Page, job: dict[str, Any], shoot: Shoot
) -> None:
    menu = opened(page, job)
    shoot(page, "exports")
    names = {
        "SRT": "bars.srt",
        "WebVTT": "bars.vtt",
        "TTML": "bars.ttml",
        "Descriptions": "bars.descriptions.vtt",
        "EDL": "bars.edl",
        "FCPXML": "bars.fcpxml",
        "JSON": "bars.json",
        "CSV": "bars.csv",
        "Markdown": "bars.md",
        "TXT": "bars.txt",
    }
    expect(menu.locator("a[href]:visible")).to_have_text(list(names))
    for title, name in names.items():
        with page.expect_download() as saved:
            menu.get_by_role("link", name=title, exact=True).click()
        assert saved.value.suggested_filename == name
        assert Path(saved.value.path()).stat().st_size > 100


def test_what_is_chosen_is_saved(page: Page, server: Server, job: dict[str, Any]) -> None:
    correction = {"text": "Words of a person.", "revision": 0}
    httpx.put(
        f"{server.url}/api/jobs/{job['id']}/segments/0/text", json=correction
    ).raise_for_status()
    menu = opened(page, job)
    menu.get_by_label("Cues").select_option("joined while nothing changes")

    def saved() -> list[srt.Subtitle]:
        with page.expect_download() as file:
            menu.get_by_role("link", name="SRT", exact=True).click()
        return list(srt.parse(Path(file.value.path()).read_text()))

    first, second = saved()
    assert first.content == "Words of a person."
    assert second.end.total_seconds() == 6  # with the unchanged window after it
    menu.get_by_label("Texts").select_option("as commented")
    assert saved()[0].content.startswith("At least")


def test_a_preview_is_made_and_plays(page: Page, job: dict[str, Any], shoot: Shoot) -> None:
    menu = opened(page, job)
    menu.get_by_role("button", name="MP4").click()
    link = menu.get_by_role("link", name="Save the MP4")
    expect(link).to_be_visible(timeout=PATIENCE_MS)
    shoot(page, "exports-ready")
    assert page.evaluate(PLAYS, link.get_attribute("href")) == [640, 360, 6, 4]
    with page.expect_download() as saved:
        link.click()
    assert saved.value.suggested_filename == "bars.preview.mp4"
    menu.get_by_label("Cues").select_option("joined while nothing changes")
    expect(menu.get_by_role("button", name="MP4")).to_be_enabled()  # another file


def test_what_a_job_does_not_have_is_offered_once_it_is_there(
    page: Page, server: Server, tmp_path: Path
) -> None:
    job = queue(server, write_tones(tmp_path / "bars.mp4", 12, [(1, 3, 440)]), filename="bars.mp4")
    comment_windows(server.store, server.media, job["id"], job["windows_total"])
    menu = opened(page, job)
    chapters, speech = (
        menu.get_by_role("link", name=name, exact=True) for name in ("Chapters", "Speech as SRT")
    )
    for link, reason in ((chapters, "a summary has them"), (speech, "nothing was written down")):
        expect(link).to_have_attribute("aria-disabled", "true")
        expect(link).to_have_accessible_description(re.compile(reason))
    page.get_by_role("button", name="Summarise this video").click()
    expect(page.locator("#story .forget")).to_be_visible()  # it has been asked for
    with server.store.write() as session:
        jobs.add(session, job["id"], AdditionKind.TRANSCRIPT)
    hear(server.store, job["id"], [(1000, 3000, "Good evening.")])
    summarise(server.store, server.media, job["id"])
    names = ("bars.chapters.vtt", "bars.speech.srt")
    for link, name in zip((chapters, speech), names, strict=True):
        expect(link).not_to_have_attribute("aria-disabled", "true")
        with page.expect_download() as saved:
            link.click()
        assert saved.value.suggested_filename == name
        assert Path(saved.value.path()).stat().st_size > 30
    page.locator("#story").get_by_role("button", name="Remove").click()
    expect(chapters).to_have_attribute("aria-disabled", "true")
    assert chapters.get_attribute("href") is None


def test_a_spoken_track_is_made_and_heard(page: Page, job: dict[str, Any]) -> None:
    menu = opened(page, job)
    menu.get_by_label("Voice").select_option("German (de)")
    menu.get_by_role("button", name="M4A").click()
    link = menu.get_by_role("link", name="Save the M4A")
    expect(link).to_be_visible(timeout=PATIENCE_MS)
    assert "voice=de" in (link.get_attribute("href") or "")
    assert page.evaluate(HEARD, link.get_attribute("href")) == [6, True]
    page.reload()
    page.get_by_text("Save as …").click()
    menu.get_by_label("Voice").select_option("German (de)")
    expect(menu.get_by_role("link", name="Save the M4A")).to_be_visible()


def test_progress_is_shown_and_can_be_cancelled(
    page: Page, server: Server, job: dict[str, Any], other_clip: Path, shoot: Shoot
) -> None:
    slow = queue(server, other_clip, filename="slow.mp4")
    comment_windows(server.store, server.media, slow["id"], 20)
    for voice in ("de", "it", "pl", "pt", "ro", "ru", "sv", "tr"):  # go first
        address = f"{server.url}/api/jobs/{slow['id']}/renders/m4a"
        httpx.post(address, params={"voice": voice}).raise_for_status()
    menu = opened(page, slow)
    menu.get_by_role("button", name="MP4").click()
    expect(menu.get_by_role("progressbar", name="How much of the MP4 is made")).to_be_visible()
    expect(menu.get_by_text("Waiting for its turn …")).to_be_visible()
    shoot(page, "exports-waiting")
    menu.get_by_role("button", name="Cancel").click()
    expect(menu.get_by_role("button", name="MP4")).to_be_enabled()


def test_the_keyboard_leaves_the_menu(page: Page, job: dict[str, Any]) -> None:
    menu = opened(page, job)
    menu.get_by_label("Texts").focus()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
