"""The spoken track: as long as the video, each comment at its time, none over the next."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import DiskFull, TooLarge, Unsupported
from tests.renders.making import render
from tests.security.nasty import NASTY
from web.renders.kinds import SPEECH

RATE = 22_050
LONG = "A person at the left picks up the green bottle, shakes it twice and puts it down again. "


def spoken(path: Path, comments: list[tuple[int, str]], **changes: Any) -> list[str]:
    request = {"format": "wav", "voice": "en-us", "duration_ms": 20_000, "comments": comments}
    return render(SPEECH, path, {**request, **changes})


def heard(path: Path) -> NDArray[np.int16]:
    with av.open(str(path)) as file:
        (stream,) = file.streams.audio
        assert (stream.rate, stream.codec_context.channels) == (RATE, 1)
        parts = [frame.to_ndarray().reshape(-1) for frame in file.decode(stream)]
    sound = np.concatenate(parts)
    return (sound if sound.dtype == np.int16 else sound * 32_767).astype(np.int16)


def spans(sound: NDArray[np.int16]) -> list[tuple[float, float]]:
    """Return where something is said, in seconds; pauses of half a second part."""
    loud = np.flatnonzero(np.abs(sound.astype(int)) > 300) / RATE
    breaks = np.flatnonzero(np.diff(loud) > 0.5)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return list(zip(starts, ends, strict=True))


@pytest.mark.parametrize("kind", ["wav", "m4a"])
def test_each_comment_is_spoken_at_its_time(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "track"
    notes = spoken(path, [(2000, "A dog runs in."), (9000, "It barks.")], format=kind)
    assert notes == []
    sound = heard(path)
    assert len(sound) / RATE == pytest.approx(20, abs=0.1)
    first, second = spans(sound)
    assert first[0] == pytest.approx(2, abs=0.15)
    assert 0.5 < first[1] - first[0] < 2
    assert second[0] == pytest.approx(9, abs=0.15)


def test_what_would_run_into_the_next_comment_is_spoken_faster(tmp_path: Path) -> None:
    spoken(tmp_path / "slow", [(0, LONG)])
    ((_, slow),) = spans(heard(tmp_path / "slow"))
    next_ms = int(slow * 700)  # 70 % of the time that it takes
    notes = spoken(tmp_path / "fast", [(0, LONG), (next_ms, "Stop."), (next_ms + 5000, "End.")])
    assert notes == ["1 of 3 comments are spoken faster, to end before the next one: at 0:00."]
    sound = heard(tmp_path / "fast")
    pause = sound[(next_ms - 100) * RATE // 1000 : next_ms * RATE // 1000]
    assert np.abs(pause.astype(int)).max() < 300


def test_what_does_not_fit_at_the_fastest_is_cut_at_a_sentence(tmp_path: Path) -> None:
    one, two = "A dog runs in.", "A dog runs in. " + LONG * 3
    spoken(tmp_path / "one", [(0, one)])
    notes = spoken(tmp_path / "two", [(0, two), (2500, "Next.")])
    assert notes == [
        "1 of 2 comments are cut, because there is no time to say all of them: at 0:00."
    ]
    (alone,) = spans(heard(tmp_path / "one"))
    first, second = spans(heard(tmp_path / "two"))
    assert first[1] <= alone[1]  # only the first sentence, faster
    assert second[0] == pytest.approx(2.5, abs=0.15)


def test_without_room_for_a_sentence_words_are_cut_and_without_any_all(tmp_path: Path) -> None:
    notes = spoken(tmp_path / "x", [(0, LONG * 5), (1500, LONG), (1600, "End.")])
    assert notes == [
        "2 of 3 comments are cut, because there is no time to say all of them: at 0:00, 0:01."
    ]
    sound = np.abs(heard(tmp_path / "x").astype(int))
    assert sound[:RATE].max() > 3000
    assert sound[RATE * 3 // 2 : RATE * 8 // 5].max() == 0
    assert sound[RATE * 8 // 5 : RATE * 2].max() > 3000


def test_hostile_text_is_words_to_the_voice(tmp_path: Path) -> None:
    texts = [text.encode(errors="replace").decode() for text in NASTY]
    texts += ["[[h@l'oU]]", "<speak><audio src='file:///etc/passwd'/></speak>", "Привет 狗 שלום 👍"]
    comments = [(2000 * place, text) for place, text in enumerate(texts)]
    spoken(tmp_path / "x", comments, duration_ms=2000 * len(texts))
    assert len(heard(tmp_path / "x")) == 2 * len(texts) * RATE


def test_nothing_said_is_silence(tmp_path: Path) -> None:
    assert spoken(tmp_path / "x", []) == []
    assert not heard(tmp_path / "x").any()


def test_a_language_without_a_voice_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        Unsupported, match=r"clip\.mp4 can't be spoken: there is no voice for '\.\./x'"
    ):
        spoken(tmp_path / "x", [(0, "x")], voice="../x")


def test_another_voice_says_it_otherwise(tmp_path: Path) -> None:
    for voice in ("en-us", "de"):
        spoken(tmp_path / voice, [(0, "Die Katze schläft.")], voice=voice)
    english, german = heard(tmp_path / "en-us"), heard(tmp_path / "de")
    assert not np.array_equal(english, german)


def test_a_full_disk_is_told() -> None:
    with pytest.raises(DiskFull, match=r"^clip\.mp4 can't be made: the server's disk is full"):
        spoken(Path("/dev/full"), [(0, "A dog runs in.")])


def test_a_track_never_grows_past_its_limit(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="larger than this server keeps"):
        spoken(tmp_path / "x", [(0, "A dog runs in.")], largest_file=2000)
    assert (tmp_path / "x").stat().st_size <= 2000
