"""The tus protocol, request by request; what its own clients make of it stands in test_tus_clients.py."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from models import jobs, tokens, uploads
from models.arriving import FolderArrivals
from models.clock import now_ms
from models.errors import Conflict, DiskFull, NotFound, StoreBusy, TooLarge
from models.scratch import Scratch
from models.tables import Job, Upload, Video
from tests.web.conftest import BuildApp, site_of
from web import intake
from web.intake import finish_upload, finish_whole_uploads
from web.site import Site
from worker.sweep import Sweep

TUS = {"Tus-Resumable": "1.0.0"}


def begin(
    client: FlaskClient, length: int, headers: Mapping[str, str] = {}, **fields: str
) -> TestResponse:
    pairs = [f"{name} {b64encode(value.encode()).decode()}" for name, value in fields.items()]
    given = {**TUS, "Upload-Length": str(length), "Upload-Metadata": ",".join(pairs), **headers}
    return client.post("/api/uploads", headers=given)


def begun(client: FlaskClient, length: int, **fields: str) -> str:
    """Begin an upload; return its address."""
    answer = begin(client, length, {}, **{"filename": "bars.mp4", **fields})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def patch(
    client: FlaskClient, url: str, offset: int, data: bytes, headers: Mapping[str, str] = {}
) -> TestResponse:
    given = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return client.patch(url, data=data, headers={**TUS, **given, **headers})


def offset_at(client: FlaskClient, url: str) -> int:
    return int(client.head(url, headers=TUS).headers["Upload-Offset"])


def count(site: Site, table: type[Video] | type[Job] | type[Upload]) -> int:
    with site.store.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def files_in(site: Site) -> list[Path]:
    return sorted(path for path in site.media.root.rglob("*") if path.is_file())


def test_pieces_become_a_job_that_the_last_answer_names(
    client: FlaskClient, site: Site, clip: Path
) -> None:
    content = clip.read_bytes()
    url = begun(client, len(content), filename="My bars.mp4", capture_fps="1/2", priority="3")
    first = patch(client, url, 0, content[:3000])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "3000")
    assert "Reelnotes-Job" not in first.headers
    last = patch(client, url, 3000, content[3000:])
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(content)))
    with site.store.read() as session:
        job = jobs.get_job(session, last.headers["Reelnotes-Job"])
    assert (job.filename, job.priority, job.parameters["capture_fps"]) == ("My bars.mp4", 3, "1/2")
    assert job.video.sha256 == hashlib.sha256(content).hexdigest()
    assert files_in(site) == [(site.media.root / site.media.video(job.video_id))]
    assert files_in(site)[0].read_bytes() == content


def test_what_the_server_speaks_is_told(client: FlaskClient) -> None:
    answer = client.options("/api/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(20 * 2**30)
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        *("creation", "creation-with-upload", "termination", "checksum", "expiration")
    }
    assert "sha1" in answer.headers["Tus-Checksum-Algorithm"]


def test_another_version_is_refused(client: FlaskClient) -> None:
    answer = client.post("/api/uploads", headers={"Tus-Resumable": "0.2.2", "Upload-Length": "5"})
    assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
    assert answer.get_json()["error"]["kind"] == "tus-version"


def test_the_head_tells_all_of_an_upload(client: FlaskClient) -> None:
    url = begun(client, 5000)
    patch(client, url, 0, b"x" * 20)
    answer = client.head(url, headers=TUS)
    assert answer.status_code == 200
    assert (answer.headers["Upload-Length"], answer.headers["Upload-Offset"]) == ("5000", "20")
    assert answer.headers["Upload-Metadata"] == f"filename {b64encode(b'bars.mp4').decode()}"
    assert answer.headers["Upload-Expires"].endswith("GMT")
    assert "no-store" in answer.headers["Cache-Control"]
    shape = client.get(url).get_json()
    assert (shape["offset_bytes"], shape["size_bytes"], shape["job"]) == (20, 5000, None)
    assert [upload["id"] for upload in client.get("/api/uploads").get_json()["uploads"]] == [
        shape["id"]
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"frame_stride": "many"}, "Frame stride must be a whole number"),
        ({"priority": "11"}, "Priority must be"),
        ({"filetype": "video/mp4"}, "no parameter called 'filetype'"),
        ({"profile": "sports"}, "not asked in words"),
    ],
)
def test_wrong_parameters_are_refused_before_a_byte_has_come(
    client: FlaskClient, site: Site, fields: dict[str, str], words: str
) -> None:
    answer = begin(client, 5000, {}, filename="bars.mp4", **fields)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")
    assert words in answer.get_json()["error"]["message"]
    assert count(site, Upload) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Upload-Length": "-1"},
        {"Upload-Length": "9" * 30},
        {"Upload-Defer-Length": "1"},
        {"Upload-Metadata": "filename ???"},
        {"Upload-Metadata": "filename é"},
        {"Upload-Metadata": "filename YQ==,filename YQ=="},
    ],
)
def test_what_is_no_tus_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    assert begin(client, 5, headers=headers).status_code == 400


def test_a_wrong_offset_is_refused_and_changes_nothing(client: FlaskClient) -> None:
    url = begun(client, 5000)
    patch(client, url, 0, b"x" * 20)
    for offset in (0, 19, 21, 4999):
        answer = patch(client, url, offset, b"y")
        assert (answer.status_code, answer.get_json()["error"]["kind"]) == (409, "conflict")
        assert "byte 20" in answer.get_json()["error"]["message"]
    assert offset_at(client, url) == 20


def test_more_than_was_announced_is_refused_unread(client: FlaskClient, site: Site) -> None:
    url = begun(client, 10)
    answer = patch(client, url, 0, b"x" * 11)
    assert (answer.status_code, offset_at(client, url)) == (413, 0)


def test_a_file_over_the_limit_is_refused_at_its_announcement(build_app: BuildApp) -> None:
    answer = begin(build_app(max_upload_bytes=1000).test_client(), 1001, filename="big.mp4")
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (413, "too-large")
    assert "MAX_UPLOAD_BYTES" in answer.get_json()["error"]["message"]


def test_a_file_larger_than_the_free_disk_is_refused_at_its_announcement(
    build_app: BuildApp,
) -> None:
    answer = begin(build_app(max_upload_bytes=2**60).test_client(), 2**59, filename="big.mp4")
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (507, "disk-full")


def test_a_piece_of_another_type_is_refused(client: FlaskClient) -> None:
    url = begun(client, 10)
    headers = {"Content-Type": "application/octet-stream"}
    assert patch(client, url, 0, b"x", headers).status_code == 415


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {b64encode(digest).decode()}"}


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_piece_with_the_right_checksum_counts(
    client: FlaskClient, site: Site, algorithm: str
) -> None:
    url = begun(client, 5000)
    answer = patch(client, url, 0, b"right", checksum(algorithm, b"right"))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "5")
    assert [path.read_bytes() for path in files_in(site)] == [b"right"]


def test_a_piece_with_a_wrong_checksum_leaves_no_byte(client: FlaskClient, site: Site) -> None:
    url = begun(client, 5000)
    answer = patch(client, url, 0, b"wrong", checksum("sha1", b"right"))
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (460, "checksum")
    assert offset_at(client, url) == 0
    assert [path.stat().st_size for path in files_in(site)] == [0]
    for unread in ("crc32 AAAA", "sha1 é"):
        assert patch(client, url, 0, b"x", {"Upload-Checksum": unread}).status_code == 400


def test_the_first_piece_may_come_with_the_beginning(client: FlaskClient, clip: Path) -> None:
    content = clip.read_bytes()
    headers = {
        **TUS,
        "Upload-Length": str(len(content)),
        "Content-Type": "application/offset+octet-stream",
    }
    answer = client.post("/api/uploads", headers=headers, data=content)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(content)))
    assert client.get(f"/api/jobs/{answer.headers['Reelnotes-Job']}").status_code == 200


def test_an_upload_that_is_given_up_is_gone(client: FlaskClient, site: Site) -> None:
    url = begun(client, 5000)
    patch(client, url, 0, b"x" * 20)
    assert client.delete(url, headers=TUS).status_code == 204
    assert client.head(url, headers=TUS).status_code == 404
    assert patch(client, url, 20, b"y").status_code == 404
    assert files_in(site) == []


def test_what_can_send_only_posts_is_understood(client: FlaskClient) -> None:
    url = begun(client, 5000)
    headers = {
        **TUS,
        "X-HTTP-Method-Override": "PATCH",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    assert client.post(url, headers=headers, data=b"abc").status_code == 204
    assert offset_at(client, url) == 3
    assert client.post(url, headers=TUS).status_code == 405


def test_the_last_piece_sent_twice_makes_one_job(
    client: FlaskClient, site: Site, clip: Path
) -> None:
    content = clip.read_bytes()
    url = begun(client, len(content))
    first = patch(client, url, 0, content)
    again = patch(client, url, len(content), b"")
    assert first.headers["Reelnotes-Job"] == again.headers["Reelnotes-Job"]
    assert patch(client, url, 0, content).status_code == 409
    assert client.head(url, headers=TUS).headers["Reelnotes-Job"] == first.headers["Reelnotes-Job"]
    assert client.delete(url, headers=TUS).status_code == 204  # the job stays
    assert client.get(f"/api/jobs/{first.headers['Reelnotes-Job']}").status_code == 200
    assert (count(site, Job), len(files_in(site))) == (1, 1)


def test_many_who_finish_an_upload_at_once_get_one_job(
    app: Flask, client: FlaskClient, site: Site, clip: Path
) -> None:
    content = clip.read_bytes()
    url = begun(client, len(content))
    (site.media.root / "uploads" / url.rsplit("/", 1)[1]).write_bytes(
        content
    )  # as if the last answer were lost
    with ThreadPoolExecutor(4) as pool:
        ask = lambda _: patch(app.test_client(), url, len(content), b"")  # noqa: E731
        answers = list(pool.map(ask, range(4)))
    assert [answer.status_code for answer in answers] == [204] * 4
    assert len({answer.headers["Reelnotes-Job"] for answer in answers}) == 1
    assert (count(site, Job), len(files_in(site))) == (1, 1)


def test_two_who_send_the_same_piece_spoil_nothing(
    app: Flask, client: FlaskClient, site: Site
) -> None:
    content = os.urandom(3_000_000)
    url = begun(client, len(content) + 1)
    with ThreadPoolExecutor(4) as pool:
        send = lambda _: patch(app.test_client(), url, 0, content).status_code  # noqa: E731
        statuses = list(pool.map(send, range(4)))
    assert set(statuses) <= {204, 409}
    here = offset_at(client, url)
    assert files_in(site)[0].read_bytes() == content[:here]
    assert patch(client, url, here, content[here:]).status_code == 204


def test_a_piece_counts_only_where_the_file_ends(tmp_path: Path) -> None:
    """Whoever looked before somebody else wrote is told, even over a file of its own opening."""
    path = tmp_path / "uploads" / "x"
    arrivals = FolderArrivals(tmp_path / "uploads", tmp_path / "videos")
    arrivals.begin("x", 6)
    with arrivals.opened("x", 6) as one, arrivals.opened("x", 6) as other:
        assert one.append(0, b"abc") == 3
        with pytest.raises(Conflict, match="byte 3, not 0"):
            other.append(0, b"xyz")
        with pytest.raises(TooLarge):
            other.append(3, b"wxyz")
        with arrivals.undisturbed("x"), pytest.raises(Conflict, match="Somebody else"):
            other.append(3, b"xyz")
        assert path.read_bytes() == b"abc"
        path.unlink()
        with pytest.raises(NotFound):
            one.append(3, b"xyz")


def test_an_upload_that_another_makes_a_video_just_now_is_not_gone(tmp_path: Path) -> None:
    class Watched(FolderArrivals):
        def _lying_at(self, upload_id: str) -> Path | None:
            found = super()._lying_at(upload_id)
            (self.uploads / upload_id).rename(self.videos / upload_id)
            return found

    for name in ("uploads", "videos"):
        (tmp_path / name).mkdir()
    (tmp_path / "uploads" / "x").touch()
    with Watched(tmp_path / "uploads", tmp_path / "videos").undisturbed("x"):
        assert (tmp_path / "videos" / "x").exists()


@pytest.mark.parametrize("moved", [False, True])
def test_a_kill_between_the_last_byte_and_the_job_loses_nothing(
    client: FlaskClient, site: Site, clip: Path, moved: bool
) -> None:
    """The start of a server finds what was whole, on either side of the file's move."""
    content = clip.read_bytes()
    url = begun(client, len(content))
    upload_id = url.rsplit("/", 1)[1]
    (site.media.root / "uploads" / upload_id).write_bytes(content)
    if moved:
        site.media.keep(site.media.root / "uploads" / upload_id, upload_id)
    half = begun(client, len(content))
    assert offset_at(client, url) == len(content)
    finish_whole_uploads(site)
    shape = client.get(url).get_json()
    assert client.get(f"/api/jobs/{shape['job']}").status_code == 200
    assert (count(site, Job), offset_at(client, half)) == (1, 0)
    finish_whole_uploads(site)
    assert count(site, Job) == 1


