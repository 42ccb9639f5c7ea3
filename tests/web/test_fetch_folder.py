"""Videos from the operator's folder: listed, copied, watched; never touched, never left."""

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.errors import InvalidRequest, NotFound
from tests.web.conftest import BuildApp, site_of
from tests.web.fetching import contents, count_jobs, make_due, one, wish, work
from web.fetching import Fetcher, Watcher
from web.fetching.folder import list_folder, walk_videos


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    """Return an operator's folder with a video, another one deeper, and what is no video."""
    folder = tmp_path / "videos"
    (folder / "2026" / "may").mkdir(parents=True)
    shutil.copy(clip, folder / "bars.mp4")
    shutil.copy(clip, folder / "2026" / "may" / "deep.mp4")
    (folder / "notes.txt").write_text("no video")
    return folder


@pytest.fixture
def app(build_app: BuildApp, folder: Path) -> Flask:
    return build_app(server_folder=str(folder))


def test_a_folder_is_listed_folders_first(client: FlaskClient) -> None:
    found = client.get("/api/folder").get_json()
    assert [(entry["path"], entry["is_folder"]) for entry in found["entries"]] == [
        ("2026", True),
        ("bars.mp4", False),
    ]
    assert (found["left"], found["others"], found["watched"]) == (0, 1, False)
    deeper = client.get("/api/folder?path=2026/may").get_json()
    assert [entry["path"] for entry in deeper["entries"]] == ["2026/may/deep.mp4"]


def test_a_huge_folder_is_listed_up_to_a_limit_and_by_name(
    client: FlaskClient, folder: Path
) -> None:
    for number in range(30):
        (folder / f"Shot {number:02}.MOV").touch()
    found = client.get("/api/folder?limit=10&q=shot").get_json()
    assert [entry["name"] for entry in found["entries"]] == [f"Shot {n:02}.MOV" for n in range(10)]
    assert found["left"] == 20


def test_fetches_are_listed_page_by_page(client: FlaskClient, folder: Path, clip: Path) -> None:
    names = [f"{number}.mp4" for number in range(5)]
    for name in names:
        shutil.copy(clip, folder / name)
        wish(client, paths=[name])
    pages, before = [], ""
    for _ in range(3):
        page = client.get("/api/fetches", query_string={"limit": "2", "before": before}).get_json()
        pages.append([fetch["filename"] for fetch in page["fetches"]])
        before = page["next"]
    assert pages == [["4.mp4", "3.mp4"], ["2.mp4", "1.mp4"], ["0.mp4"]]
    assert before is None
    assert client.get("/api/fetches?limit=1001").status_code == 400
    assert client.get("/api/fetches?before=missing").status_code == 400


OUTSIDE = [
    "..",
    "../secret.mp4",
    "2026/../../secret.mp4",
    "/etc/passwd",
    "2026//may/deep.mp4",
    "./bars.mp4",
    "link.mp4",
    "linked/secret.mp4",
    "bars.mp4/x",
    "2026",
    "pipe.mp4",
    "socket.mp4",
    "missing.mp4",
    "bars.mp4\0",
    "\udcff.mp4",
    "",
]


def test_nothing_but_a_file_of_the_folder_can_be_added(
    client: FlaskClient, folder: Path, clip: Path
) -> None:
    (folder.parent / "outside").mkdir()
    shutil.copy(clip, folder.parent / "secret.mp4")
    shutil.copy(clip, folder.parent / "outside" / "secret.mp4")
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    (folder / "linked").symlink_to(folder.parent / "outside")
    os.mkfifo(folder / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "socket.mp4"))
    begun = wish(client, paths=OUTSIDE)
    assert begun["fetches"] == []
    kinds = {refusal["error"]["kind"] for refusal in begun["refused"]}
    assert (len(begun["refused"]), kinds) == (len(OUTSIDE), {"invalid", "not-found"})
    shown = {entry["name"] for entry in client.get("/api/folder").get_json()["entries"]}
    assert shown == {"2026", "bars.mp4"}
    assert set(walk_videos(str(folder))) == {"bars.mp4", "2026/may/deep.mp4"}


