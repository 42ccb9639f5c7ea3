"""A packet table comes from a child that its file may have taken over: the others believe nothing of it."""

import json
from array import array
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from models.errors import AppError
from tests.video.clips import HEIGHT, WIDTH, number_of, write_clip
from tests.video.conftest import clock_of
from web.probe import probe
from worker.video import process
from worker.video.decoder import Decoder
from worker.video.packets import PacketTable
from worker.video.protocol import HEADER, TABLE
from worker.video.tables import Identity, SharedTables, pack, unpack

GOOD = PacketTable(
    time_base=Fraction(1, 25),
    pts=array("q", [0, 2, 1, 3]),
    raw_pts=array("q", [0, 2, 1, 3]),
    position=array("q", [40, 50, 60, 70]),
    size=array("q", [10, 10, 10, 10]),
    key=b"\1\0\0\0",
    order=array("q", [0, 2, 1, 3]),
    times=array("q", [0, 1, 2, 3]),
    interval=1,
    last_duration=0,
    ordered=True,
)
HEAD, COLUMNS = pack(GOOD).split(b"\n", 1)


def column(*values: int) -> "array[int]":
    return array("q", values)


def headed(place: int, value: object) -> bytes:
    """Return the good table with another value in its head."""
    head = json.loads(HEAD)
    head[place] = value
    return json.dumps(head).encode() + b"\n" + COLUMNS


LIES = {
    "nothing": b"",
    "no end of the head": b"[" * 1_000_000,
    "brackets": b"[" * 200 + b"\n",
    "no JSON": b"\xff\n",
    "no list": b"{}\n",
    "a short head": b"[1]\n",
    "a time base of 0": headed(0, 0),
    "a time base that is divided by 0": headed(1, 0),
    "a time base in words": headed(1, "1e999999999"),
    "an interval of 0": headed(2, 0),
    "a duration that is no number": headed(3, float("nan")),
    "a number of many digits": headed(3, 10**100),
    "ordered, and how": headed(4, 2),
    "ordered as a word": headed(4, True),
    "fewer packets than none": headed(5, -1),
    "more packets than come": headed(5, 5),
    "more packets than a file may have": headed(5, 1 << 40),
    "more pictures than packets": headed(6, 5) + b"\0" * 8,
    "fewer pictures than come": headed(6, 3),
    "a byte too many": pack(GOOD) + b"\0",
    "a byte too few": pack(GOOD)[:-1],
    "a key that is none": pack(replace(GOOD, key=b"\1\2\0\0")),
    "a negative size": pack(replace(GOOD, size=column(10, -1, 10, 10))),
    "a place before the file": pack(replace(GOOD, position=column(40, -2, 60, 70))),
    "a picture of no packet": pack(replace(GOOD, order=column(0, 2, 1, 4))),
    "a picture of a packet before the first": pack(replace(GOOD, order=column(-1, 0, 2, 1))),
    "a picture twice": pack(replace(GOOD, order=column(0, 2, 2, 3))),
    "pictures out of order": pack(replace(GOOD, order=column(0, 1, 2, 3))),
    "equal times out of order": pack(
        replace(GOOD, pts=column(0, 1, 1, 3), order=column(0, 2, 1, 3))
    ),
}  # fmt: skip


def test_an_honest_table_is_believed() -> None:
    assert unpack(pack(GOOD)) == GOOD


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_table_that_is_not_sound_is_refused(lie: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (of JSON, of Unicode, or ours)
        unpack(lie)


def test_what_is_not_refused_leads_nowhere_else() -> None:
    random = Random(1)
    for _ in range(3000):
        packed = bytearray(pack(GOOD))
        for _ in range(random.randint(1, 3)):
            packed[random.randrange(len(packed))] = random.randrange(256)
        try:
            table = unpack(bytes(packed))
        except ValueError:
            continue
        assert set(table.order) <= set(range(len(table)))
        assert list(table.times) == sorted(table.times)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", [i * 40 for i in range(150)])


@pytest.fixture
def tables() -> SharedTables:
    return SharedTables()


@pytest.fixture
def decoder(tables: SharedTables) -> Iterator[Decoder]:
    decoder = Decoder(window_seconds=20, tables=tables)
    yield decoder
    decoder.close()


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_child_that_is_given_a_lie_reads_the_file_itself(
    lie: bytes, clip: Path, tables: SharedTables, decoder: Decoder
) -> None:
    facts = probe(clip, clip.name)
    with clip.open("rb") as file:
        tables.obtain(Identity.of(file.fileno(), facts.stream_index), lambda: lie)
    times = [[Fraction(3)]]
    (window,) = decoder.sample(clip, clock_of(facts), times, Fraction(1), (WIDTH, HEIGHT))
    assert number_of(window.frames[0].picture) == 75


def test_one_files_liar_is_not_heard_about_another(
    clip: Path,
    tmp_path: Path,
    tables: SharedTables,
    decoder: Decoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = probe(clip, clip.name)
    liar = tmp_path / "liar.mp4"
    liar.write_bytes(HEADER.pack(TABLE, len(pack(GOOD))) + pack(GOOD))
    clock, times = clock_of(facts), [[Fraction(3)]]
    with monkeypatch.context() as patched:
        patched.setattr(process, "PROGRAM", "tests.hostile.lying_child")
        with pytest.raises(AppError):
            list(Decoder(20, tables).sample(liar, clock, times, Fraction(1), (WIDTH, HEIGHT)))
    (window,) = decoder.sample(clip, clock, times, Fraction(1), (WIDTH, HEIGHT))
    assert number_of(window.frames[0].picture) == 75
