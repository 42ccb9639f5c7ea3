"""Copies of stored videos: bounded, shared, whole, and never taken from under a reader."""

import hashlib
import itertools
import multiprocessing
import os
import resource
import threading
from pathlib import Path

import pytest

from models.bucket import write_all
from models.cache import Cache, Fetch
from models.errors import BadFile, MediaAway

SIZE = 1000


def content_of(name: str) -> bytes:
    return name.encode().ljust(SIZE, b".")


def hash_of(name: str) -> str:
    return hashlib.sha256(content_of(name)).hexdigest()


def fetching(name: str, log: list[int] | None = None) -> Fetch:
    def fetch(descriptor: int) -> None:
        there = os.fstat(descriptor).st_size
        if log is not None:
            log.append(there)
        os.pwrite(descriptor, content_of(name)[there:], there)

    return fetch


def read(cache: Cache, name: str) -> bytes:
    with cache.hold(name, SIZE, hash_of(name), fetching(name)) as path:
        return path.read_bytes()


def names_in(cache: Cache) -> set[str]:
    return {path.name for path in cache.folder.iterdir()}


def aged(cache: Cache, *names: str) -> None:
    """Let the files have been used in this order, long ago."""
    for moment, name in enumerate(names):
        os.utime(cache.folder / name, (1000 + moment, 1000 + moment))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", most_bytes=3 * SIZE)


def test_what_was_not_used_for_longest_gives_way(cache: Cache) -> None:
    for name in "abc":
        assert read(cache, name) == content_of(name)
    aged(cache, "b", "a", "c")
    read(cache, "b")  # is used again
    read(cache, "d")
    assert names_in(cache) == {"b", "c", "d"}


def test_a_copy_that_is_here_is_not_fetched_again(cache: Cache) -> None:
    fetched: list[int] = []
    for _ in range(3):
        with cache.hold("a", SIZE, hash_of("a"), fetching("a", fetched)):
            pass
    assert fetched == [0]


def test_a_file_in_use_stays(cache: Cache) -> None:
    with cache.hold("a", SIZE, hash_of("a"), fetching("a")) as path:
        for name in "bcd":
            read(cache, name)
        aged(cache, "a", "c", "d")
        read(cache, "e")
        assert path.read_bytes() == content_of("a")
        assert names_in(cache) == {"a", "d", "e"}
    aged(cache, "a", "d", "e")
    read(cache, "f")
    assert "a" not in names_in(cache)


def test_no_more_is_kept_than_allowed_even_if_all_is_in_use(cache: Cache) -> None:
    with (
        cache.hold("a", SIZE, hash_of("a"), fetching("a")),
        cache.hold("b", SIZE, hash_of("b"), fetching("b")),
        cache.hold("c", SIZE, hash_of("c"), fetching("c")),
    ):
        with pytest.raises(MediaAway, match="no room"):
            read(cache, "d")
        assert names_in(cache) == {"a", "b", "c"}
    assert read(cache, "d") == content_of("d")


def test_a_video_larger_than_the_cache_is_read_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=SIZE // 2)
    assert read(cache, "a") == content_of("a")
    assert read(cache, "b") == content_of("b")
    assert names_in(cache) == {"b"}


def test_what_broke_off_goes_on_and_is_never_used_as_it_is(cache: Cache) -> None:
    def breaks_off(descriptor: int) -> None:
        os.pwrite(descriptor, content_of("a")[:400], 0)
        raise MediaAway("away")

    with pytest.raises(MediaAway), cache.hold("a", SIZE, hash_of("a"), breaks_off):
        pass
    assert names_in(cache) == {f"a.{SIZE}.part"}
    fetched: list[int] = []
    with cache.hold("a", SIZE, hash_of("a"), fetching("a", fetched)) as path:
        assert path.read_bytes() == content_of("a")
    assert fetched == [400]
    assert names_in(cache) == {"a"}


def test_a_spoilt_beginning_is_fetched_anew(cache: Cache) -> None:
    cache.folder.mkdir()
    (cache.folder / f"a.{SIZE}.part").write_bytes(b"what a crash of the machine left")
    assert read(cache, "a") == content_of("a")


def test_other_content_is_refused_and_not_kept(cache: Cache) -> None:
    wrong = hash_of("b")
    with pytest.raises(BadFile, match="SHA-256"), cache.hold("a", SIZE, wrong, fetching("a")):
        pass
    assert names_in(cache) == set()


def test_parts_that_nobody_goes_on_with_give_way(cache: Cache) -> None:
    cache.folder.mkdir()
    (cache.folder / f"left.{3 * SIZE}.part").write_bytes(b"half")
    assert read(cache, "a") == content_of("a")
    assert names_in(cache) == {"a"}


def test_many_processes_share_it(cache: Cache) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        done = pool.map(_read_many, [(cache, seed) for seed in range(4)])
    assert done == [60] * 4
    sizes = [path.stat().st_size for path in cache.folder.iterdir()]
    assert sum(sizes) <= cache.most_bytes
    assert {path.suffix for path in cache.folder.iterdir()} <= {""}


def _read_many(wish: tuple[Cache, int]) -> int:
    """Read six videos in another order than the others; return how often the content was right."""
    cache, seed = wish
    right = 0
    while right < 60:
        name = "uvwxyz"[(seed + right * (seed + 1)) % 6]
        try:
            right += read(cache, name) == content_of(name)
        except MediaAway:  # the others read all that fits
            continue
    return right


def test_a_full_disk_refuses_a_copy_for_now(cache: Cache) -> None:
    """The kernel's own limit on a file's size, as a disk that fills up: a part is taken, then nothing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, before[1]))
    try:
        with (
            pytest.raises(MediaAway, match="can't keep a copy") as refusal,
            cache.hold("a", SIZE, hash_of("a"), writing("a")),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refusal.value.next_step == "make room on its disk"
    with cache.hold("a", SIZE, hash_of("a"), writing("a")) as path:
        assert path.read_bytes() == content_of("a")


def writing(name: str) -> Fetch:
    def fetch(descriptor: int) -> None:
        there = os.fstat(descriptor).st_size
        write_all(descriptor, content_of(name)[there:], there)

    return fetch


def test_files_that_others_finish_meanwhile_are_no_missing_videos(cache: Cache) -> None:
    cache.folder.mkdir()
    (cache.folder / "other").touch()
    ended = threading.Event()

    def finish_others() -> None:
        for number in itertools.cycle(range(100)):
            (cache.folder / f"x{number}.1.part").touch()
            (cache.folder / f"x{number}.1.part").rename(cache.folder / f"x{number}")
            (cache.folder / f"x{number}").unlink()
            if ended.is_set():
                return

    other = threading.Thread(target=finish_others)
    other.start()
    try:
        for _ in range(300):
            read(cache, "a")
            (cache.folder / "a").unlink()
    finally:
        ended.set()
        other.join()