@pytest.mark.parametrize("path", ["..", "2026/..", "linked", "bars.mp4", "missing", "/etc"])
def test_no_other_folder_is_listed(folder: Path, path: str) -> None:
    (folder / "linked").symlink_to("/etc")
    with pytest.raises((InvalidRequest, NotFound)):
        list_folder(str(folder), path, "", 10)


def test_files_become_jobs_and_stay_as_they_are(
    app: Flask, client: FlaskClient, folder: Path
) -> None:
    before = contents(folder)
    begun = wish(
        client,
        paths=["bars.mp4", "2026/may/deep.mp4", "missing.mp4"],
        fields={"capture_fps": "1", "priority": "3"},
    )
    assert [fetch["filename"] for fetch in begun["fetches"]] == ["bars.mp4", "deep.mp4"]
    assert [refusal["address"] for refusal in begun["refused"]] == ["missing.mp4"]
    work(app)
    for fetch in begun["fetches"]:
        done = client.get(fetch["links"]["self"]).get_json()
        assert (done["state"], done["failure"]) == ("done", None)
        job = client.get(f"/api/jobs/{done['job']}").get_json()
        assert (job["filename"], job["priority"]) == (fetch["filename"], 3)
        assert job["parameters"]["capture_fps"] == "1"
        stored = site_of(app).media.root / site_of(app).media.video(job["video"]["id"])
        assert stored.read_bytes() == (folder / "bars.mp4").read_bytes()
        assert not stored.samefile(folder / "bars.mp4")  # no hard link: it would change with it
    assert client.get("/api/fetches").get_json() == {"fetches": [], "next": None}
    assert contents(folder) == before


def test_a_deleted_job_leaves_the_original(app: Flask, client: FlaskClient, folder: Path) -> None:
    before = contents(folder)
    url = one(client, paths=["bars.mp4"])
    work(app)
    job_id = client.get(url).get_json()["job"]
    assert client.delete(f"/api/jobs/{job_id}").status_code == 204
    assert contents(folder) == before


def test_a_copy_goes_on_where_a_killed_one_ended(
    app: Flask, client: FlaskClient, folder: Path
) -> None:
    content = (folder / "bars.mp4").read_bytes()
    url = one(client, paths=["bars.mp4"])
    part = site_of(app).media.root / "uploads" / url.rpartition("/")[2]
    part.write_bytes(b"\0" * 100)  # of a file that was another one then: no validator fits
    work(app)
    done = client.get(url).get_json()
    assert done["state"] == "done"
    job = client.get(f"/api/jobs/{done['job']}").get_json()
    assert (
        site_of(app).media.root / site_of(app).media.video(job["video"]["id"])
    ).read_bytes() == content


def test_what_is_no_video_is_refused_and_can_be_tried_again(
    app: Flask, client: FlaskClient, folder: Path, clip: Path
) -> None:
    (folder / "broken.mp4").write_bytes(b"no video at all")
    url = one(client, paths=["broken.mp4"])
    work(app)
    refused = client.get(url).get_json()
    assert (refused["state"], refused["failure"]["kind"]) == ("refused", "bad-file")
    assert "broken.mp4" in refused["failure"]["message"]
    assert client.post(f"{url}/retry").get_json()["state"] == "waiting"
    shutil.copy(clip, folder / "broken.mp4")
    work(app)
    assert client.get(url).get_json()["state"] == "done"
    assert client.post(f"{url}/retry").status_code == 409


def test_a_fetch_that_was_given_up_leaves_nothing(app: Flask, client: FlaskClient) -> None:
    url = one(client, paths=["bars.mp4"])
    assert client.delete(url).status_code == 204
    work(app)
    assert count_jobs(site_of(app)) == 0
    assert client.get(url).status_code == 404
    assert list((site_of(app).media.root / "uploads").iterdir()) == []


