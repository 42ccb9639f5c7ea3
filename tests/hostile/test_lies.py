"""A child that was taken over may say anything: its parent lives on and believes no nonsense."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from models.errors import AppError, InternalError
from web import probe as web_probe
from worker.video import process
from worker.video.decoder import Clock, Decoder
from worker.video.protocol import DONE, FAILURE, FRAME, HEADER, MILLISECONDS, PTS, TABLE, WINDOW

LIAR = "tests.hostile.lying_child"
FACTS = {
    "container": "mp4", "codec": "h264", "stream_index": 0, "width": 4, "height": 4, "time_base": "1/25",
    "origin_pts": 0, "last_pts": 9, "end_pts": 10, "frame_count": 10, "has_audio": False, "mime_type": "",
    "warnings": [],
}  # fmt: skip
PICTURE = 4 * 4 * 3

ANSWERS = {
    "nothing": b"",
    "no JSON": b"\xff\x00{",
    "a list": b"[1]",
    "no facts": b"{}",
    "facts of other types": json.dumps({"facts": {**FACTS, "width": "4"}}).encode(),
    "a fact too few": json.dumps({"facts": {"width": 4}}).encode(),
    "an unknown kind": json.dumps({"failure": {"kind": "x", "text": "y"}}).encode(),
    "a failure that is none": json.dumps({"failure": 7}).encode(),
    "two megabytes": b" " * (2 << 20),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_the_probes_parent(answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_probe, "PROGRAM", LIAR)
    path = tmp_path / "a.mp4"
    path.write_bytes(answer)
    with pytest.raises(InternalError, match=r"^a\.mp4 could not be read"):
        web_probe.probe(path, "a.mp4")


def test_the_probes_parent_believes_what_is_honest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_probe, "PROGRAM", LIAR)
    path = tmp_path / "a.mp4"
    path.write_text(json.dumps({"facts": FACTS}))
    assert web_probe.probe(path, "a.mp4").frame_count == 10


def message(kind: bytes, payload: bytes) -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


frame = message(FRAME, PTS.pack(0) + b"\0" * PICTURE)
window = message(WINDOW, MILLISECONDS.pack(1.0))
table = message(TABLE, b"")
MESSAGES = {
    "nothing": b"",
    "an unknown kind": message(b"?", b""),
    "a frame too large": HEADER.pack(FRAME, 2**32 - 1),
    "frames without end": frame * 10_000,
    "done too early": message(DONE, b""),
    "a failure without reason": message(FAILURE, b"7"),
    "a failure of no kind": message(FAILURE, b'{"kind": "x", "text": "y"}'),
    "a table without end": HEADER.pack(TABLE, 2**32 - 1),
    "a failure without end": HEADER.pack(FAILURE, 2**32 - 1),
}


@pytest.mark.parametrize("first", [b"", table], ids=["at once", "after a table"])
@pytest.mark.parametrize("said", MESSAGES.values(), ids=MESSAGES)
def test_the_decoders_parent(
    first: bytes, said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PROGRAM", LIAR)
    path = tmp_path / "a.mp4"
    path.write_bytes(first + said)
    decoder = Decoder(window_seconds=20)
    with pytest.raises(AppError) as caught:
        list(
            decoder.sample(
                path, Clock(0, Fraction(1), 0, 9), [[Fraction(0)] * 2], Fraction(1), (4, 4)
            )
        )
    assert caught.value.kind in ("internal", "worker-lost")
    assert decoder.child_pid is None


def test_the_decoders_parent_believes_what_is_honest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PROGRAM", LIAR)
    path = tmp_path / "a.mp4"
    path.write_bytes(table + frame + window + message(DONE, b""))
    decoder = Decoder()
    times = [[Fraction(0)] * 2]
    (sampled,) = decoder.sample(path, Clock(0, Fraction(1), 0, 9), times, Fraction(1), (4, 4))
    decoder.close()
    assert len(sampled.frames) == 1
