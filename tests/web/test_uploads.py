"""Uploads: what is stored, what is refused, and that a refused file leaves nothing behind."""

import io
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

import web.holding
from models import jobs
from models.errors import MediaAway
from models.facts import VideoFacts
from models.folder import Folder
from models.hints import waiting_hints
from models.ids import new_id
from models.tables import Chunk, Job, JobState, Upload, Video
from models.videos import facts_of
from tests.conftest import open_store
from tests.packaging.processes import wait_for
from tests.store.lost_answers import lost_answer
from tests.store.rows import default_parameters
from tests.web.conftest import BuildApp, site_of
from web.holding import begin_held, holding
from web.intake import finish_whole_uploads
from web.site import Site
from web.uploads import Wish
from worker.sweep import Sweep


def send(client: FlaskClient, path: Path, query: str = "filename=bars.mp4") -> TestResponse:
    with path.open("rb") as file:
        return client.post(
            f"/api/jobs?{query}", input_stream=file, content_length=path.stat().st_size
        )


def send_form(
    client: FlaskClient, path: Path, name: str = "bars.mp4", **fields: str
) -> TestResponse:
    form = {**fields, "file": (io.BytesIO(path.read_bytes()), name)}
    return client.post("/api/jobs", data=form, content_type="multipart/form-data")


def files_in(site: Site) -> list[Path]:
    return sorted(path for path in site.media.root.rglob("*") if path.is_file())


def count(site: Site, table: type[Video] | type[Job] | type[Chunk]) -> int:
    with site.store.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def assert_nothing_is_left(site: Site) -> None:
    assert files_in(site) == []
    assert count(site, Job) == count(site, Video) == 0


def test_an_upload_whose_commit_was_done_without_an_answer_is_one_job_with_its_file(
    client: FlaskClient, site: Site, clip: Path
) -> None:
    with lost_answer(lambda: count(site, Job) == 1):
        assert send(client, clip).status_code == 201
    assert count(site, Job) == count(site, Video) == 1
    with site.store.read() as session:
        assert (
            site.media.root / site.media.video(session.scalars(select(Video.id)).one())
        ).exists()


def test_a_bare_body_becomes_a_queued_job(client: FlaskClient, site: Site, clip: Path) -> None:
    answer = send(client, clip, "filename=My+bars.mp4&capture_fps=1/2&priority=3")
    assert answer.status_code == 201
    shape = answer.get_json()
    assert answer.headers["Location"] == f"/api/jobs/{shape['id']}"
    with site.store.read() as session:
        job = jobs.get_job(session, shape["id"])
    assert (job.filename, job.state, job.priority) == ("My bars.mp4", JobState.QUEUED, 3)
    assert job.parameters["capture_fps"] == "1/2"
    assert job.hint_epoch == 1
    assert job.video.sha256 == sha256(clip.read_bytes()).hexdigest()
    assert (site.media.root / site.media.video(job.video_id)).read_bytes() == clip.read_bytes()
    assert files_in(site) == [(site.media.root / site.media.video(job.video_id))]


def test_a_form_becomes_a_queued_job(client: FlaskClient, site: Site, clip: Path) -> None:
    answer = send_form(client, clip, "in a form.mp4", frames_per_inference="2", priority="-4")
    assert answer.status_code == 201
    with site.store.read() as session:
        job = jobs.get_job(session, answer.get_json()["id"])
    assert (job.filename, job.priority) == ("in a form.mp4", -4)
    assert job.parameters["frames_per_inference"] == 2
    assert job.parameters["window_hop"] == 4
    assert (site.media.root / site.media.video(job.video_id)).read_bytes() == clip.read_bytes()


def test_the_probe_sees_the_file_to_its_last_byte(
    client: FlaskClient, site: Site, clip: Path, clip_facts: VideoFacts
) -> None:
    job_id = send(client, clip).get_json()["id"]
    with site.store.read() as session:
        assert facts_of(jobs.get_job(session, job_id).video) == clip_facts


def test_the_windows_are_cut_into_chunks(client: FlaskClient, site: Site, clip: Path) -> None:
    answer = send(client, clip, "filename=bars.mp4&window_hop=2")
    assert answer.get_json()["windows_total"] == 6
    assert count(site, Chunk) == 3


def test_the_workers_are_told_of_each_chunk(client: FlaskClient, site: Site, clip: Path) -> None:
    before = waiting_hints(site.celery, "builtin")
    send(client, clip, "filename=bars.mp4&window_hop=2")
    assert waiting_hints(site.celery, "builtin") == before + 3


def test_a_broker_that_is_down_costs_no_upload(build_app: BuildApp, clip: Path) -> None:
    app = build_app(redis_url="redis://127.0.0.1:1/0")  # nothing listens there
    assert send(app.test_client(), clip).status_code == 201
    assert count(site_of(app), Job) == 1