def test_one_whole_upload_that_a_bug_stops_holds_up_no_other_nor_does_a_store_that_starts_late(
    client: FlaskClient, site: Site, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = clip.read_bytes()
    odd, sound = (begun(client, len(content)).rsplit("/", 1)[1] for _ in range(2))
    for upload_id in (odd, sound):
        (site.media.root / "uploads" / upload_id).write_bytes(content)
    finish, list_uploads, answers = intake.finish_upload, uploads.list_uploads, iter([False])

    def stumble(site: Site, upload_id: str) -> Upload:
        if upload_id == odd:
            raise ZeroDivisionError
        return finish(site, upload_id)

    def late(*args: Any, **kwargs: Any) -> Any:
        if not next(answers, True):
            raise StoreBusy("The store can't be used just now.")
        return list_uploads(*args, **kwargs)

    monkeypatch.setattr(intake, "finish_upload", stumble)
    monkeypatch.setattr(uploads, "list_uploads", late)
    finish_whole_uploads(site)
    assert (count(site, Job), offset_at(client, f"/api/uploads/{odd}")) == (1, len(content))


def test_a_store_that_is_away_at_the_end_costs_no_byte(
    client: FlaskClient, site: Site, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = clip.read_bytes()
    url = begun(client, len(content))
    with monkeypatch.context() as broken:

        def away(*_: object) -> None:
            raise StoreBusy("The store can't be used just now.")

        broken.setattr(intake._Intake, "_store_once", away)
        broken.setattr(intake, "_STORE_PATIENCE_S", 0)
        assert patch(client, url, 0, content).status_code == 503
    answer = patch(client, url, len(content), b"")
    assert (answer.status_code, count(site, Job)) == (204, 1)


def test_a_disk_that_fills_up_keeps_what_it_took(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = begun(client, 5000)
    patch(client, url, 0, b"x" * 20)
    with monkeypatch.context() as full:
        full.setattr(Scratch, "free_bytes", lambda _: 0)
        answer = patch(client, url, 20, b"y")
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (507, DiskFull.kind)
    assert patch(client, url, 20, b"y").status_code == 204


def test_what_is_no_video_is_refused_with_the_reason_kept(client: FlaskClient, site: Site) -> None:
    content = b"<html>not a video</html>"
    url = begun(client, len(content), filename="bad.mp4")
    answers = [patch(client, url, 0, content), patch(client, url, len(content), b"")]
    assert {answer.status_code for answer in answers} <= {415, 422}
    assert "bad.mp4" in answers[1].get_json()["error"]["message"]
    assert client.get(url).get_json()["failure"] == answers[0].get_json()["error"]
    assert client.head(url, headers=TUS).headers["Upload-Offset"] == str(len(content))
    assert (files_in(site), count(site, Job)) == ([], 0)


def test_an_empty_file_is_refused_at_once(client: FlaskClient, site: Site) -> None:
    assert begin(client, 0, filename="empty.mp4").status_code == 422
    assert files_in(site) == []


def test_an_upload_on_which_nothing_comes_expires_and_is_swept(
    client: FlaskClient, site: Site
) -> None:
    url, other = begun(client, 5000), begun(client, 5000)
    patch(client, url, 0, b"x" * 20)
    with site.store.write() as session:
        ended = update(Upload).where(Upload.id == url.rsplit("/", 1)[1])
        session.execute(ended.values(until_ms=now_ms() - 1))
    answer = patch(client, url, 20, b"y")
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (410, "expired")
    assert client.head(url, headers=TUS).status_code == 410
    for path in files_in(site):
        os.utime(path, (0, 0))
    Sweep(site.store, site.celery, site.media, 64).orphans()
    assert [path.name for path in files_in(site)] == [other.rsplit("/", 1)[1]]
    with site.store.write() as session:
        session.execute(ended.values(until_ms=0))
    Sweep(site.store, site.celery, site.media, 64).orphans()
    assert client.head(url, headers=TUS).status_code == 404


def test_an_upload_is_its_beginners(build_app: BuildApp) -> None:
    app = build_app(password="long enough")
    with site_of(app).store.write() as session:
        secrets = [tokens.add_token(session, name) for name in ("one", "other")]
    client = app.test_client()
    mine, others = ({"Authorization": f"Bearer {secret}"} for secret in secrets)
    url = begin(client, 5000, mine, filename="x.mp4").headers["Location"]
    assert client.head(url, headers={**TUS, **others}).status_code == 404
    assert patch(client, url, 0, b"x", others).status_code == 404
    assert client.delete(url, headers={**TUS, **others}).status_code == 404
    assert client.get("/api/uploads", headers=others).get_json()["uploads"] == []
    assert patch(client, url, 0, b"x", mine).status_code == 204


def test_uploads_that_begin_are_counted_for_each_person(build_app: BuildApp) -> None:
    app = build_app(password="long enough", uploads_per_hour=2)
    with site_of(app).store.write() as session:
        mine = {"Authorization": f"Bearer {tokens.add_token(session, 'one')}"}
    client = app.test_client()
    answers = [begin(client, 5000, mine, filename="x.mp4") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    url = answers[0].headers["Location"]
    assert patch(client, url, 0, b"x", mine).status_code == 204  # going on is free


def test_a_long_prompt_fits_into_the_metadata(build_app: BuildApp, clip: Path) -> None:
    app = build_app(commentator="minicpm")
    client, content = app.test_client(), clip.read_bytes()
    wish = {"system_prompt": "犬" * 2000, "instruction": "🐕" * 500, "profile": "detailed"}
    url = begun(client, len(content), **wish)
    upload = finish_after(site_of(app), url, content)
    parameters = client.get(f"/api/jobs/{upload.job_id}").get_json()["parameters"]
    assert {name: parameters[name] for name in wish} == wish


def finish_after(site: Site, url: str, content: bytes) -> Upload:
    upload_id = url.rsplit("/", 1)[1]
    (site.media.root / "uploads" / upload_id).write_bytes(content)
    return finish_upload(site, upload_id)
