"""MiniCPM-o as a commentator, on the real stack, with checkpoints small enough for a CPU."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from client import Client, Refused
from models.tables import Chunk
from serve.sample import SAMPLE
from tests.journey.checkpoints import TINY, TINY_AWQ, write_endless
from tests.journey.footage import write_moving_square
from tests.journey.stack import ROOT, Stack, running_stack
from tests.packaging.processes import wait_for
from tests.web.server import running_server

pytest.importorskip("torch", reason="the commentator minicpm needs PyTorch")

pytestmark = pytest.mark.slow

WINDOWS = 8  # of 4 s
LONG = {"max_new_tokens": "120"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "clip.mp4", seconds=WINDOWS * 4)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield a server with both commentators; minicpm writes one window at a time."""
    weights = write_endless(tmp_path_factory.mktemp("weights") / "endless")
    settings = {"COMMENTATOR": "minicpm,builtin", "MODEL_PATH": str(weights)}
    with running_stack(tmp_path_factory.mktemp("data"), **settings, WORKER_THREADS="1") as stack:
        yield stack


@pytest.mark.parametrize("checkpoint", [TINY, TINY_AWQ], ids=["bf16", "awq"])
def test_the_sample_is_commented_to_its_end_and_exported(checkpoint: Path, tmp_path: Path) -> None:
    with running_stack(tmp_path, COMMENTATOR="minicpm", MODEL_PATH=str(checkpoint)) as stack:
        wish = {"profile": "sports", "instruction": "Say who wins."}
        with stack.client() as client:
            job_id = client.submit(SAMPLE, wish)["id"]
        assert stack.wait_until_ended(job_id) == "done"
        with stack.client() as client:
            exports = {name: client.export(job_id, name) for name in ("srt", "vtt", "csv", "txt")}
            document = json.loads(client.export(job_id, "json"))
    job, segments = document["job"], document["segments"]
    assert [segment["index"] for segment in segments] == [0, 1, 2]
    assert all(segment["tokens_out"] > 0 for segment in segments)
    assert all(segment["timings"]["vision_ms"] > 0 for segment in segments)
    assert (job["parameters"]["profile"], job["parameters"]["instruction"]) == (
        "sports",
        "Say who wins.",
    )
    assert job["parameters"]["system_prompt"].startswith("You are a sports commentator")
    (network,) = job["networks"]
    assert network["checkpoint"] == checkpoint.name
    kind = "AWQ INT4" if checkpoint == TINY_AWQ else "not quantised"
    assert network["name"] == f"MiniCPM-o 4.5, {kind}"
    assert f"Network: {network['name']}: {network['checkpoint']}" in exports["txt"]
    assert exports["vtt"].startswith("WEBVTT")


def test_a_kill_midway_costs_nothing_that_was_stored(stack: Stack, clip: Path) -> None:
    with stack.client() as client:
        job_id = client.submit(clip, LONG)["id"]
        wait_for(lambda: client.segments(job_id)["segments"], "a segment")
        before = client.segments(job_id)["segments"]
    stack.kill("worker")
    assert stack.wait_until_ended(job_id) == "done"
    with stack.client() as client:
        segments = client.segments(job_id)["segments"]
    assert len(before) < WINDOWS, "the job was done before the kill: make it longer"
    assert [segment["index"] for segment in segments] == list(range(WINDOWS))
    kept = {segment["index"]: segment for segment in segments}
    assert [kept[segment["index"]] for segment in before] == before


def test_what_is_being_written_is_told_and_a_cancelled_window_is_given_up(
    stack: Stack, clip: Path
) -> None:
    with stack.client() as client:
        job_id = client.submit(clip, {"max_new_tokens": "1024"})["id"]
        grown: dict[tuple[int, int], list[str]] = {}

        def grows() -> bool:
            """Wait until the same window was seen with two lengths."""
            for window in client.segments(job_id)["writing"]:
                texts = grown.setdefault((window["index"], window["start_ms"]), [])
                if not texts or len(window["text"]) > len(texts[-1]):
                    texts.append(window["text"])
            return any(len(texts) > 1 for texts in grown.values())

        wait_for(grows, "a text that grows")
        written = client.change(job_id, "cancel")["windows_done"]
        cancelled = time.monotonic()
        assert client.segments(job_id)["writing"] == []
        gave_up = f"chunk taken away job_id={job_id}"
        wait_for(lambda: any(gave_up in line for line in stack.log), "the end of the window")
        print(f"the window ended {time.monotonic() - cancelled:.1f} s after the cancel")
        assert client.job(job_id)["windows_done"] == written


def test_each_commentator_gets_its_own_jobs(stack: Stack, clip: Path) -> None:
    with stack.client() as client:
        jobs = {
            name: client.submit(SAMPLE, {"commentator": name})["id"]
            for name in ("minicpm", "builtin")
        }
        default = client.submit(SAMPLE, {})
        with pytest.raises(Refused, match="not asked in words, so it takes no 'profile'"):
            client.submit(SAMPLE, {"commentator": "builtin", "profile": "nature"})
    assert default["commentator"] == "minicpm"
    for job_id in (*jobs.values(), default["id"]):
        assert stack.wait_until_ended(job_id) == "done"