def test_the_same_content_is_stored_once(client: FlaskClient, site: Site, clip: Path) -> None:
    first = send(client, clip).get_json()
    second = send_form(client, clip, "again.mp4").get_json()
    assert first["id"] != second["id"]
    assert first["video"]["id"] == second["video"]["id"]
    assert files_in(site) == [(site.media.root / site.media.video(first["video"]["id"]))]
    assert held(site) == []


def test_uploads_of_the_same_content_at_the_same_moment_share_one_file(
    app: Flask, site: Site, clip: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(app.test_client(), clip), range(4)))
    assert [answer.text for answer in answers if answer.status_code != 201] == []
    assert len({answer.get_json()["video"]["id"] for answer in answers}) == 1
    assert (count(site, Job), count(site, Video), len(files_in(site))) == (4, 1, 1)


def test_an_upload_whose_process_was_taken_for_dead_begins_anew(
    client: FlaskClient, site: Site, clip: Path, database_url: str
) -> None:
    """As one is that was frozen: while its file lay among the videos, and had no row yet."""
    elsewhere = open_store(database_url)
    sweep = Sweep(elsewhere, site.celery, site.media, 64)
    removed: list[str] = []

    def look(*_: object) -> None:
        if not removed and (found := site.media.stored_videos()):
            removed.extend(found)
            with elsewhere.write() as session:
                session.execute(update(Upload).values(until_ms=0))
            sweep.lost_work()
            assert site.media.stored_videos() == set()

    event.listen(Session, "after_begin", look)
    try:
        answer = send(client, clip)
    finally:
        event.remove(Session, "after_begin", look)
    elsewhere.engine.dispose()
    assert answer.status_code == 201
    video_id = answer.get_json()["video"]["id"]
    assert removed not in ([], [video_id])
    assert files_in(site) == [site.media.root / site.media.video(video_id)]
    assert (count(site, Job), held(site)) == (1, [])


def test_an_upload_in_one_request_is_nobody_elses_to_go_on_with(
    client: FlaskClient, site: Site, clip: Path
) -> None:
    upload_id, wish = new_id(), Wish("x.mp4", default_parameters(), 0)
    begin_held(site, upload_id, clip.stat().st_size, wish)
    site.media.keep(clip, upload_id, stays=True)
    assert client.get("/api/uploads").get_json()["uploads"] == []
    finish_whole_uploads(site)
    assert (count(site, Job), held(site)) == (0, [upload_id])


def test_a_file_stays_in_hand_however_long_a_storage_takes_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.holding, "_EVERY_S", 0.05)
    upload_id = new_id()
    begin_held(site, upload_id, 1, Wish("x.mp4", default_parameters(), 0))

    def until_ms() -> int:
        with site.store.read() as session:
            return session.get_one(Upload, upload_id).until_ms

    with holding(site, upload_id):
        before = until_ms()
        wait_for(lambda: until_ms() > before, "a word of it")


def held(site: Site) -> list[str]:
    with site.store.read() as session:
        return list(session.scalars(select(Upload.id).where(Upload.holder.is_not(None))))


def test_an_upload_mends_a_stored_file_that_is_gone(
    client: FlaskClient, site: Site, clip: Path
) -> None:
    video_id = send(client, clip).get_json()["video"]["id"]
    (site.media.root / site.media.video(video_id)).unlink()
    assert send(client, clip).get_json()["video"]["id"] == video_id
    assert (site.media.root / site.media.video(video_id)).read_bytes() == clip.read_bytes()


def test_a_form_that_breaks_off_leaves_nothing(client: FlaskClient, site: Site) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.mp4"\r\n\r\nonly the begi'
    )
    answer = client.post("/api/jobs", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["kind"] == "invalid"
    assert_nothing_is_left(site)


@pytest.mark.parametrize("content", [b"", b"<html>not a video</html>", b"\0" * 5000])
def test_what_is_no_video_is_refused_and_gone(
    client: FlaskClient, site: Site, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    answer = send(client, path, "filename=bad.mp4")
    assert answer.status_code in (415, 422)
    error = answer.get_json()["error"]
    assert error["kind"] in ("bad-file", "unsupported", "no-video")
    assert "bad.mp4" in error["message"]
    assert ("0 bytes" in error["message"]) == (content == b"")
    assert_nothing_is_left(site)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("capture_fps=0", "Samples per second must be"),
        ("frames_per_inference=many", "not 'many'"),
        ("capture_fsp=3", "no parameter called 'capture_fsp'"),
        ("priority=11", "Priority must be"),
        ("priority=high", "Priority must be"),
        ("commentator=oracle", "no commentator called 'oracle'"),
    ],
)
def test_wrong_parameters_are_named_and_leave_nothing(
    client: FlaskClient, site: Site, clip: Path, query: str, words: str
) -> None:
    answer = send(client, clip, f"filename=bars.mp4&{query}")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["kind"] == "invalid"
    assert words in answer.get_json()["error"]["message"]
    assert_nothing_is_left(site)


