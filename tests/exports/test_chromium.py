"""The browser's own track parser reads our WebVTT."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.chromium import running_chromium
from tests.exports.documents import (
    ReadCue,
    check_hostile_cues,
    document,
    exported,
    hostile_document,
    segment,
)

ORIGIN = "http://reelnotes.test"
READ_CUES = """(kind) => new Promise((resolve, reject) => {
    const video = document.createElement("video"), track = document.createElement("track");
    track.kind = kind;
    track.src = "/captions.vtt";
    track.onerror = () => reject("the browser refused the track");
    track.onload = () => resolve(Array.from(track.track.cues, cue => ({
        id: cue.id, start: cue.startTime, end: cue.endTime,
        text: cue.getCueAsHTML().textContent,
        elements: cue.getCueAsHTML().childElementCount,
    })));
    video.append(track);
    document.body.append(video);
    track.track.mode = "hidden";
})"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with running_chromium() as browser:
        yield browser.new_page()


def cues_in_browser(page: Page, vtt: str, kind: str = "captions") -> list[dict[str, Any]]:
    page.unroute_all()
    page.route(f"{ORIGIN}/", lambda route: route.fulfill(body="<!doctype html>"))
    page.route(
        f"{ORIGIN}/captions.vtt",
        lambda route: route.fulfill(body=vtt.encode(), content_type="text/vtt"),
    )
    page.goto(f"{ORIGIN}/")
    cues: list[dict[str, Any]] = page.evaluate(READ_CUES, kind)
    return cues


def test_every_hostile_text_arrives_as_it_was_said(page: Page) -> None:
    cues = cues_in_browser(page, exported("vtt", hostile_document()))
    assert not any(cue["elements"] for cue in cues)
    read = [
        ReadCue(round(cue["start"] * 1000), round(cue["end"] * 1000), cue["text"]) for cue in cues
    ]
    check_hostile_cues(read, srt=False)


def test_ids_times_and_a_hostile_file_name(page: Page) -> None:
    segments = [segment(0, 0, 1234, "one"), segment(7, 36_000_001, 36_000_002, "two")]
    name = "x\n\n00:01.000 --> 00:02.000\nINJECTED ---> <b>.mp4"
    cues = cues_in_browser(page, exported("vtt", document(segments, filename=name)))
    assert [(cue["id"], cue["start"], cue["end"], cue["text"]) for cue in cues] == [
        ("0.1", 0, 1.234, "one"),
        ("7.1", 36000.001, 36000.002, "two"),
    ]
