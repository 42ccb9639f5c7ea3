"""Sheets of thumbnails, put together from the stills that there are."""

from io import BytesIO
from pathlib import Path

from flask.testing import FlaskClient
from PIL import Image

from tests.web.commenting import comment_windows
from tests.web.requests import upload
from web.site import Site

SECOND_WINDOWS = {"window_hop": "2", "frames_per_inference": "2", "frame_stride": "1"}


def test_a_sheet_holds_each_window_in_its_place_and_grows_with_them(
    client: FlaskClient, site: Site, known_clip: Path
) -> None:
    job = upload(client, known_clip, **SECOND_WINDOWS)
    shape = job["thumbnails"]
    url = shape["url"].replace("{sheet}", "0")
    assert client.get(url).status_code == 404
    comment_windows(site.store, site.media, job["id"], 2)
    first = Image.open(BytesIO(client.get(url).data))
    assert first.size == (shape["columns"] * shape["width"], shape["height"])
    comment_windows(site.store, site.media, job["id"], 4)
    sheet = Image.open(BytesIO(client.get(url).data)).convert("RGB")
    for window in range(6):
        still = Image.open(site.media.root / site.media.still(job["id"], window)).convert("RGB")
        place = ((20 + window * 12 + 30) // 2, 90 // 2)  # in the middle of its box
        shown = sheet.getpixel((window * shape["width"] + place[0], place[1]))
        meant = still.getpixel((place[0] * 2, place[1] * 2))
        assert isinstance(shown, tuple)
        assert isinstance(meant, tuple)
        assert max(abs(a - b) for a, b in zip(shown, meant, strict=True)) < 20
    sheets = list((site.media.root / "stills" / job["id"]).glob("sheet-*"))
    assert [path.name for path in sheets] == ["sheet-0-6.jpg"]


def test_there_is_no_sheet_beyond_the_last_window(client: FlaskClient, known_clip: Path) -> None:
    job = upload(client, known_clip)
    for number in (1, 10**30):
        assert client.get(f"/media/sheets/{job['id']}/{number}.jpg").status_code == 404