def test_a_form_without_a_file_is_refused(client: FlaskClient, site: Site) -> None:
    answer = client.post("/api/jobs", data={"priority": "1"}, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "field `file`" in answer.get_json()["error"]["message"]
    assert_nothing_is_left(site)


def test_a_file_that_is_announced_too_large_is_not_read(build_app: BuildApp, clip: Path) -> None:
    app = build_app(max_upload_bytes=1000)
    unread = io.BytesIO(b"x" * 5_000_000)
    answer = app.test_client().post(
        "/api/jobs?filename=big.mp4", input_stream=unread, content_length=5_000_000
    )
    assert answer.status_code == 413
    assert answer.get_json()["error"]["kind"] == "too-large"
    assert unread.tell() == 0
    assert_nothing_is_left(site_of(app))


def test_a_file_that_turns_out_too_large_leaves_nothing(build_app: BuildApp, clip: Path) -> None:
    app = build_app(max_upload_bytes=1000)
    answer = send(app.test_client(), clip)
    assert answer.status_code == 413
    assert "MAX_UPLOAD_BYTES" in answer.get_json()["error"]["message"]
    assert_nothing_is_left(site_of(app))


def test_a_file_larger_than_the_free_disk_is_refused_unread(build_app: BuildApp) -> None:
    app = build_app(max_upload_bytes=2**60)
    unread = io.BytesIO(b"x")
    announced = {"CONTENT_LENGTH": str(2**59)}
    answer = app.test_client().post("/api/jobs", input_stream=unread, environ_overrides=announced)
    assert answer.status_code == 507
    assert answer.get_json()["error"]["kind"] == "disk-full"
    assert unread.tell() == 0


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\cat.avi", "cat.avi"),
        ("a\x00b\r\nc\x1b[2J.mp4", "abc[2J.mp4"),
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
        ("кот 猫 🎬.mp4", "кот 猫 🎬.mp4"),
        ("x" * 400, "x" * 255),
        ("\x01\x02", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_a_name_stays_the_persons_text_but_is_never_a_path(
    client: FlaskClient, site: Site, clip: Path, name: str, kept: str
) -> None:
    with clip.open("rb") as file:
        answer = client.post(
            "/api/jobs",
            query_string={"filename": name},
            input_stream=file,
            content_length=clip.stat().st_size,
        )
    assert answer.status_code == 201
    assert answer.get_json()["filename"] == kept
    assert files_in(site) == [
        (site.media.root / site.media.video(answer.get_json()["video"]["id"]))
    ]


def test_a_name_of_broken_utf8_is_taken_as_far_as_it_reads(client: FlaskClient, clip: Path) -> None:
    answer = send(client, clip, "filename=caf%E9.mp4")
    assert answer.status_code == 201
    assert answer.get_json()["filename"] == "caf%E9.mp4"


def test_a_real_clip_is_accepted(client: FlaskClient, media: Path) -> None:
    answer = send(client, media / "bottles.mp4", "filename=bottles.mp4")
    video = answer.get_json()["video"]
    assert (video["width"], video["height"], video["codec"]) == (640, 360, "h264")
    assert answer.get_json()["windows_total"] == 10


def test_a_wrong_field_of_a_form_is_refused_before_the_file_is_read(
    client: FlaskClient, site: Site
) -> None:
    """The file never ends: whoever reads on to its end finds a broken form instead."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="frame_stride"\r\n\r\nmany\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.mp4"\r\n\r\n'
        + bytes(9999)
    )
    answer = client.post("/api/jobs", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 400
    assert "Frame stride must be a whole number" in answer.get_json()["error"]["message"]
    assert_nothing_is_left(site)


def test_a_form_may_name_its_file_in_a_field_of_its_own(client: FlaskClient, clip: Path) -> None:
    answer = send_form(client, clip, "mangled%22.mp4", filename='as "it" is\u2026.mp4')
    assert answer.get_json()["filename"] == 'as "it" is\u2026.mp4'


def test_a_long_prompt_fits_into_a_form(build_app: BuildApp, clip: Path) -> None:
    client = build_app(commentator="minicpm").test_client()
    wish = {"system_prompt": "犬" * 2000, "instruction": "🐕" * 500, "profile": "detailed"}
    parameters = send_form(client, clip, **wish).get_json()["parameters"]
    assert {name: parameters[name] for name in wish} == wish


def test_a_double_that_cannot_be_removed_now_costs_nobody_the_job(
    client: FlaskClient, site: Site, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job is committed by then: a refusal would have it sent again. The sweep removes what is left."""

    def away(_self: Folder, *_names: str) -> None:
        raise MediaAway("The object storage is away.")

    send(client, clip)
    with monkeypatch.context() as broken:
        broken.setattr(Folder, "remove", away)
        assert send(client, clip).status_code == 201
    assert count(site, Job) == 2
    sweep = Sweep(site.store, site.celery, site.media, 64)
    sweep.lost_work()
    assert len(site.media.stored_videos()) == 2  # it is still this process's
    with site.store.write() as session:
        session.execute(update(Upload).values(until_ms=0))
    sweep.lost_work()
    assert (len(site.media.stored_videos()), held(site)) == (1, [])
