"""The page's other ways in: the server's folder, addresses, and what comes into the folder by itself.

Also what only a server in processes of its own shows: that it goes on after a kill.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from client import Client
from tests.web.browser.conftest import Shoot, watched_page
from tests.web.clips import write_clip, write_large_clip
from tests.web.file_server import FileServer, running_file_server
from tests.web.server import ROOT, Server, running_server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operator") / "videos"
    (folder / "2026" / "harbour").mkdir(parents=True)
    for number in range(3):
        write_clip(folder / "2026" / f"evening {number}.mp4", seconds=2, seed=number)
    (folder / "2026" / "notes.txt").touch()
    return folder


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str, folder: Path
) -> Iterator[Server]:
    env = {
        "REDIS_URL": shared_broker_url,
        "SERVER_FOLDER": str(folder),
        "WATCH_SECONDS": "1",
        "FETCH_URLS": "1",
        "FETCH_HOSTS": "127.0.0.1",
    }
    with running_server(tmp_path_factory.mktemp("web"), env) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with httpx.Client(base_url=server.url) as client:
        for job in client.get("/api/jobs?limit=200").json()["jobs"]:
            client.delete(f"/api/jobs/{job['id']}").raise_for_status()
        for fetch in client.get("/api/fetches").json()["fetches"]:
            client.delete(fetch["links"]["self"]).raise_for_status()
    yield from watched_page(browser, server.url)


@pytest.fixture
def files(folder: Path) -> Iterator[FileServer]:
    with running_file_server() as files:
        files.content = (folder / "2026" / "evening 0.mp4").read_bytes()
        yield files


def test_videos_are_chosen_in_the_servers_folder(page: Page, shoot: Shoot) -> None:
    page.goto("/")
    page.get_by_text("Window settings").click()
    page.get_by_label("Samples per second").fill("1")
    page.get_by_role("button", name="From the server's folder").click()
    dialog = page.get_by_role("dialog", name="Add from the server's folder")
    dialog.get_by_role("button", name="2026/").press("Enter")
    expect(dialog.get_by_label("Part of the name")).to_be_focused()  # the button is gone
    dialog.get_by_role("button", name="Up").press("Enter")
    expect(dialog.get_by_label("Part of the name")).to_be_focused()  # there is no further up
    dialog.get_by_role("button", name="2026/").click()
    expect(dialog.get_by_text("evening 2.mp4")).to_be_visible()
    expect(dialog.get_by_text("Left out: 1")).to_be_visible()
    dialog.get_by_label("Part of the name").fill("evening")
    dialog.get_by_label("All videos shown").check()
    expect(dialog.get_by_role("button", name="Add 3 videos")).to_be_enabled()
    dialog.get_by_label("evening 1.mp4").uncheck()
    shoot(page, "folder")
    dialog.get_by_role("button", name="Add 2 videos").click()
    expect(page.locator(".job .name")).to_have_count(2)
    expect(page.locator(".job .name", has_text="evening 2.mp4")).to_be_visible()
    expect(page.locator("#fetches li")).to_have_count(0)


def test_addresses_are_fetched_and_their_troubles_told(
    page: Page, files: FileServer, shoot: Shoot, tmp_path: Path
) -> None:
    large = write_large_clip(tmp_path / "large.mp4", 900_000, seed=77).read_bytes()
    files.content, files.pause_after = large, 500_000
    page.goto("/")
    page.get_by_role("button", name="By web address").click()
    dialog = page.get_by_role("dialog", name="Add by web address")
    dialog.get_by_label("Addresses of video files").fill(
        f"{files.url('/a%20harbour.mp4')}\nhttp://10.0.0.1/inside.mp4\nnonsense"
    )
    dialog.get_by_role("button", name="Fetch").click()
    expect(page.locator("#toast")).to_contain_text("nonsense")
    inside = page.locator("#fetches li", has_text="inside.mp4")
    expect(inside.locator(".words")).to_contain_text("isn't public")
    coming = page.locator("#fetches li", has_text="a harbour.mp4")
    expect(coming.locator(".words")).to_contain_text("here")
    shoot(page, "fetches")
    files.go_on.set()
    expect(page.locator(".job .name", has_text="a harbour.mp4")).to_be_visible()
    inside.get_by_role("button", name="Remove").press("Enter")
    expect(page.locator("#fetches li")).to_have_count(0)
    expect(page.locator("#upload input[type=file]")).to_be_focused()


def test_why_what_is_fetched_cannot_be_told_is_said(forgiving_page: Page) -> None:
    away = {"error": {"kind": "busy", "message": "The storage is away."}}
    forgiving_page.route("**/api/fetches", lambda route: route.fulfill(status=503, json=away))
    forgiving_page.goto("/")
    expect(forgiving_page.locator("#toast")).to_have_text("The storage is away.")


def test_what_comes_into_the_folder_appears_by_itself(page: Page, folder: Path) -> None:
    page.goto("/")
    write_clip(folder / ".hidden.mp4", seconds=2, seed=50).rename(folder / "came.mp4")
    try:
        expect(page.locator(".job .name", has_text="came.mp4")).to_be_visible()
        (folder / "broken.mp4").write_bytes(b"no video")
        refused = page.locator("#fetches li", has_text="broken.mp4")
        expect(refused.locator(".kind")).to_have_text("bad-file")
    finally:
        for name in ("came.mp4", "broken.mp4"):
            (folder / name).unlink(missing_ok=True)


def test_a_killed_server_goes_on_with_a_fetch(
    page: Page, server: Server, files: FileServer, tmp_path: Path
) -> None:
    files.content = write_large_clip(tmp_path / "large.mp4", 900_000, seed=78).read_bytes()
    files.pause_after = 500_000
    with httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(retries=9)) as client:
        begun = client.post("/api/fetches", json={"urls": [files.url("/long.mp4")]}).json()
        url = begun["fetches"][0]["links"]["self"]
        page.goto("/")
        expect(page.locator("#fetches .words")).to_contain_text("kB here")
        for process in psutil.Process(server.pid).children():
            os.kill(process.pid, signal.SIGKILL)
        files.pause_after = None
        files.go_on.set()
        expect(page.locator(".job .name", has_text="long.mp4")).to_be_visible()
        assert client.get(url).json()["state"] == "done"
    assert len(files.asked) == 2
    assert int((files.ranges_asked[1] or "bytes=0-")[6:-1]) > 0


def test_the_command_line_does_the_same(page: Page, server: Server, files: FileServer) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "--server", server.url],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            check=False,
        )

    listed = run("folder", "2026", "--containing", "evening")
    assert "2026/evening 1.mp4" in listed.stdout
    sent = run("submit", "--from-folder", "2026/evening 1.mp4", "2026/none.mp4", "--priority", "4")
    assert sent.returncode == 1
    assert "not-found" in sent.stderr
    job = httpx.get(f"{server.url}/api/jobs/{sent.stdout.strip()}").json()
    assert (job["filename"], job["priority"]) == ("evening 1.mp4", 4)
    address = files.url("/by%20address.mp4")
    fetched = run("submit", address, "http://10.0.0.1/inside.mp4")
    assert (fetched.returncode, "isn't public" in fetched.stderr) == (1, True)
    job = httpx.get(f"{server.url}/api/jobs/{fetched.stdout.strip()}").json()
    assert job["filename"] == "by address.mp4"
    (refused,) = httpx.get(f"{server.url}/api/fetches").json()["fetches"]
    left = run("fetches", "--remove", refused["id"])
    assert (left.returncode, left.stdout) == (0, "")


def test_more_fetches_than_a_page_of_the_list_are_shown(page: Page, server: Server) -> None:
    urls = [f"http://10.0.0.1/{number}.mp4" for number in range(101)]
    httpx.post(f"{server.url}/api/fetches", json={"urls": urls}).raise_for_status()
    page.goto("/")
    expect(page.locator("#fetches li")).to_have_count(len(urls))
    with Client(server.url) as client:
        listed = [fetch["id"] for fetch in client.all_fetches()]
        assert len(listed) == len(set(listed)) == len(urls)
        for fetch_id in listed:
            client.remove_fetch(fetch_id)
