"""Small files that would be huge, endless or countless if they were believed."""

import os
import resource
import socket
import struct
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from models.errors import FAILURES, AppError, InternalError
from models.facts import VideoFacts, duration_ms
from tests.hostile.mutations import write_bases
from tests.hostile.test_mutations import MEMORY_LIMIT, check_storable, sample_some
from web.probe import probe
from worker.video.decoder import Decoder
from worker.video.probe import LONGEST_SECONDS


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {path.name: path for path in write_bases(folder)}


def patched(base: Path, kind: bytes, change: Callable[[bytearray, int], None], to: Path) -> Path:
    """Change what stands in each box of a kind; `change` is told where its content begins."""
    content = bytearray(base.read_bytes())
    place = content.find(kind)
    assert place > 0
    while place > 0:
        change(content, place + 4)
        place = content.find(kind, place + 4)
    to.write_bytes(content)
    return to


def probed(path: Path) -> VideoFacts | AppError:
    """Return what the file holds, or the refusal, which must be one that a person can act on."""
    try:
        facts = probe(path, path.name)
    except AppError as refusal:
        return honest(refusal, path.name)
    check_storable(facts)
    decoder = Decoder()
    try:
        sample_some(decoder, path, facts)
    except AppError as refusal:
        return refusal
    finally:
        decoder.close()
    return facts


def honest(refusal: AppError, name: str) -> AppError:
    assert refusal.kind in FAILURES
    assert refusal.kind != InternalError.kind
    assert str(refusal).startswith(name)
    return refusal


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


def test_a_giant_picture_is_not_made(tmp_path: Path) -> None:
    """A hundred bytes that would unpack to a gigabyte."""
    tile = Image.new("L", (8, 8))
    path = tmp_path / "giant.gif"
    tile.save(path, "GIF", save_all=True, append_images=[Image.new("L", (8, 8), 9)], duration=40)
    content = bytearray(path.read_bytes())
    struct.pack_into("<HH", content, 6, 16_000, 16_000)
    path.write_bytes(content)
    refusal = probed(path)
    assert isinstance(refusal, AppError)
    assert refusal.kind == "too-large"
    assert "16000×16000" in str(refusal)
    assert peak() < MEMORY_LIMIT


def test_a_header_that_hides_how_large_its_pictures_are(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    def enlarge(content: bytearray, place: int) -> None:
        struct.pack_into(">HH", content, place + 24, 65_535, 65_535)  # of a sample entry

    path = patched(bases["plain.mp4"], b"avc1", enlarge, tmp_path / "giant.mp4")
    assert isinstance(probed(path), VideoFacts | AppError)
    assert peak() < MEMORY_LIMIT


def test_pictures_that_grow_in_the_middle(tmp_path: Path) -> None:
    """MJPEG says its size anew in each picture."""
    path = tmp_path / "grows.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        for number in range(8):
            frame = av.VideoFrame(64, 64, "yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    pictures = [i for i in range(len(content) - 9) if content[i : i + 2] == b"\xff\xc0"]
    for place in pictures[2:]:
        struct.pack_into(">HH", content, place + 5, 65_000, 65_000)
    path.write_bytes(content)
    assert isinstance(probed(path), VideoFacts)
    assert peak() < MEMORY_LIMIT


@pytest.mark.parametrize("kind", [b"mvhd", b"tkhd", b"mdhd"])
def test_an_endless_duration_is_not_believed(
    bases: dict[str, Path], tmp_path: Path, kind: bytes
) -> None:
    def prolong(content: bytearray, place: int) -> None:
        struct.pack_into(">I", content, place + (20 if kind == b"tkhd" else 16), 2**32 - 2)

    facts = probed(patched(bases["plain.mp4"], kind, prolong, tmp_path / "endless.mp4"))
    assert isinstance(facts, VideoFacts)
    assert duration_ms(facts) == 1000


def test_a_last_picture_that_stays_for_years_is_not_believed(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    def prolong(content: bytearray, place: int) -> None:
        struct.pack_into(">I", content, place + 12, 2**31 - 1)  # ticks that each picture stays

    result = probed(patched(bases["plain.mp4"], b"stts", prolong, tmp_path / "stays.mp4"))
    assert isinstance(result, AppError) or duration_ms(result) <= LONGEST_SECONDS * 1000


def test_a_crowd_of_streams_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "crowd.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for _ in range(100):
            stream = container.add_stream("mpeg4", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            streams.append(stream)
        for stream in streams:
            frame = av.VideoFrame(16, 16, "yuv420p")
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    refusal = probed(path)
    assert isinstance(refusal, AppError)
    assert refusal.kind == "too-large"
    assert "100 streams" in str(refusal)


def test_a_million_packets_are_read_within_the_limits(tmp_path: Path) -> None:
    """Each of them 8 bytes; written by hand, as no encoder would."""
    path = write_tiny_packets(tmp_path / "million.avi", 1_000_000)
    result = probed(path)
    assert isinstance(result, AppError)
    assert result.kind in ("bad-file", "timeout")
    assert peak() < MEMORY_LIMIT


def test_a_million_empty_packets_are_no_pictures(bases: dict[str, Path], tmp_path: Path) -> None:
    """Eight megabytes that promise eleven hours."""
    with av.open(str(bases["camera.avi"])) as container:
        first = bytes(next(packet for packet in container.demux(video=0) if packet.size))
    path = write_tiny_packets(tmp_path / "million.avi", 1_000_000, first=first, rest=b"")
    facts = probed(path)
    assert isinstance(facts, VideoFacts)
    assert facts.frame_count == 1
    assert "cut off" in facts.warnings[0]
    assert peak() < MEMORY_LIMIT


def write_tiny_packets(
    path: Path, count: int, first: bytes = b"", rest: bytes = b"\xff\xd8\xff\xd9\0\0\0\0"
) -> Path:
    """Write an AVI file whose MJPEG packets are these."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def listing(name: bytes, content: bytes) -> bytes:
        return chunk(b"LIST", name + content)

    main = struct.pack("<10I16x", 40_000, 0, 0, 0, count, 0, 1, 0, 176, 144)
    header = struct.pack(
        "<4s4sIHHIIIIIIII4H", b"vids", b"MJPG", 0, 0, 0, 0, 1, 25, 0, count, 0, 0, 0, 0, 0, 176, 144
    )
    picture = struct.pack("<IiiHH4sIiiII", 40, 176, 144, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    stream = listing(b"strl", chunk(b"strh", header) + chunk(b"strf", picture))
    packets = (chunk(b"00dc", first) if first else b"") + chunk(b"00dc", rest) * count
    body = listing(b"hdrl", chunk(b"avih", main) + stream) + listing(b"movi", packets)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body)
    return path


@pytest.mark.parametrize("kind", ["pipe", "device", "terminal", "socket", "folder", "loop", "proc"])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing.mp4"
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "terminal":
            path.symlink_to("/dev/ptmx")
        elif kind == "socket":
            server.bind(str(path))
        elif kind == "folder":
            path.mkdir()
        elif kind == "loop":
            path.symlink_to(path)
        else:
            path.symlink_to("/proc/self/mem")
        started = time.monotonic()
        refusal = probed(path)
    assert isinstance(refusal, AppError)
    assert refusal.kind == "bad-file"
    assert time.monotonic() - started < 60  # not stopped by its time limit
