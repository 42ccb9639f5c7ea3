"""No word of a page stands outside of the catalogue: in a language made from English by other letters, every letter
that is still English must be a person's, a network's or the server's own (an error's sentence, a name)."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from migrations import upgrade
from models.errors import BadFile
from models.jobs import add
from models.store import Store
from models.tables import AdditionKind
from settings import Settings
from tests.speech.clips import write_tones
from tests.web.browser.test_story import hear, summarise
from tests.web.commenting import comment_windows, fail_next
from tests.web.conftest import site_of
from web import create_app, words

LANGUAGE = "en-XA"  # by convention, the English of tests
SECOND_WINDOWS = {"window_hop": "2", "frames_per_inference": "2", "frame_stride": "1"}

# What is seen or read out and isn't marked as somebody's own words: those bear dir=auto, a bdi, or translate=no.
STRANGERS = """() => {
    const theirs = "[dir=auto], bdi, code, [translate=no], script, style, noscript, kbd";
    const told = [["<title>", document.title]];
    for (const element of document.querySelectorAll("*")) {
        if (!element.closest(theirs)) {
            for (const node of element.childNodes) if (node.nodeType === 3) told.push([element.outerHTML.slice(0, 80), node.data]);
        }
        for (const name of ["aria-label", "alt", "title", "placeholder", "aria-valuetext", "data-label", "data-counts", "data-auto", "label"]) {
            const isTheirs = name === "title" && element.dir === "auto"; // it is written in the element's direction
            if (element.hasAttribute(name) && !isTheirs) told.push([`${name} of ${element.outerHTML.slice(0, 60)}`, element.getAttribute(name)]);
        }
    }
    for (const template of document.querySelectorAll("template")) {
        for (const element of template.content.querySelectorAll("*")) {
            for (const node of element.childNodes) if (node.nodeType === 3) told.push(["template", node.data]);
        }
    }
    return told.filter(([, text]) => /[a-z]/i.test(text));
}"""
NAMES = re.compile(
    r"bars\.mp4|old\.avi|mpeg4|avi|h264|mov|builtin|minicpm|bad-file|Reelnotes|Not Found|\b[AP]M\b|https://|\(en\)"
)
"""Files, codecs, commentators, kinds of failures, HTTP's own phrases, what Intl says of an hour, how an
address begins, and the code of a language that was heard."""


def pseudo(text: str) -> str:
    """Write the letters of the words, not of the places in them, as their wide forms: ａｂｃ."""
    parts = re.split(r"(\{\w+\})", text)
    return "".join(
        part
        if part.startswith("{")
        else re.sub("[A-Za-z]", lambda letter: chr(ord(letter[0]) + 0xFEE0), part)
        for part in parts
    )


def pseudo_words(entry: str | dict[str, str]) -> str | dict[str, str]:
    if isinstance(entry, str):
        return pseudo(entry)
    return {plural: pseudo(text) for plural, text in entry.items()}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[str]:
    """Yield the address of a server that speaks English and its double."""
    folder = tmp_path_factory.mktemp("languages")
    english = json.loads((words.LANGUAGES / "en.json").read_text())
    double = {
        part: {key: pseudo_words(it) for key, it in english[part].items()} for part in english
    }
    (folder / "en.json").write_text(json.dumps(english))
    (folder / f"{LANGUAGE}.json").write_text(json.dumps(double))
    (folder / "videos" / "old").mkdir(parents=True)
    settings = Settings(
        data_dir=folder / "data",
        redis_url=shared_broker_url,
        commentator="builtin,minicpm",
        server_folder=str(folder / "videos"),
        fetch_urls=1,
        transcribe_model="any",
    )
    upgrade(Store.open(settings.store_url))
    app = create_app(settings)
    words.install(app, folder)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    APPS[f"http://127.0.0.1:{server.port}"] = app
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    site_of(app).store.engine.dispose()


APPS: dict[str, Any] = {}


@pytest.fixture(scope="module")
def jobs(url: str, clip: Path, other_clip: Path, old_clip: Path) -> dict[str, dict[str, Any]]:
    site = site_of(APPS[url])
    made = {}
    for name, path in {
        "queued": other_clip,
        "done": clip,
        "again": clip,
        "stills": old_clip,
        "failed": clip,
    }.items():
        answer = httpx.post(
            f"{url}/api/jobs",
            params={"filename": path.name.replace("other", "bars"), **SECOND_WINDOWS},
            content=path.read_bytes(),
            timeout=60,
        )
        made[name] = answer.raise_for_status().json()
    for name, count in {"done": 6, "again": 6, "stills": 2, "failed": 2}.items():
        comment_windows(site.store, site.media, made[name]["id"], count)
    fail_next(site.store, made["failed"]["id"], BadFile("It is damaged."))
    httpx.put(
        f"{url}/api/jobs/{made['done']['id']}/segments/0/text",
        json={"text": "a cat", "revision": 0, "by": "Ada"},
    ).raise_for_status()
    return made


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with browser.new_context(base_url=url, locale=LANGUAGE) as context:
        yield context.new_page()


@pytest.fixture
def told(
    url: str, jobs: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return a job with a summary, and with speech under its comments."""
    site = site_of(APPS[url])
    tones = write_tones(tmp_path_factory.mktemp("sound") / "tones.mp4", 12, [(1, 3, 440)])
    answer = httpx.post(
        f"{url}/api/jobs", params={"filename": "bars.mp4"}, content=tones.read_bytes(), timeout=60
    )
    job: dict[str, Any] = answer.raise_for_status().json()
    comment_windows(site.store, site.media, job["id"], 100)
    with site.store.write() as session:
        add(session, job["id"], AdditionKind.TRANSCRIPT)
    hear(site.store, job["id"], [(1000, 3000, "Good evening.")])
    with site.store.write() as session:
        add(session, job["id"], AdditionKind.SUMMARY)
    summarise(site.store, site.media, job["id"])
    return job


