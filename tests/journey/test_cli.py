"""The command line, as a person types it, against a real server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.jobs import FORMATS
from submission import EXTENSIONS
from tests.journey.footage import write_moving_square
from tests.journey.stack import ROOT, Stack, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "clip.mp4", seconds=8)


def reelnotes(data_dir: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir), **env},
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_submit_waits_and_writes_what_is_asked_for(
    stack: Stack, clip: Path, tmp_path: Path
) -> None:
    result = reelnotes(
        stack.data_dir,
        "submit",
        str(clip),
        "--wait",
        "--srt",
        "-",
        "--json",
        str(tmp_path / "o.json"),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1\n00:00:00,000 --> ")
    document = json.loads((tmp_path / "o.json").read_text())
    assert [segment["end_ms"] for segment in document["segments"]] == [4000, 8000]


def test_export_writes_every_format_and_waits_for_those_that_take_time(
    stack: Stack, clip: Path, tmp_path: Path
) -> None:
    submitted = reelnotes(stack.data_dir, "submit", str(clip), "--wait", "--summary")
    job_id = submitted.stdout.split()[0]
    outputs = [part for name in FORMATS for part in (f"--{name}", str(tmp_path))]
    result = reelnotes(
        stack.data_dir, "export", job_id, *outputs, "--cues", "merged", "--voice", "en-gb"
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr.count("Nothing of what is said in this video has been written down.") == 2
    stem = f"clip-{job_id}"
    there = {*FORMATS} - {"speechsrt", "speechvtt"}
    extensions = {EXTENSIONS.get(name, name) for name in there}
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}.{e}" for e in extensions}
    assert (tmp_path / f"{stem}.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / f"{stem}.wav").read_bytes()[:4] == b"RIFF"
    refused = reelnotes(stack.data_dir, "export", job_id, "--wav", "-", "--voice", "xx")
    assert refused.returncode == 1
    assert "There is no voice for 'xx'" in refused.stderr


def test_a_bad_file_does_not_stop_the_others_and_shows_in_the_exit_status(
    stack: Stack, clip: Path, tmp_path: Path
) -> None:
    hostile = tmp_path / "-x\x1b[31m.mp4"
    hostile.write_bytes(b"no video")
    result = reelnotes(
        stack.data_dir, "submit", "--txt", str(tmp_path), "--", str(hostile), str(clip)
    )
    assert result.returncode == 1
    assert "1 done, 1 refused" in result.stderr
    assert "\x1b" not in result.stderr
    assert len(list(tmp_path.glob("clip-*.txt"))) == 1


def test_a_job_can_be_followed_changed_exported_and_deleted(stack: Stack, clip: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return reelnotes(stack.data_dir, *arguments)

    job_id = run("submit", str(clip), "--wait", "--fps", "1", "--priority", "3").stdout.strip()
    status = run("status", job_id)
    assert status.returncode == 0
    assert "done" in status.stdout
    assert job_id in run("list").stdout
    assert run("export", job_id, "--vtt", "-").stdout.startswith("WEBVTT")
    refused = run("submit", str(clip), "--priority", "11")
    assert refused.returncode == 1
    assert "Priority must be a whole number from -10 to 10, not 11." in refused.stderr
    refused = run("cancel", job_id)
    assert (refused.returncode, refused.stderr) == (
        1,
        "reelnotes: A job that is done can't be cancelled.\n",
    )
    assert run("delete", job_id).returncode == 0
    gone = run("status", job_id)
    assert gone.returncode == 1
    assert job_id in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "status", "words"),
    [
        (["status", "a" * 16, "--server", "http://127.0.0.1:1"], {}, 3, "reelnotes serve"),
        (["status", "x"], {}, 1, "There is no job 'x'"),
        (["list", "--server", "127.0.0.1:8000"], {}, 2, "such as http://127.0.0.1:8000"),
        (["list"], {"SERVER_URL": "localhost:8000"}, 2, "SERVER_URL: This is no server's address"),
        (["token", "add", "x"], {}, 1, "reelnotes migrate"),
        (["backup", "copy-of-nothing"], {}, 1, "DATA_DIR"),
        (["submit", "/nowhere.mp4"], {}, 2, "nowhere.mp4"),
        (["export", "x"], {}, 2, "--srt"),
        (["submit", __file__, "--srt", "/nowhere/o.srt"], {}, 2, "/nowhere"),
        (["serve"], {"CAPTURE_FPS": "fast"}, 2, "CAPTURE_FPS"),
        (["serve"], {"WEB_HOST": "0.0.0.0"}, 2, "PASSWORD"),
        (["worker"], {"REDIS_URL": ""}, 2, "REDIS_URL"),
        (["worker"], {"REDIS_URL": "redis://127.0.0.1:1", "COMMENTATOR": "gpt"}, 2, "COMMENTATOR"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence_with_its_exit_status(
    tmp_path: Path, arguments: list[str], env: dict[str, str], status: int, words: str
) -> None:
    data_dir = tmp_path / "data"
    result = reelnotes(data_dir, *arguments, **env)
    assert result.returncode == status, result.stderr
    assert words in result.stderr
    assert not (data_dir / "reelnotes.db").exists()
    assert "Traceback" not in result.stderr
