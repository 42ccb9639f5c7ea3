"""Thumbnails of many windows in one picture, so that a list or a seek bar asks once and not a hundred times.

A sheet is put together from the stills when somebody looks at it: a job that nobody opens costs
nothing, and it doesn't matter in which order the windows were commented. Stills are our own JPEGs, made from
decoded pictures, so they are read without a child process.
"""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from PIL import Image

from models.errors import NotFound
from models.media import Media
from models.tables import Job, Video

COLUMNS = ROWS = 10
_BOX = (160, 90)  # pixels within which a thumbnail fits
_SMALLEST = 16
_QUALITY = 70
_READERS = 8  # of stills, which may lie at the other end of a network

_one_at_a_time = threading.Lock()  # a tenth of a second of the processor each


def tile_size(video: Video) -> tuple[int, int]:
    """Return (width, height) of a thumbnail, of the video's shape where that isn't extreme."""
    share = min(_BOX[0] / video.width, _BOX[1] / video.height)
    return (
        max(round(video.width * share), _SMALLEST),
        max(round(video.height * share), _SMALLEST),
    )


def sheet(media: Media, job: Job, number: int) -> str:
    """Return the name of a sheet with the stills that there are, made anew when there are more.

    Raises NotFound, DiskFull, StoreBusy.
    """
    first = number * COLUMNS * ROWS
    windows = range(first, min(first + COLUMNS * ROWS, job.window_count))
    stored = media.storage.existing([media.still(job.id, window) for window in windows])
    there = [window for window in windows if media.still(job.id, window) in stored]
    if not there:
        raise NotFound("There are no pictures of these windows yet.")
    name = media.sheet(job.id, number, len(there))
    if not media.storage.existing([name]):
        stills = list(_stills(media, job, there))
        with _one_at_a_time:
            picture = _put_together(job, first, there, stills)
        media.storage.put(name, picture)
        counts = range(1, COLUMNS * ROWS + 1)
        sheets = media.storage.existing([media.sheet(job.id, number, n) for n in counts])
        media.storage.remove(*(sheets - {name}))
    return name


def _put_together(job: Job, first: int, windows: list[int], stills: list[bytes]) -> bytes:
    width, height = tile_size(job.video)
    rows = (windows[-1] - first) // COLUMNS + 1
    picture = Image.new("RGB", (COLUMNS * width, rows * height))
    for window, jpeg in zip(windows, stills, strict=True):
        row, column = divmod(window - first, COLUMNS)
        picture.paste(_tile(jpeg, (width, height)), (column * width, row * height))
    out = BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _stills(media: Media, job: Job, windows: list[int]) -> Iterable[bytes]:
    def read(window: int) -> bytes:
        try:
            return media.storage.read(media.still(job.id, window))
        except FileNotFoundError:  # gone just now
            return b""

    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(read, windows)


def _tile(jpeg: bytes, size: tuple[int, int]) -> Image.Image:
    try:
        with Image.open(BytesIO(jpeg), formats=["JPEG"]) as still:
            still.draft("RGB", size)  # decodes at a half, a quarter or an eighth
            return still.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    except OSError:  # none, or torn by a disk that was full
        return Image.new("RGB", size)