def strangers(page: Page) -> list[tuple[str, str]]:
    """Return where letters stand that the catalogue didn't write, and the text around them."""
    found = [(where, NAMES.sub("", text)) for where, text in page.evaluate(STRANGERS)]
    return [(where, text) for where, text in found if re.search("[A-Za-z]", text)]


def strangers_of_more_ways(page: Page, url: str, clip: Path) -> list[tuple[str, str]]:
    """Look at the server's folder, at addresses, and at what is being fetched."""
    folder = Path(site_of(APPS[url]).settings.server_folder)
    for name in ("bars.mp4", "old.avi", "notes.txt"):
        shutil.copy(clip, folder / name)
    page.locator("#from-folder").click()
    expect(page.locator("#folder-entries li")).to_have_count(3)
    found = strangers(page)
    page.locator("#folder-all input").check()
    found += strangers(page)
    page.locator("#folder-entries button").click()
    expect(page.locator("#folder-told")).not_to_be_empty()
    found += strangers(page)
    page.keyboard.press("Escape")
    page.locator("#from-addresses").click()
    found += strangers(page)
    page.locator("#addresses-text").fill("https://videos.example/bars.mp4")
    page.locator("#addresses .primary").click()
    expect(page.locator("#fetches .words")).not_to_be_empty()
    return [*found, *strangers(page)]


def strangers_of_additions(page: Page, job: dict[str, Any]) -> list[tuple[str, str]]:
    page.goto(job["links"]["page"])
    expect(page.locator("#story .chapters li").first).to_be_visible()
    expect(page.locator("#segments .heard").first).not_to_be_empty()
    found = strangers(page)
    for place in ("#story", "#speech"):
        page.locator(f"{place} .forget").click()
        expect(page.locator(f"{place} .forget")).to_be_hidden()
        found += strangers(page)
        page.locator(f"{place} .want").click()
        expect(page.locator(f"{place} .forget")).to_be_visible()
        found += strangers(page)
        page.locator(f"{place} .forget").click()
        expect(page.locator(f"{place} .want")).to_be_visible()
    return found


def test_every_word_of_every_page_is_from_the_catalogue(
    page: Page, url: str, clip: Path, request: pytest.FixtureRequest
) -> None:
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", LANGUAGE)
    expect(page.locator("#empty")).to_be_visible()
    found = strangers(page)
    jobs = request.getfixturevalue("jobs")
    page.reload()
    expect(page.locator(".job")).to_have_count(5)
    page.locator("#hold").check()
    page.locator("#upload > label input[type=file]").set_input_files(clip)
    page.locator(".job .choose").first.check()
    found += strangers(page)
    page.locator(".job .actions button").last.click()
    found += strangers(page)
    page.keyboard.press("Escape")
    found += strangers_of_more_ways(page, url, clip)
    for state in ("queued", "failed", "stills"):
        page.goto(jobs[state]["links"]["page"])
        expect(page.locator("#numbers")).not_to_be_empty()
        found += strangers(page)
    page.goto(jobs["done"]["links"]["page"])
    expect(page.locator("#segments li")).to_have_count(6)
    expect(page.locator("#timings canvas")).to_have_count(2)
    expect(page.locator(".slowest li").first).to_be_visible()
    for summary in ("#exports", ".every", ".facts"):
        page.locator(f"{summary} > summary").click()
    page.locator("#search input").fill("at")
    page.locator("#timeline input").hover()
    page.locator("#segments .line").first.focus()
    page.keyboard.press("e")
    page.locator(".bars").hover()
    found += strangers(page)
    for path, there in {
        "/find?q=at": ".hit",
        "/find?q=nobodysaidthis": "#found:not(:empty)",
        "/activity": "#activity canvas",
        f"/compare?left={jobs['done']['id']}&right={jobs['again']['id']}": "#comparison tbody tr",
        f"/jobs/{jobs['done']['id']}/again": "#again",
        "/api": ".reference",
        "/sign-in": "#password",
        "/nowhere": "main",
    }.items():
        page.goto(path)
        expect(page.locator(there).first).to_be_visible()
        found += strangers(page)
    found += strangers_of_additions(page, request.getfixturevalue("told"))
    assert not found, "\n".join(f"{text!r} in {where}" for where, text in found)
