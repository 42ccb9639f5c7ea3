"""`reelnotes pull` against a real server that speaks the hub's protocol: whole, or not there."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pull import PullFailed, pull
from tests.packaging.processes import wait_for
from tests.pull.hub import REPOSITORY, SmallHub, running_hub

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests/minicpm/fixtures/awq"
SHARD = "model-00001-of-00002.safetensors"
SIZE = len((FIXTURE / SHARD).read_bytes())
NOT_NEEDED = {"modeling_minicpmo.py": b"raise SystemExit", "assets/voice.wav": b"RIFF"}


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    """Yield a hub that gives the tiny AWQ checkpoint, with files that nobody here needs."""
    files = {path.name: path.read_bytes() for path in sorted(FIXTURE.iterdir())}
    with running_hub(SmallHub({**files, **NOT_NEEDED})) as hub:
        yield hub


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pull.download.PAUSES", (0.01, 0.01))


@pytest.fixture
def fetch(hub: SmallHub, tmp_path: Path) -> Callable[..., Path]:
    def run(name: str = REPOSITORY, token: str = "") -> Path:
        return pull(name, tmp_path / "models", hub.url, token)

    return run


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def run_cli(hub: SmallHub, data_dir: Path, *arguments: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "pull", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir), "HUB_URL": hub.url, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_halfway(hub: SmallHub, data_dir: Path) -> int:
    """Kill a pull in the midst of the large shard; return the bytes that it has stored of it."""
    hub.files = {SHARD: hub.files.pop(SHARD), **hub.files}  # first of all
    hub.pause = threading.Event()
    part = data_dir / "models" / f"{REPOSITORY}.part" / f"{SHARD}.part"
    pulling = run_cli(hub, data_dir)
    while pulling.poll() is None and not (part.exists() and part.stat().st_size):
        time.sleep(0.02)
    pulling.send_signal(signal.SIGKILL)
    pulling.communicate()
    hub.pause.set()
    return part.stat().st_size


def test_what_the_runtime_needs_arrives_whole_and_nothing_else(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fetch()
    assert folder == tmp_path / "models" / REPOSITORY
    assert files_of(folder) == {path.name for path in FIXTURE.iterdir()} | {"pulled.json"}
    for path in FIXTURE.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name
    assert files_of(folder.parent) == {folder.name}


def test_a_second_pull_costs_one_look(hub: SmallHub, fetch: Callable[..., Path]) -> None:
    fetch()
    hub.asked.clear()
    fetch()
    assert hub.asked == [(f"/api/models/{REPOSITORY}/revision/main", "")]


def test_a_broken_connection_is_taken_up_where_it_broke(
    hub: SmallHub, fetch: Callable[..., Path]
) -> None:
    hub.cut_after = 400_000
    folder = fetch()
    assert (folder / SHARD).read_bytes() == (FIXTURE / SHARD).read_bytes()
    spans = [span for name, span in hub.downloads() if name == SHARD]
    assert spans == ["", "bytes=400000-", "bytes=800000-"]


def test_a_server_that_knows_no_ranges_is_read_from_the_start(
    hub: SmallHub, fetch: Callable[..., Path]
) -> None:
    hub.cut_after, hub.cuts_left, hub.ranges = 400_000, 1, False
    assert (fetch() / SHARD).read_bytes() == (FIXTURE / SHARD).read_bytes()


def test_a_killed_pull_leaves_no_folder_and_is_gone_on_with(hub: SmallHub, tmp_path: Path) -> None:
    stored = stop_halfway(hub, tmp_path)
    assert 0 < stored < SIZE
    assert not (tmp_path / "models" / REPOSITORY).exists()
    hub.asked.clear()
    second = run_cli(hub, tmp_path)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert "every hash right" in out
    assert (SHARD, f"bytes={stored}-") in hub.downloads()
    folder = tmp_path / "models" / REPOSITORY
    assert (folder / SHARD).read_bytes() == (FIXTURE / SHARD).read_bytes()


def test_a_wrong_hash_is_thrown_away(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path
) -> None:
    for spoilt in ("config.json", SHARD):  # git's own id, and a sha256
        hub.spoilt = spoilt
        with pytest.raises(PullFailed, match=f"{spoilt} .*another content .*thrown away.*HUB_URL"):
            fetch()
        draft = tmp_path / "models" / f"{REPOSITORY}.part"
        assert not {spoilt, f"{spoilt}.part"} & files_of(draft)
        assert not (tmp_path / "models" / REPOSITORY).exists()
    hub.spoilt = ""
    assert (fetch() / "config.json").exists()


def test_a_file_that_changed_between_two_tries_is_fetched_anew(
    hub: SmallHub, fetch: Callable[..., Path]
) -> None:
    other = "model-00002-of-00002.safetensors"
    hub.spoilt = other
    with pytest.raises(PullFailed):
        fetch()
    hub.spoilt = ""
    hub.files[SHARD] = random.Random(7).randbytes(SIZE)
    hub.asked.clear()
    folder = fetch()
    assert (folder / SHARD).read_bytes() == hub.files[SHARD]
    assert (folder / other).read_bytes() == (FIXTURE / other).read_bytes()
    assert "config.json" not in {name for name, _ in hub.downloads()}  # it had not changed


def test_half_a_file_of_an_older_revision_is_not_built_upon(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path
) -> None:
    stop_halfway(hub, tmp_path)
    hub.files[SHARD] = random.Random(8).randbytes(SIZE)
    hub.asked.clear()
    assert (fetch() / SHARD).read_bytes() == hub.files[SHARD]
    assert (SHARD, "") in hub.downloads()


def test_a_new_revision_replaces_the_old_one_and_fetches_only_what_changed(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path
) -> None:
    fetch()
    hub.files["config.json"] = b'{"model_type": "minicpmo"}'
    hub.asked.clear()
    folder = fetch()
    assert hub.downloads() == [("config.json", "")]
    assert (folder / "config.json").read_bytes() == b'{"model_type": "minicpmo"}'
    assert (folder / SHARD).read_bytes() == (FIXTURE / SHARD).read_bytes()
    assert files_of(folder.parent) == {folder.name}


def test_a_file_that_was_cut_after_the_pull_is_fetched_again(
    hub: SmallHub, fetch: Callable[..., Path]
) -> None:
    folder = fetch()
    with (folder / SHARD).open("r+b") as file:
        file.truncate(1000)
    hub.asked.clear()
    fetch()
    assert hub.downloads() == [(SHARD, "")]
    assert (folder / SHARD).read_bytes() == (FIXTURE / SHARD).read_bytes()


def test_what_the_disk_cannot_hold_is_not_begun(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path
) -> None:
    hub.claims[SHARD] = 10**18
    with pytest.raises(PullFailed, match=r"needs 1e\+09 GB more .* GB are free.*DATA_DIR"):
        fetch()
    assert hub.downloads() == []


def test_a_disk_that_fills_up_meanwhile_is_told_and_gone_on_with(hub: SmallHub) -> None:
    """On a real, small file system."""
    disk = Path("/dev/shm") / f"reelnotes-{os.getpid()}"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        disk.rmdir()
        pytest.skip("needs the right to mount a small file system")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pull.folder.RESERVE_BYTES", -(10**9))  # as if all were free at the start
            with pytest.raises(PullFailed, match=r"is full\. Make room.*goes on where it stopped"):
                pull(REPOSITORY, disk / "models", hub.url)
            assert not (disk / "models" / REPOSITORY).exists()
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
            hub.asked.clear()
            pull(REPOSITORY, disk / "models", hub.url)
        assert any(span for _, span in hub.downloads())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (404, "", "has no repository .* Check the spelling"),
        (401, "RepoNotFound", "has no repository .* Check the spelling"),
        (401, "GatedRepo", "accepted its terms.*HUB_TOKEN"),
        (403, "GatedRepo", "accepted its terms.*HUB_TOKEN"),
        (418, "", "answered 418"),
        (503, "", "can't be reached .*answered 503.*goes on where it stopped"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: SmallHub, fetch: Callable[..., Path], status: int, code: str, sentence: str
) -> None:
    hub.answers = (status, code)
    with pytest.raises(PullFailed, match=sentence):
        fetch()


def test_a_token_opens_a_gated_repository_and_stays_with_the_hub(
    hub: SmallHub, fetch: Callable[..., Path]
) -> None:
    hub.token = "secret"
    with pytest.raises(PullFailed, match="HUB_TOKEN"):
        fetch()
    with pytest.raises(PullFailed, match="can't be read with the token in HUB_TOKEN"):
        fetch(token="wrong")
    fetch(token="secret")
    assert set(hub.tokens_at_storage) == {None}


def test_without_a_network_the_advice_is_given_and_what_is_whole_stays(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = "http://127.0.0.1:9"
    with pytest.raises(PullFailed, match=r"can't be reached .*HTTPS_PROXY.*HUB_URL"):
        pull(REPOSITORY, tmp_path / "models", nobody)
    fetch()
    pull(REPOSITORY, tmp_path / "models", nobody)
    assert "can't be asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    "typed", [REPOSITORY, "openbmb/MiniCPM-o-4_5-AWQ", "OpenBMB/minicpm-o-4.5-awq"]
)
def test_every_spelling_leads_to_the_folder_that_model_path_names(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path, typed: str
) -> None:
    hub.repository = "openbmb/MiniCPM-o-4_5-AWQ"  # and the hub knows only one
    assert fetch(typed) == tmp_path / "models" / REPOSITORY


@pytest.mark.parametrize("typed", ["../../etc", "a/b/c", "/etc", "a/..", "x", "a/b?x", ""])
def test_a_name_that_is_no_repository_is_refused(fetch: Callable[..., Path], typed: str) -> None:
    with pytest.raises(PullFailed, match="is no repository's name"):
        fetch(typed)


def test_a_hostile_list_writes_nothing_outside_the_folder(
    hub: SmallHub, fetch: Callable[..., Path], tmp_path: Path
) -> None:
    for name in ("../evil.json", "/tmp/evil.json", "a/../../evil.json", ".hidden.json", "x\n.json"):
        hub.files[name] = b"evil"
    hub.files["pulled.json"] = b"{}"
    folder = fetch()
    assert files_of(folder) == {path.name for path in FIXTURE.iterdir()} | {"pulled.json"}
    assert not list(tmp_path.rglob("*evil*"))


def test_a_folder_that_a_person_made_is_left_alone(
    fetch: Callable[..., Path], tmp_path: Path
) -> None:
    theirs = tmp_path / "models" / REPOSITORY
    shutil.copytree(FIXTURE, theirs)
    (theirs / "notes.md").write_text("mine")
    with pytest.raises(PullFailed, match="was not made by `reelnotes pull`"):
        fetch()
    assert (theirs / "notes.md").read_text() == "mine"


def test_one_pull_at_a_time_goes_into_a_folder(hub: SmallHub, tmp_path: Path) -> None:
    hub.pause = threading.Event()
    first = run_cli(hub, tmp_path)
    wait_for(hub.downloads, "its first download")
    second = run_cli(hub, tmp_path)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "Another pull" in err
    hub.pause.set()
    assert first.wait(60) == 0
    first.communicate()


def test_a_page_that_is_no_hub_is_recognised(tmp_path: Path, hub: SmallHub) -> None:
    hub.listing = lambda: b"<html>Please sign in</html>"  # type: ignore[method-assign]
    with pytest.raises(PullFailed, match="sign-in page"):
        pull(REPOSITORY, tmp_path, hub.url)
    with pytest.raises(PullFailed, match="must begin with http"):
        pull(REPOSITORY, tmp_path, "hub.example")


def test_the_command_shows_no_traceback_and_says_how_to_use_another_network(
    hub: SmallHub, tmp_path: Path
) -> None:
    hub.repository = "somebody/tuned"
    fetched = run_cli(hub, tmp_path, "somebody/tuned")
    out, err = fetched.communicate(timeout=60)
    assert fetched.returncode == 0, err
    assert "MODEL_PATH=somebody/tuned" in out
    failed = run_cli(hub, tmp_path, "no/such")
    _, err = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert err.startswith("reelnotes: http://127.0.0.1")
    assert "Traceback" not in err


def test_a_chat_template_of_its_own_comes_along(hub: SmallHub, fetch: Callable[..., Path]) -> None:
    hub.files["chat_template.jinja"] = b"{{ messages }}"
    assert (fetch() / "chat_template.jinja").read_bytes() == b"{{ messages }}"
