"""A packet table is read once for all children, and never taken for that of another file."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from threading import Barrier

import pytest

from models.errors import BadFile
from tests.video.clips import HEIGHT, WIDTH, number_of, write_clip
from tests.video.conftest import clock_of, plan_of
from tests.video.test_media import GOOD
from web.probe import probe
from worker.video.decoder import Decoder, Sampled
from worker.video.footage import read_table
from worker.video.packets import PacketTable
from worker.video.source import Source
from worker.video.tables import Identity, SharedTables, pack, unpack

SECOND = Fraction(1)


class Readings:
    """Counts how often each file is read."""

    def __init__(self, table: bytes = b"table") -> None:
        self.count = 0
        self._table = table

    def __call__(self) -> bytes:
        self.count += 1
        return self._table


@pytest.fixture
def tables() -> SharedTables:
    return SharedTables()


@pytest.fixture
def pair(tables: SharedTables) -> Iterator[tuple[Decoder, Decoder]]:
    """Yield two decoders of one process."""
    decoders = (Decoder(tables=tables), Decoder(tables=tables))
    yield decoders
    for decoder in decoders:
        decoder.close()


def identity_of(path: Path, stream_index: int = 0) -> Identity:
    with path.open("rb") as file:
        return Identity.of(file.fileno(), stream_index)


def some_file(folder: Path, name: str, content: bytes = b"x") -> Identity:
    (folder / name).write_bytes(content)
    return identity_of(folder / name)


def table_of(path: Path, stream_index: int = 0) -> PacketTable:
    with path.open("rb") as file:
        return read_table(Source(file.fileno()), stream_index)


def windows_of(decoder: Decoder, clip: Path, indexes: range | None = None) -> list[Sampled]:
    facts = probe(clip, clip.name)
    plan = plan_of(facts)
    wanted = [plan.sample_times(index) for index in indexes or range(len(plan))]
    return list(decoder.sample(clip, clock_of(facts), wanted, SECOND, (64, 48)))


def shown(windows: list[Sampled]) -> list[list[tuple[int, bytes]]]:
    return [[(frame.pts, frame.picture.tobytes()) for frame in w.frames] for w in windows]


@pytest.mark.parametrize("name", GOOD)
def test_chunks_of_many_children_show_what_one_child_shows(
    media: Path, pair: tuple[Decoder, Decoder], name: str
) -> None:
    """The second child is given the table that the first has read, and works from the end."""
    first, second = pair
    whole = shown(windows_of(first, media / name))
    chunks = [range(start, min(start + 2, len(whole))) for start in range(0, len(whole), 2)]
    parts = [shown(windows_of(second, media / name, chunk)) for chunk in reversed(chunks)]
    assert [window for part in reversed(parts) for window in part] == whole


def test_a_second_child_uses_what_the_first_has_read(
    tables: SharedTables, pair: tuple[Decoder, Decoder], tmp_path: Path
) -> None:
    """Proven with the table of another file, which the second child finds out."""
    clip = write_clip(
        tmp_path / "clip.mkv", [i * 40 for i in range(150)], "mjpeg", pixel_format="yuvj420p"
    )
    other = write_clip(
        tmp_path / "other.mkv",
        [2000 + i * 40 for i in range(150)],
        "mjpeg",
        pixel_format="yuvj420p",
    )
    facts = probe(clip, clip.name)
    identity = identity_of(clip, facts.stream_index)
    tables.obtain(identity, lambda: pack(table_of(other, facts.stream_index)))
    times = [[Fraction(3)]]
    with pytest.raises(BadFile, match="changed while it was being read"):
        next(pair[1].sample(clip, clock_of(facts), times, SECOND, (WIDTH, HEIGHT)))


def test_a_file_that_was_replaced_is_read_again(
    pair: tuple[Decoder, Decoder], tmp_path: Path
) -> None:
    first, second = pair
    clip = write_clip(tmp_path / "clip.mp4", [i * 40 for i in range(150)])
    windows_of(first, clip)
    slower = write_clip(tmp_path / "slower.mp4", [i * 80 for i in range(150)])
    slower.replace(clip)
    facts = probe(clip, clip.name)
    for decoder in (first, second):
        sampled = decoder.sample(clip, clock_of(facts), [[Fraction(8)]], SECOND, (WIDTH, HEIGHT))
        assert number_of(next(sampled).frames[0].picture) == 100


def test_a_copy_under_another_name_is_another_file(tmp_path: Path) -> None:
    some_file(tmp_path, "a")
    shutil.copy2(tmp_path / "a", tmp_path / "b")
    assert identity_of(tmp_path / "a") != identity_of(tmp_path / "b")


def test_a_table_survives_its_journey(tmp_path: Path) -> None:
    options = {"bf": "2", "g": "25"}
    for name in ("clip.mp4", "clip.avi", "clip.ts"):
        clip = write_clip(tmp_path / name, [i * 40 for i in range(150)], options=options)
        table = table_of(clip)
        assert unpack(pack(table)) == table


@pytest.mark.parametrize("kept", [0, 10, 500, -1])
def test_a_torn_table_is_refused(tmp_path: Path, kept: int) -> None:
    table = pack(table_of(write_clip(tmp_path / "clip.mp4", list(range(0, 6000, 40)))))
    with pytest.raises(ValueError, match=r"packet table|Expecting value|Unterminated"):
        unpack(table[:kept])


def test_children_that_start_together_read_once(tables: SharedTables, tmp_path: Path) -> None:
    identity, readings, together = some_file(tmp_path, "a"), Readings(), Barrier(16)

    def obtain(_: int) -> bytes:
        together.wait()
        return tables.obtain(identity, readings)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(obtain, range(16))) == {b"table"}
    assert readings.count == 1


def test_after_a_failed_reading_the_next_one_tries(tables: SharedTables, tmp_path: Path) -> None:
    identity = some_file(tmp_path, "a")

    def fail() -> bytes:
        raise EOFError

    with pytest.raises(EOFError):
        tables.obtain(identity, fail)
    assert tables.obtain(identity, Readings(b"good")) == b"good"


def test_the_memory_of_shared_tables_is_bounded(tmp_path: Path) -> None:
    tables = SharedTables(most_bytes=10)
    small, other, large = (some_file(tmp_path, name) for name in ("small", "other", "large"))
    for identity, table in ((small, b"123456"), (other, b"123456"), (large, b"12345678901")):
        tables.obtain(identity, Readings(table))
    again = {identity: Readings() for identity in (small, other, large)}
    kept = {identity: tables.obtain(identity, again[identity]) for identity in (large, other)}
    assert kept == {large: b"", other: b"123456"}
    assert tables.obtain(small, again[small]) == b"table"