def test_where_no_folder_is_offered_there_is_none(build_app: BuildApp) -> None:
    client = build_app().test_client()
    assert client.get("/api/folder").status_code == 404
    assert client.post("/api/fetches", json={"paths": ["a.mp4"]}).status_code == 404


def test_a_fetch_is_no_upload_of_the_other_kind(client: FlaskClient) -> None:
    name = one(client, paths=["bars.mp4"]).rpartition("/")[2]
    assert client.get(f"/api/uploads/{name}").status_code == 404
    assert client.get("/api/uploads").get_json()["uploads"] == []


# Watching


@pytest.fixture
def watched(build_app: BuildApp, folder: Path) -> Flask:
    return build_app(server_folder=str(folder), watch_seconds=60)


class Looking:
    """A watcher, and time that passes between its looks."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.seconds = 0.0
        self.watcher = Watcher(site_of(app), lambda: self.seconds)

    def look(self, seconds: float = 0.0) -> None:
        self.seconds += seconds
        self.watcher.look()

    def settle(self) -> None:
        """Look twice, so far apart that what is there counts as finished; then fetch it."""
        self.look()
        self.look(61)
        work(self.app)


def names(app: Flask) -> list[str]:
    jobs: list[dict[str, Any]] = app.test_client().get("/api/jobs").get_json()["jobs"]
    return sorted(job["filename"] for job in jobs)


def test_what_comes_into_the_folder_is_queued_once(
    watched: Flask, folder: Path, other_clip: Path
) -> None:
    looking = Looking(watched)
    looking.settle()
    assert names(watched) == []  # what was there before didn't come
    shutil.copy(other_clip, folder / "2026" / "new.mp4")
    before = contents(folder)
    looking.look()
    work(watched)
    assert names(watched) == []  # it may not be finished
    looking.look(61)
    work(watched)
    assert names(watched) == ["new.mp4"]
    looking.settle()
    (folder / "2026" / "new.mp4").rename(folder / "renamed.mp4")
    os.utime(folder / "renamed.mp4")
    looking.settle()
    shutil.copy(other_clip, folder / "again.mp4")
    Looking(watched).settle()  # after a restart
    assert names(watched) == ["new.mp4"]
    assert watched.test_client().get("/api/fetches").get_json() == {"fetches": [], "next": None}
    (folder / "again.mp4").unlink()
    after = contents(folder)
    assert sorted(content for content, _ in after.values()) == sorted(c for c, _ in before.values())


def test_what_came_while_the_server_was_down_is_queued(
    watched: Flask, folder: Path, other_clip: Path
) -> None:
    Looking(watched).look()
    shutil.copy(other_clip, folder / "overnight.mp4")
    Looking(watched).settle()
    assert names(watched) == ["overnight.mp4"]


def test_what_still_grows_waits(watched: Flask, folder: Path, other_clip: Path) -> None:
    looking = Looking(watched)
    looking.look()
    content = other_clip.read_bytes()
    half = len(content) // 2
    (folder / "growing.mp4").write_bytes(content[:half])
    looking.look()
    with (folder / "growing.mp4").open("ab") as file:
        file.write(content[half:])
    looking.look(61)
    work(watched)
    assert names(watched) == []
    looking.look(61)
    work(watched)
    assert names(watched) == ["growing.mp4"]


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("film.mp4.part", None),
        (".film.mp4", None),
        ("film.mp4", "film.mp4.aria2"),
        ("film.mp4", "film.mp4.part"),
        ("film.txt", None),
    ],
)
def test_what_another_program_still_writes_is_left(
    folder: Path, clip: Path, name: str, beside: str | None
) -> None:
    shutil.copy(clip, folder / name)
    if beside:
        (folder / beside).touch()
    assert name not in walk_videos(str(folder))


def test_an_empty_file_waits_for_its_content(folder: Path) -> None:
    (folder / "empty.mp4").touch()
    assert "empty.mp4" not in walk_videos(str(folder))


def test_two_processes_queue_a_file_once(watched: Flask, folder: Path, other_clip: Path) -> None:
    processes = [Looking(watched), Looking(watched)]
    for looking in processes:
        looking.look()
    shutil.copy(other_clip, folder / "one.mp4")
    shutil.copy(other_clip, folder / "same.mp4")
    for seconds in (0.0, 61.0):
        for looking in processes:
            looking.look(seconds)
    threads = [
        thread for _ in processes for thread in Fetcher(site_of(watched)).begin_due()
    ]  # both files, in no order
    for thread in threads:
        thread.join(60)
    assert len(names(watched)) == 1


def test_a_refused_file_is_told_with_its_reason_and_not_tried_again(
    watched: Flask, folder: Path
) -> None:
    looking = Looking(watched)
    looking.look()
    (folder / "broken.mp4").write_bytes(b"no video at all")
    looking.settle()
    client = watched.test_client()
    for _ in range(2):
        (told,) = client.get("/api/fetches").get_json()["fetches"]
        assert (told["state"], told["watched"]) == ("refused", True)
        assert told["failure"]["kind"] == "bad-file"
        Looking(watched).settle()
    assert client.delete(told["links"]["self"]).status_code == 204
    looking.settle()
    assert client.get("/api/fetches").get_json() == {"fetches": [], "next": None}


def test_a_preset_says_how_watched_files_are_commented(
    build_app: BuildApp, folder: Path, other_clip: Path
) -> None:
    app = build_app(server_folder=str(folder), watch_seconds=60, watch_preset="night")
    client, looking = app.test_client(), Looking(app)
    looking.look()
    shutil.copy(other_clip, folder / "new.mp4")
    looking.look()
    with pytest.raises(InvalidRequest, match="night"):
        looking.look(61)
    assert "night" in client.get("/api/folder").get_json()["trouble"]
    client.put("/api/presets/night", json={"capture_fps": "1/2", "priority": "-2"})
    looking.look()
    work(app)
    (job,) = client.get("/api/jobs").get_json()["jobs"]
    assert (job["parameters"]["capture_fps"], job["priority"]) == ("1/2", -2)
    assert client.get("/api/folder").get_json()["trouble"] is None


def test_a_file_that_goes_before_it_is_copied_is_told(
    watched: Flask, folder: Path, other_clip: Path
) -> None:
    looking = Looking(watched)
    looking.look()
    shutil.copy(other_clip, folder / "gone.mp4")
    looking.look()
    looking.look(61)
    (folder / "gone.mp4").unlink()
    client = watched.test_client()
    for _ in range(8):
        work(watched)
        make_due(watched)
    (told,) = client.get("/api/fetches").get_json()["fetches"]
    assert told["failure"]["kind"] == "fetch"
    assert "gone.mp4" in told["failure"]["message"]


def test_a_folder_that_is_away_is_told_and_nothing_is_forgotten(
    watched: Flask, folder: Path
) -> None:
    looking = Looking(watched)
    looking.look()
    folder.rename(folder.with_name("away"))
    with pytest.raises(NotFound):
        looking.look()
    folder.with_name("away").rename(folder)
    looking.settle()
    assert names(watched) == []


def test_what_a_person_brought_before_is_not_queued_again(
    watched: Flask, folder: Path, other_clip: Path
) -> None:
    looking = Looking(watched)
    looking.look()
    client = watched.test_client()
    client.post("/api/jobs?filename=mine.mp4", data=other_clip.read_bytes())
    shutil.copy(other_clip, folder / "theirs.mp4")
    looking.settle()
    assert names(watched) == ["mine.mp4"]


def test_copying_to_a_full_disk_waits(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = one(client, paths=["bars.mp4"])
    monkeypatch.setattr("web.uploads.SPARE_BYTES", 2**62)  # as if the disk were full
    work(app)
    waits = client.get(url).get_json()
    assert waits["state"] == "waiting"
    assert "too little" in waits["trouble"]
    monkeypatch.undo()
    make_due(app)
    work(app)
    assert client.get(url).get_json()["state"] == "done"
