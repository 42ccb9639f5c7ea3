"""Copies of videos that browsers can't play: made by a confined child, told of, bounded, deleted."""

import os
import time
from pathlib import Path
from typing import Any

import av
import pytest
from flask.testing import FlaskClient

from models.media import folder_media
from tests.web.clips import write_clip
from tests.web.conftest import BuildApp, site_of
from tests.web.requests import upload
from web.site import Site


@pytest.fixture(scope="module")
def old_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "old.avi", codec="mpeg4", seconds=3)


def made(client: FlaskClient, job: dict[str, Any]) -> dict[str, Any]:
    """Ask for a copy and wait until it is there, or until it is told why not."""
    address = f"/api/jobs/{job['id']}/playback"
    begun = client.post(address)
    assert begun.status_code == 202
    assert begun.get_json()["state"] != "none"
    for _ in range(600):
        answer: dict[str, Any] = client.get(address).json  # type: ignore[assignment]
        if answer["state"] in ("ready", "failed"):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"it takes too long: {answer}")


def test_a_copy_holds_the_same_pictures_at_the_same_times_and_its_sound(
    client: FlaskClient, media: Path, tmp_path: Path
) -> None:
    job = upload(client, media / "dog_576i_interlaced.mpg")
    assert client.get(f"/api/jobs/{job['id']}/playback").json == {
        "state": "none",
        "progress": 0.0,
        "message": None,
        "url": None,
    }
    answer = made(client, job)
    assert answer["state"] == "ready", answer
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(client.get(answer["url"]).data)
    with av.open(str(copy)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (1024, 576)  # square pixels now
        times = [float(frame.time or 0) for frame in container.decode(video)]
    assert times[0] == 0
    assert times[-1] == pytest.approx(job["video"]["duration_ms"] / 1000, abs=0.1)
    assert len(times) in range(149, 153)


def test_a_copy_comes_in_ranges_and_goes_with_its_video(
    client: FlaskClient, site: Site, old_clip: Path
) -> None:
    job = upload(client, old_clip)
    url = made(client, job)["url"]
    part = client.get(url, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.data, part.mimetype) == (206, b"ftyp", "video/mp4")
    etag = part.headers["ETag"]
    assert client.get(url, headers={"Range": "bytes=0-1"}).headers["ETag"] == etag
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert client.get(url).status_code == 404
    assert list((site.media.root / "playback").iterdir()) == []


def test_a_copy_that_grows_too_large_is_given_up_and_told(build_app: BuildApp, media: Path) -> None:
    app = build_app(playback_bytes=1 << 20)
    client = app.test_client()
    job = upload(client, media / "dog_576i_interlaced.mpg")
    answer = made(client, job)
    assert answer["state"] == "failed"
    assert "larger than this server keeps (PLAYBACK_BYTES)" in answer["message"]
    assert list((site_of(app).media.root / "incoming").iterdir()) == []
    assert not (site_of(app).media.root / site_of(app).media.playback(job["video"]["id"])).exists()


def test_a_server_that_makes_none_says_so(build_app: BuildApp, old_clip: Path) -> None:
    client = build_app(playback_bytes=0).test_client()
    job = upload(client, old_clip)
    answer = client.post(f"/api/jobs/{job['id']}/playback")
    assert answer.status_code == 409
    assert "PLAYBACK_BYTES" in answer.json["error"]["message"]  # type: ignore[index]


def test_the_copies_not_played_for_longest_give_way(tmp_path: Path) -> None:
    media = folder_media(tmp_path)
    for age, name in enumerate(("new", "older", "oldest")):
        part = tmp_path / name
        part.write_bytes(bytes(100))
        media.keep_playback(part, name, most_bytes=1000)
        os.utime(tmp_path / media.playback(name), (1000 - age, 0))
    part = tmp_path / "next"
    part.write_bytes(bytes(100))
    media.keep_playback(part, "next", most_bytes=300)
    kept = {path.stem for path in (tmp_path / "playback").iterdir()}
    assert kept == {"next", "new", "older"}
