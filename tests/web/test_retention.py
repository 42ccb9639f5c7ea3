"""What people and programs see of a video that the server's retention removed."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from models.errors import CommentatorFailed
from models.tables import Job
from tests.web.commenting import comment_windows, fail_next
from tests.web.requests import upload
from web.site import Site
from worker.sweep import Sweep

SENTENCE = "by the server's retention (setting KEEP_MEDIA_DAYS)"


def pass_days(site: Site, days: int) -> None:
    """Let time go by since every job's end, and sweep."""
    with site.store.write() as session:
        for job in session.query(Job).where(Job.finished_ms.is_not(None)):
            assert job.finished_ms is not None
            job.finished_ms -= days * 24 * 3600 * 1000
    Sweep(site.store, site.celery, site.media, 64, keep_media_days=30).old_media()


@pytest.fixture
def job_id(client: FlaskClient, site: Site, known_clip: Path) -> str:
    """Return a job that failed at its second window a day more than the server keeps media ago."""
    job = upload(client, known_clip, window_hop="2")
    comment_windows(site.store, site.media, job["id"], 1)
    fail_next(site.store, job["id"], CommentatorFailed("It broke."))
    pass_days(site, 31)
    return str(job["id"])


def test_the_api_says_so_and_keeps_what_was_said(client: FlaskClient, job_id: str) -> None:
    job = client.get(f"/api/jobs/{job_id}").get_json()
    video = job["video"]
    assert (video["url"], job["still"], video["removed_ms"] > 0) == (None, None, True)
    (said,) = client.get(job["links"]["segments"]).get_json()["segments"]
    assert (said["still"], said["text"] != "") == (None, True)
    for path in job["links"]["exports"].values():
        assert said["text"][:20] in client.get(path).text
    gone = client.get(f"/media/videos/{video['id']}")
    assert (gone.status_code, SENTENCE in gone.get_json()["error"]["message"]) == (404, True)
    for wish in ("retry", "runs", "playback"):
        refused = client.post(f"/api/jobs/{job_id}/{wish}", json={})
        assert (refused.status_code, SENTENCE in refused.get_json()["error"]["message"]) == (
            409,
            True,
        )
    assert client.get("/api/jobs").get_json()["counts"]["queued"] == 0


def test_a_copy_that_was_still_being_made_is_not_shown_and_goes_too(
    client: FlaskClient, site: Site, job_id: str
) -> None:
    video_id = client.get(f"/api/jobs/{job_id}").get_json()["video"]["id"]
    copy = site.media.root / site.media.playback(video_id)
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(b"pictures")
    assert SENTENCE in client.get(f"/media/playback/{video_id}.mp4").text
    pass_days(site, 0)
    assert not copy.exists()


def test_the_page_says_so_instead_of_a_player(client: FlaskClient, job_id: str) -> None:
    page = client.get(f"/jobs/{job_id}", headers={"Accept": "text/html"}).text
    assert SENTENCE in page.replace("&#39;", "'")
    assert "/media/videos/" not in page
    assert "Run again" not in page
    assert "goes on at the first missing window" not in page


def test_uploading_the_same_again_brings_it_back_for_both_jobs(
    client: FlaskClient, site: Site, known_clip: Path, job_id: str
) -> None:
    again = upload(client, known_clip)
    for job in (again, client.get(f"/api/jobs/{job_id}").get_json()):
        assert job["video"]["removed_ms"] is None
        assert client.get(job["video"]["url"]).data == known_clip.read_bytes()
        assert job["still"] is None  # the first one's are gone, the second one has none yet
    assert len(site.media.stored_videos()) == 1
    comment_windows(site.store, site.media, again["id"], 1)
    assert client.get(client.get(f"/api/jobs/{again['id']}").get_json()["still"]).status_code == 200
    run = client.post(f"/api/jobs/{job_id}/runs", json={"windows": "2"}).get_json()
    (taken,) = client.get(run["links"]["segments"]).get_json()["segments"]
    assert (taken["index"], taken["still"]) == (0, None)
    assert client.post(f"/api/jobs/{job_id}/retry").status_code == 200
    pass_days(site, 31)
    assert client.get(again["video"]["url"]).status_code == 200  # open jobs need it


def test_deleting_its_job_leaves_neither_file_nor_row(
    client: FlaskClient, site: Site, known_clip: Path, job_id: str
) -> None:
    assert client.delete(f"/api/jobs/{job_id}").status_code == 204
    assert site.media.stored_videos() | site.media.jobs_with_stills() == set()
    other = upload(client, known_clip)
    comment_windows(site.store, site.media, other["id"], 1)
    assert client.delete(f"/api/jobs/{other['id']}").status_code == 204
    assert site.media.stored_videos() | site.media.jobs_with_stills() == set()
