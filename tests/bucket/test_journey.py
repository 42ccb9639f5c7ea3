"""The way of a video with web and worker on two hosts that share a store and a bucket, and no folder."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backup import back_up
from models.bucket import Bucket
from models.errors import MediaAway
from models.media import Media, open_media
from models.tables import Chunk, Job, JobState, Upload, Video
from tests.bucket.conftest import Hosts, keys_in, multiparts_in, names_in
from tests.web.conftest import site_of
from tests.web.requests import upload
from tests.web.test_tus import TUS, begin, offset_at, patch
from web import create_app
from web.intake import finish_whole_uploads
from worker.advance import advance

DAY_MS = 24 * 3600 * 1000


def local_files(media: Media) -> list[str]:
    return [path.name for path in media.root.rglob("*") if path.is_file()]


def test_the_way_of_a_video(hosts: Hosts, large_clip: Path) -> None:
    content, client = large_clip.read_bytes(), hosts.client
    job = upload(client, large_clip)
    video = job["video"]
    assert names_in(hosts.bucket) == [f"videos/{video['id']}"]
    assert local_files(site_of(hosts.app).media) == []  # what came in was only passing through

    hosts.comment(job["id"])
    told = client.get(job["links"]["self"]).get_json()
    assert (told["state"], told["windows_done"]) == ("done", told["windows_total"])
    cache = hosts.worker.media.storage
    assert isinstance(cache, Bucket)
    assert [path.name for path in cache.cache.folder.iterdir()] == [video["id"]]

    whole = client.get(video["url"])
    assert (whole.status_code, whole.data, whole.mimetype) == (200, content, "video/mp4")
    part = client.get(video["url"], headers={"Range": "bytes=9000000-9000099"})
    assert (part.status_code, part.data) == (206, content[9_000_000:9_000_100])
    assert part.headers["Content-Range"] == f"bytes 9000000-9000099/{len(content)}"
    tail = client.get(video["url"], headers={"Range": "bytes=-7"})
    assert (tail.status_code, tail.data) == (206, content[-7:])
    beyond = client.get(video["url"], headers={"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    tag = whole.headers["ETag"]
    assert client.get(video["url"], headers={"If-None-Match": tag}).status_code == 304

    still = client.get(told["still"])
    assert (still.status_code, still.data[:2]) == (200, b"\xff\xd8")
    sheet = client.get(told["thumbnails"]["url"].replace("{sheet}", "0"))
    assert (sheet.status_code, sheet.data[:2]) == (200, b"\xff\xd8")
    assert f"stills/{job['id']}/sheet-0-{told['windows_total']}.jpg" in names_in(hosts.bucket)
    document = json.loads(client.get(job["links"]["exports"]["json"]).text)
    assert len(document["segments"]) == told["windows_total"]

    again = client.post(f"/api/jobs/{job['id']}/runs", json={"windows": "0"}).get_json()
    copied = [name for name in names_in(hosts.bucket) if name.startswith(f"stills/{again['id']}/")]
    assert len(copied) == told["windows_total"] - 1
    client.delete(again["links"]["self"])
    assert client.get(video["url"]).status_code == 200
    client.delete(job["links"]["self"])
    assert keys_in(hosts.bucket) == []


def test_an_upload_in_pieces_goes_on_after_its_server_has_died(
    hosts: Hosts, large_clip: Path
) -> None:
    content = large_clip.read_bytes()
    answer = begin(hosts.client, len(content), filename="large.mp4")
    url = answer.headers["Location"]
    assert patch(hosts.client, url, 0, content[:100_000]).status_code == 204
    place = 9 * 2**20
    assert patch(hosts.client, url, 100_000, content[100_000:place]).status_code == 204
    other = create_app(replace(hosts.settings, data_dir=hosts.settings.data_dir / "new"))
    client = other.test_client()  # a server that has nothing of the first one's disk
    assert offset_at(client, url) == place
    assert patch(client, url, place - 1, content[place - 1 :]).status_code == 409
    whole = patch(client, url, place, content[place:])
    job_id = whole.headers["Reelnotes-Job"]
    assert names_in(hosts.bucket) == [f"videos/{hosts.job(job_id).video_id}"]
    hosts.comment(job_id)
    assert hosts.job(job_id).state is JobState.DONE
    site_of(other).store.engine.dispose()


def test_an_upload_that_was_whole_when_its_server_died_becomes_a_job(
    hosts: Hosts, clip: Path
) -> None:
    content, arrivals = clip.read_bytes(), hosts.bucket.arrivals
    url = begin(hosts.client, len(content), filename="large.mp4").headers["Location"]
    upload_id = url.rsplit("/", 1)[1]
    with arrivals.opened(upload_id, len(content)) as arriving:  # as if the last answer were lost
        arriving.append(0, content)
        arriving.hand_on()
    finish_whole_uploads(site_of(hosts.app))
    with hosts.store.read() as session:
        assert session.get_one(Upload, upload_id).job_id is not None
    assert names_in(hosts.bucket) == [f"videos/{upload_id}"]


def test_what_is_no_video_leaves_nothing(hosts: Hosts) -> None:
    words = b"<html>not a video</html>"
    for kind in ("whole", "pieces"):
        if kind == "whole":
            answer = hosts.client.post("/api/jobs?filename=x.mp4", data=words)
        else:
            url = begin(hosts.client, len(words), filename="x.mp4").headers["Location"]
            answer = patch(hosts.client, url, 0, words)
        assert answer.status_code in (415, 422)
    assert keys_in(hosts.bucket) == []
    assert begin(hosts.client, 0, filename="empty.mp4").status_code == 422
    assert keys_in(hosts.bucket) == []


def test_an_upload_that_is_given_up_leaves_nothing(hosts: Hosts, clip: Path) -> None:
    content = clip.read_bytes()
    url = begin(hosts.client, len(content), filename="x.mp4").headers["Location"]
    patch(hosts.client, url, 0, content[:1000])
    assert hosts.client.delete(url, headers=TUS).status_code == 204
    assert keys_in(hosts.bucket) == []
    assert multiparts_in(hosts.bucket) == []


def test_the_same_content_is_stored_once_and_mends_what_was_lost(hosts: Hosts, clip: Path) -> None:
    first = upload(hosts.client, clip)
    second = upload(hosts.client, clip)
    name = f"videos/{first['video']['id']}"
    assert second["video"]["id"] == first["video"]["id"]
    assert names_in(hosts.bucket) == [name]
    hosts.bucket.put(name, b"spoilt")
    hosts.comment(first["id"])
    failed = hosts.client.get(first["links"]["self"]).get_json()
    assert failed["state"] == "failed"
    assert failed["failure"]["kind"] == "bad-file"
    assert "Upload the same file again" in failed["failure"]["message"]
    upload(hosts.client, clip)
    assert hosts.client.post(f"/api/jobs/{first['id']}/retry").status_code == 200
    hosts.comment(first["id"])
    assert hosts.job(first["id"]).state is JobState.DONE


def test_storage_that_is_away_is_told_and_loses_nothing(hosts: Hosts, clip: Path) -> None:
    job = upload(hosts.client, clip)
    url = begin(hosts.client, 100, filename="x.mp4").headers["Location"]
    hosts.line.cut()
    answers = [
        hosts.client.post("/api/jobs?filename=x.mp4", data=clip.read_bytes() + b"other"),
        begin(hosts.client, 100, filename="y.mp4"),
        patch(hosts.client, url, 0, b"x"),
        hosts.client.get(job["video"]["url"]),
    ]
    for answer in answers:
        assert answer.status_code == 503, answer.text
        error = answer.get_json()["error"]
        assert error["kind"] == "unavailable"
        assert "object storage" in error["message"]
    assert not advance(hosts.worker, job["id"], hosts.job(job["id"]).hint_epoch)
    with hosts.store.read() as session:  # no attempt of the video's
        held = session.execute(select(Chunk.owner, Chunk.attempts)).all()
    assert {tuple(row) for row in held} == {(None, 0)}
    with pytest.raises(MediaAway):
        site_of(hosts.app).media.check()
    hosts.line.mend()
    site_of(hosts.app).media.check()
    hosts.comment(job["id"])
    assert hosts.job(job["id"]).state is JobState.DONE


def test_a_computed_window_waits_for_the_storage_of_its_picture(hosts: Hosts, clip: Path) -> None:
    job = upload(hosts.client, clip)
    cut = threading.Event()

    def before(_: object) -> None:
        if not cut.is_set():
            cut.set()
            hosts.line.cut()
            threading.Timer(3.0, hosts.line.mend).start()

    hosts.worker.commentator.before = before  # type: ignore[attr-defined]
    hosts.comment(job["id"])
    assert hosts.job(job["id"]).state is JobState.DONE
    seen = hosts.worker.commentator.seen  # type: ignore[attr-defined]
    assert sorted(seen) == sorted(set(seen))  # nothing was computed twice
    assert hosts.bucket.existing([f"stills/{job['id']}/0.jpg"])


def test_a_download_that_breaks_off_goes_on(hosts: Hosts, clip: Path) -> None:
    job = upload(hosts.client, clip)
    hosts.line.break_after = clip.stat().st_size // 2
    hosts.comment(job["id"])
    assert hosts.line.breaks == 1
    assert hosts.job(job["id"]).state is JobState.DONE


def test_retention_and_orphans_leave_others_objects_alone(hosts: Hosts, clip: Path) -> None:
    client, name = hosts.bucket.client, hosts.bucket.bucket
    foreign = ["videos/theirs", "ours/videos/theirs", "ours/reelnotes2/videos/x"]
    for key in foreign:
        client.put_object(Bucket=name, Key=key, Body=b"x")
    theirs = client.create_multipart_upload(Bucket=name, Key="videos/big")["UploadId"]
    job = upload(hosts.client, clip)
    hosts.comment(job["id"])
    hosts.bucket.put("videos/unknown", b"x")
    hosts.bucket.put("stills/unknown/0.jpg", b"x")
    url = begin(hosts.client, 100, filename="x.mp4").headers["Location"]
    patch(hosts.client, url, 0, b"x" * 40)

    hosts.sweep().orphans()  # too young
    assert {"videos/unknown", "stills/unknown/0.jpg"} <= set(names_in(hosts.bucket))
    with hosts.store.read() as session:
        known = session.scalars(select(Video.id)).all(), session.scalars(select(Job.id)).all()
    client.create_multipart_upload(Bucket=name, Key=hosts.bucket.key("videos/killed"))
    upload_id = url.rsplit("/", 1)[1]
    media = open_media(hosts.settings)
    assert media.remove_orphans(*known, [upload_id], age_s=-60) == 3
    left = [key for key in keys_in(hosts.bucket) if key not in foreign]
    assert not any("unknown" in key for key in left)
    still_open = {hosts.bucket.key(f"videos/{upload_id}"), "videos/big"}
    assert set(multiparts_in(hosts.bucket)) == still_open
    assert offset_at(hosts.client, url) == 40
    client.abort_multipart_upload(Bucket=name, Key="videos/big", UploadId=theirs)

    with hosts.store.write() as session:
        session.execute(update(Job).values(finished_ms=Job.finished_ms - 2 * DAY_MS))
    hosts.sweep(keep_media_days=1).old_media()
    assert not any(job["id"] in key or job["video"]["id"] in key for key in keys_in(hosts.bucket))
    assert set(foreign) <= set(keys_in(hosts.bucket))
    assert hosts.client.get(job["video"]["url"]).status_code == 404
    upload(hosts.client, clip)  # brings it back
    assert hosts.client.get(job["video"]["url"]).status_code == 200


def test_a_copy_for_playing_and_a_render_are_made_of_stored_videos(
    hosts: Hosts, clip: Path
) -> None:
    job = upload(hosts.client, clip)
    hosts.comment(job["id"])
    made: Any = None
    hosts.client.post(f"/api/jobs/{job['id']}/playback")
    for _ in range(600):
        made = hosts.client.get(f"/api/jobs/{job['id']}/playback").get_json()
        if made["state"] in ("ready", "failed"):
            break
        threading.Event().wait(0.1)
    assert made["state"] == "ready", made
    copy = hosts.client.get(made["url"], headers={"Range": "bytes=4-7"})
    assert (copy.status_code, copy.data) == (206, b"ftyp")
    address = f"/api/jobs/{job['id']}/renders/mp4"
    hosts.client.post(address)
    for _ in range(600):
        made = hosts.client.get(address).get_json()
        if made["state"] in ("ready", "failed"):
            break
        threading.Event().wait(0.1)
    assert made["state"] == "ready", made
    saved = hosts.client.get(made["url"])
    assert (saved.status_code, saved.data[4:8]) == (200, b"ftyp")
    assert "attachment" in saved.headers["Content-Disposition"]
    hosts.client.delete(job["links"]["self"])
    assert keys_in(hosts.bucket) == []


def test_a_backup_holds_the_rows_and_says_where_the_videos_stay(
    hosts: Hosts, clip: Path, tmp_path: Path
) -> None:
    job = upload(hosts.client, clip)
    copied = back_up(hosts.settings, tmp_path / "backup")
    assert (copied.left_at, copied.missing) == (hosts.settings.media_url, 0)
    assert not (tmp_path / "backup" / "media").exists()
    hosts.bucket.remove(f"videos/{job['video']['id']}")
    assert back_up(hosts.settings, tmp_path / "backup").missing == 1
