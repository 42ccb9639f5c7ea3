"""The page's uploads over a line that fails, a page that is closed, a server that is killed."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import func, select

from models.tables import Upload
from tests.web.browser.conftest import Shoot
from tests.web.browser.test_list_page import choose, slow_down
from tests.web.clips import write_clip, write_large_clip
from tests.web.line import Line, running_line
from tests.web.server import Server

SIZE = 6_000_000
SLOW = 800_000  # bytes a second
ROW = ".upload"


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    with running_line(server.port) as line:
        yield line


@pytest.fixture
def context(browser: Browser, server: Server, line: Line) -> Iterator[BrowserContext]:
    """Yield a browser that reaches the server over the line; what fails there stands in its console."""
    for job in httpx.get(f"{server.url}/api/jobs?limit=200").json()["jobs"]:
        httpx.delete(f"{server.url}/api/jobs/{job['id']}").raise_for_status()
    for upload in httpx.get(f"{server.url}/api/uploads").json()["uploads"]:
        remove(server, upload)
    viewport: Any = {"width": 1280, "height": 900}
    with browser.new_context(base_url=line.url, viewport=viewport) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto("/")
    return page


@pytest.fixture
def large(tmp_path: Path) -> Path:
    seed = int.from_bytes(os.urandom(3), "big")
    return write_large_clip(tmp_path / "an evening at the harbour.mp4", SIZE, seed)


def remove(server: Server, upload: dict[str, Any]) -> None:
    url = f"{server.url}/api/uploads/{upload['id']}"
    httpx.delete(url, headers={"Tus-Resumable": "1.0.0"}).raise_for_status()


def assert_arrived(page: Page, server: Server, path: Path) -> None:
    expect(page.locator(ROW)).to_have_count(0, timeout=60_000)
    expect(page.get_by_role("link", name=path.name)).to_be_visible()
    (job,) = httpx.get(f"{server.url}/api/jobs").json()["jobs"]
    assert job["video"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert httpx.get(f"{server.url}/api/uploads").json() == {"uploads": [], "next": None}


def begun(server: Server) -> int:
    """Return how many uploads were ever begun."""
    with server.store.read() as session:
        return session.scalar(select(func.count()).select_from(Upload)) or 0


def wait_until_begun(page: Page) -> None:
    expect(page.locator(f"{ROW} .words")).to_contain_text("sent,", timeout=60_000)


def test_an_upload_goes_on_over_cut_connections(
    page: Page, server: Server, line: Line, large: Path
) -> None:
    before = begun(server)
    line.cut_after = [700_000, 1_500_000, 10_000]
    choose(page, large)
    assert_arrived(page, server, large)
    assert line.cut_after == []
    assert begun(server) == before + 1  # it went on; none was begun anew


def test_an_upload_is_paused_and_resumed(
    page: Page, server: Server, line: Line, large: Path, shoot: Shoot
) -> None:
    slow_down(page, SLOW)
    choose(page, large)
    wait_until_begun(page)
    row = page.locator(ROW)
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".words")).to_contain_text("Paused at")
    expect(row.get_by_role("button", name="Resume")).to_be_focused()
    shoot(page, "paused-upload")
    sent = line.sent
    page.wait_for_timeout(500)
    assert line.sent - sent < 200_000
    slow_down(page, -1)
    row.get_by_role("button", name="Resume").click()
    assert_arrived(page, server, large)
    assert line.sent < SIZE + 2_000_000


def test_an_upload_goes_on_after_its_page_was_closed(
    context: BrowserContext, page: Page, server: Server, line: Line, large: Path, shoot: Shoot
) -> None:
    slow_down(page, SLOW)
    choose(page, large)
    wait_until_begun(page)
    line.go_down()  # a browser that closes a page sends what it has
    page.close()
    line.is_down = False
    page = context.new_page()
    page.goto("/")
    expect(page.locator(f"{ROW} .words")).to_contain_text(
        "Started earlier: choose the file again to go on at", timeout=30_000
    )
    shoot(page, "earlier-upload")
    button = page.get_by_role("button", name="Choose the file")
    assert button.evaluate("b => b.scrollWidth <= b.clientWidth"), "its words are cut off"
    sent = line.sent
    with page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(large)
    assert_arrived(page, server, large)
    assert line.sent - sent < SIZE - 200_000


def test_an_earlier_upload_can_be_removed(
    context: BrowserContext, page: Page, server: Server, line: Line, large: Path
) -> None:
    slow_down(page, SLOW)
    choose(page, large)
    wait_until_begun(page)
    line.go_down()  # a browser that closes a page sends what it has
    page.close()
    line.is_down = False
    page = context.new_page()
    page.goto("/")
    page.locator(ROW).get_by_role("button", name="Remove").click()
    expect(page.locator(ROW)).to_have_count(0)
    page.reload()
    expect(page.locator("#jobs")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(ROW)).to_have_count(0)
    assert httpx.get(f"{server.url}/api/uploads").json() == {"uploads": [], "next": None}


def test_an_upload_survives_a_kill_of_the_server(
    page: Page, server: Server, line: Line, large: Path
) -> None:
    slow_down(page, SLOW)
    choose(page, large)
    wait_until_begun(page)
    before = begun(server)
    (child,) = psutil.Process(server.pid).children()
    child.send_signal(signal.SIGKILL)
    psutil.wait_procs([child], timeout=60)
    slow_down(page, -1)
    assert_arrived(page, server, large)
    assert begun(server) == before  # it went on; none was begun anew


def test_an_upload_that_is_gone_from_the_server_begins_anew(
    page: Page, server: Server, line: Line, large: Path
) -> None:
    slow_down(page, SLOW)
    choose(page, large)
    wait_until_begun(page)
    page.locator(ROW).get_by_role("button", name="Pause").click()
    (upload,) = httpx.get(f"{server.url}/api/uploads").json()["uploads"]
    remove(server, upload)
    slow_down(page, -1)
    page.locator(ROW).get_by_role("button", name="Resume").click()
    assert_arrived(page, server, large)


def test_of_a_dropped_folder_the_videos_are_taken(page: Page, tmp_path: Path, shoot: Shoot) -> None:
    folder = tmp_path / "holiday"
    (folder / "day 2").mkdir(parents=True)
    write_clip(folder / "beach.mp4")
    write_clip(folder / "day 2" / "boat.avi", codec="mpeg4", seed=3)
    (folder / "day 2" / "plan <b>.txt").write_text("swim")
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    expect(page.locator(".job")).to_have_count(2)
    assert set(page.locator(".job .name").all_text_contents()) == {"boat.avi", "beach.mp4"}
    expect(page.locator("#left-out bdi")).to_have_text(
        "2 videos taken. Left out, because they are no videos: \u2068holiday/day 2/plan <b>.txt\u2069."
    )
    shoot(page, "folder")


PASTE = """([name, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "video/mp4" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""


def test_a_pasted_file_becomes_a_job(page: Page, clip: Path) -> None:
    page.evaluate(PASTE, ["pasted.mp4", list(clip.read_bytes())])
    expect(page.get_by_role("link", name="pasted.mp4")).to_be_visible()


def test_each_file_may_get_a_preset_of_its_own(
    page: Page, server: Server, clip: Path, other_clip: Path, shoot: Shoot
) -> None:
    page.get_by_text("Window settings").click()
    page.get_by_label("Samples per second").fill("1/2")
    page.get_by_role("button", name="Save these settings as a preset").click()
    shoot(page, "save-preset")
    page.get_by_label("Its name").fill("slow & <b>steady")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Preset", exact=True)).to_have_value("slow & <b>steady")
    page.reload()  # it outlives the page
    page.get_by_label("Wait with sending").check()
    choose(page, clip, other_clip)
    rows = page.locator(ROW)
    expect(rows.locator(".words")).to_have_text(["Ready to be sent"] * 2)
    rows.nth(1).get_by_label("Settings").select_option("slow & <b>steady")
    shoot(page, "held")
    page.get_by_role("button", name="Send these files").click()
    expect(page.locator(".job")).to_have_count(2)
    made = httpx.get(f"{server.url}/api/jobs").json()["jobs"]
    rates = {job["filename"]: job["parameters"]["capture_fps"] for job in made}
    assert rates == {clip.name: "2", other_clip.name: "1/2"}
    page.get_by_label("Preset", exact=True).select_option("slow & <b>steady")
    expect(page.locator("#capture_fps")).to_have_value("1/2")
    page.get_by_role("button", name="Delete the preset").click()
    expect(page.get_by_label("Preset", exact=True)).to_be_hidden()
    assert httpx.get(f"{server.url}/api/presets").json() == {"presets": []}


def test_the_first_view_is_light(context: BrowserContext, server: Server) -> None:
    """Our own and vendored script and style; the library comes with the first file."""
    page = context.new_page()
    loaded: dict[str, int] = {}
    page.on(
        "response", lambda r: loaded.update({r.url: len(r.body())}) if "/static/" in r.url else None
    )
    page.goto("/", wait_until="networkidle")
    assert any(url.endswith("queue.js") for url in loaded)
    assert not any("vendor" in url for url in loaded)
    assert sum(loaded.values()) < 150_000


def test_uploads_of_a_slow_line_share_it(page: Page, tmp_path: Path, shoot: Shoot) -> None:
    paths = [write_large_clip(tmp_path / f"part {n}.mp4", 3_000_000, n) for n in range(1, 4)]
    slow_down(page, 600_000)
    choose(page, *paths)
    expect(page.locator(f"{ROW}[data-state=sending]")).to_have_count(2)
    expect(page.locator(f"{ROW}[data-state=waiting]")).to_have_count(1)
    expect(page.locator(f"{ROW} .words").first).to_contain_text("/s, about")
    shoot(page, "queue")
    while page.locator(ROW).count():
        page.locator(ROW).first.get_by_role("button", name="Remove").click()