def test_the_command_line_asks_as_the_form_does(stack: Stack, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Zähle die Räder.\n" * 30)
    result = cli(
        {"DATA_DIR": str(stack.data_dir)},
        *("submit", str(SAMPLE), "--wait", "--profile", "nature", "--instruction", "Räder!" * 50),
        *(
            "--system-prompt",
            str(prompt),
            "--longest",
            "20",
            "--seed",
            "3",
            "--json",
            str(tmp_path),
        ),
    )
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("*.json")
    parameters = json.loads(path.read_text())["job"]["parameters"]
    assert parameters["system_prompt"] == prompt.read_text().strip()
    assert parameters["instruction"] == "Räder!" * 50
    assert (parameters["profile"], parameters["seed"], parameters["max_new_tokens"]) == (
        "nature",
        3,
        20,
    )


def test_a_job_whose_commentator_is_gone_says_so(clip: Path, tmp_path: Path) -> None:
    both = {"COMMENTATOR": "builtin,minicpm", "MODEL_PATH": str(TINY)}
    with running_stack(tmp_path, **both) as stack, stack.client() as client:
        job_id = client.submit(clip, {**LONG, "commentator": "minicpm"})["id"]
        client.change(job_id, "pause")
    with running_stack(tmp_path, COMMENTATOR="builtin") as stack, stack.client() as client:
        hindrance = client.job(job_id)["hindrance"] or ""
        assert hindrance.startswith("Nobody here comments as minicpm any more")
        assert "note: Nobody here" in cli({"DATA_DIR": str(tmp_path)}, "status", job_id).stdout
        with pytest.raises(Refused, match="Nobody comments as minicpm on this server"):
            client.submit(clip, {"commentator": "minicpm"})


def cli(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_a_server_without_weights_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    result = cli({"DATA_DIR": str(tmp_path), "COMMENTATOR": "builtin,minicpm"}, "serve")
    assert result.returncode == 2
    assert "there are no weights in" in result.stderr
    assert "reelnotes pull openbmb/MiniCPM-o-4_5-awq" in result.stderr


def test_weights_that_are_not_whole_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((TINY / "config.json").read_bytes())
    env = {"COMMENTATOR": "minicpm", "MODEL_PATH": str(tmp_path), "DATA_DIR": str(tmp_path / "d")}
    result = cli({**env, "REDIS_URL": "redis://127.0.0.1:1"}, "worker")
    assert result.returncode == 2
    assert "The weights that MODEL_PATH names can't be used" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_worker_without_pytorch_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    without = "import sys; sys.modules['torch'] = None; import cli; cli.main()"
    env = {"DATA_DIR": str(tmp_path), "COMMENTATOR": "minicpm", "MODEL_PATH": str(TINY)}
    result = subprocess.run(
        [sys.executable, "-c", without, "serve"],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert "needs the package torch, and it is not installed" in result.stderr


BREAK_THE_DEVICE = """
import torch, worker.minicpm_commentator as minicpm
load = minicpm.load
def load_and_break(*arguments, **options):
    engine = load(*arguments, **options)
    engine.network.llm.model.norm.weight.data = torch.zeros(3)
    return engine
minicpm.load = load_and_break
import cli
cli.main()
"""
"""A worker whose network fails as one on a lost GPU does: in the middle of its first window."""


def test_a_worker_whose_device_is_lost_gives_back_its_chunk_and_asks_to_be_started_again(
    clip: Path, tmp_path: Path, broker_url: str
) -> None:
    env = {"COMMENTATOR": "minicpm", "MODEL_PATH": str(TINY), "REDIS_URL": broker_url}
    with running_server(tmp_path, env) as server:
        env["DATA_DIR"] = str(tmp_path / "data")
        with Client(server.url) as client:
            job_id = client.submit(clip, {})["id"]
        command = [sys.executable, "-c", BREAK_THE_DEVICE, "worker"]
        broken = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert broken.returncode == 75, broken.stdout + broken.stderr
        with server.store.read() as session:
            (chunk,) = session.scalars(select(Chunk).where(Chunk.job_id == job_id))
        assert (chunk.owner, chunk.cursor, chunk.attempts) == (None, 0, 1)
        assert chunk.failure_kind == "commentator"
        worker = subprocess.Popen(
            [sys.executable, "-m", "cli", "worker"], cwd=ROOT, env={**os.environ, **env}
        )
        try:
            with Client(server.url) as client:
                wait_for(lambda: client.job(job_id)["state"] == "done", "the end of the job")
                segments = client.segments(job_id)["segments"]
            assert [segment["index"] for segment in segments] == list(range(WINDOWS))
        finally:
            worker.terminate()
            assert worker.wait(60) == 0
