"""What every storage does, the folder and the bucket alike."""

import hashlib
import time
from pathlib import Path

import pytest

from models.errors import Conflict, NotFound, TooLarge
from models.scratch import Scratch
from models.storage import Storage
from tests.bucket.server import LISTED_AT_ONCE


def test_what_is_put_is_read_listed_and_removed(storage: Storage) -> None:
    storage.check()
    storage.put("stills/a/0.jpg", b"one")
    storage.put("stills/a/1.jpg", b"two")
    storage.put("stills/ab/0.jpg", b"other job")
    assert storage.read("stills/a/0.jpg") == b"one"
    assert storage.existing([f"stills/a/{n}.jpg" for n in range(9)]) == {
        "stills/a/0.jpg", "stills/a/1.jpg",
    }  # fmt: skip
    assert storage.existing(["stills/a/1.jpg"]) == {"stills/a/1.jpg"}
    assert storage.existing(["stills/a/7.jpg"]) == set()
    assert sorted(storage.children("stills")) == ["a", "ab"]
    changed = storage.changed_s("stills/a")
    assert changed is not None
    assert abs(changed - time.time()) < 60
    storage.remove_below("stills/a")
    assert sorted(storage.children("stills")) == ["ab"]
    assert storage.changed_s("stills/a") is None
    storage.remove("stills/ab/0.jpg", "stills/ab/1.jpg")
    with pytest.raises(FileNotFoundError):
        storage.read("stills/ab/0.jpg")


def test_more_than_a_page_of_files_is_listed_and_removed(storage: Storage) -> None:
    for number in range(LISTED_AT_ONCE * 3 - 5):
        storage.put(f"stills/many/{number}.jpg", b"x")
    assert len(list(storage.entries("stills"))) == LISTED_AT_ONCE * 3 - 5
    names = [f"stills/many/{number}.jpg" for number in range(LISTED_AT_ONCE, 1000)]
    assert len(storage.existing(names)) == LISTED_AT_ONCE * 2 - 5
    jobs = [f"job{number}" for number in range(LISTED_AT_ONCE + 5)]
    for job in jobs:
        storage.put(f"renders/{job}/x", b"x")
    assert sorted(storage.children("renders")) == sorted(jobs)
    storage.remove_below("stills/many")
    assert list(storage.entries("stills")) == []


def test_only_what_is_there_is_rewritten(storage: Storage) -> None:
    assert not storage.rewrite("playback/x.json", b"{}")
    assert list(storage.children("playback")) == []
    storage.put("playback/x.json", b"{}")
    assert storage.rewrite("playback/x.json", b'{"progress": 1}')
    assert storage.read("playback/x.json").strip() == b'{"progress": 1}'


def test_a_taken_file_is_read_from_any_place(
    storage: Storage, scratch: Scratch, large_clip: Path
) -> None:
    content = large_clip.read_bytes()
    storage.take(scratch.draft(content), "videos/v", durable=True)
    opened = storage.open("videos/v")
    with opened.file as file:
        assert opened.size == len(content)
        assert file.seek(9_000_000) == 9_000_000
        assert file.read(100) == content[9_000_000:9_000_100]
        file.seek(0)
        assert file.read() == content
    with storage.local("videos/v", hashlib.sha256(content).hexdigest()) as path:
        assert path.read_bytes() == content
    again = storage.open("videos/v")
    again.file.close()
    assert again.etag == opened.etag


def test_what_was_used_last_is_told(storage: Storage) -> None:
    storage.put("renders/j/old", b"12345")
    storage.put("renders/j/new", b"1")
    before = {entry.name: entry for entry in storage.entries("renders")}
    assert before["renders/j/old"].size == 5
    time.sleep(1.1)  # times of objects may be whole seconds
    storage.note_use("renders/j/old")
    after = {entry.name: entry.used_s for entry in storage.entries("renders")}
    assert set(after) == {"renders/j/old", "renders/j/new"}
    assert after["renders/j/old"] > after["renders/j/new"]
    storage.remove("renders/j/old")
    assert [entry.name for entry in storage.entries("renders")] == ["renders/j/new"]
    with pytest.raises(FileNotFoundError):
        storage.note_use("renders/j/old")


def test_an_upload_arrives_in_pieces_of_any_size(storage: Storage, large_clip: Path) -> None:
    content, arrivals = large_clip.read_bytes(), storage.arrivals
    arrivals.begin("u", len(content))
    assert arrivals.size("u", len(content)) == 0
    place = 0
    for size in (1000, 9 * 2**20, 5, len(content)):
        with arrivals.opened("u", len(content)) as upload:
            assert upload.offset == place
            with pytest.raises(Conflict, match=f"byte {place}, not"):
                upload.append(place + 1, b"x")
            place = upload.append(place, content[place : place + size])
            upload.hand_on()
            if place < len(content):
                with pytest.raises(TooLarge):
                    upload.append(place, bytes(len(content)))
        assert arrivals.size("u", len(content)) == place
    with arrivals.whole("u", len(content)) as whole:
        assert whole.sha256 == hashlib.sha256(content).hexdigest()
        assert whole.path.read_bytes() == content


def test_what_came_before_an_error_stays(storage: Storage) -> None:
    storage.arrivals.begin("u", 100)
    with pytest.raises(Conflict), storage.arrivals.opened("u", 100) as upload:
        upload.append(upload.append(0, b"0123456789") + 1, b"behind a hole")
    assert storage.arrivals.size("u", 100) == 10
    storage.arrivals.remove("u")
    assert storage.arrivals.size("u", 100) == 0
    with pytest.raises(NotFound), storage.arrivals.opened("u", 100):
        pass
