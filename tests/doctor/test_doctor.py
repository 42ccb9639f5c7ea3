"""`reelnotes doctor` as a person runs it: before anything is set up, and with everything broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doctor.conftest import MODEL

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    done = run_python("-m", "cli", "doctor", *arguments, **env)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def run_python(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    unset = dict.fromkeys(("COMMENTATOR", "DATABASE_URL", "REDIS_URL", "MODEL_PATH"), "")
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **unset, **env},
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_before_anything_is_set_up_nothing_is_wrong_and_nothing_is_left(tmp_path: Path) -> None:
    done = run("--check-model", DATA_DIR=str(tmp_path / "data"))
    assert "problem  check: there is nothing to load yet" in done.stdout
    assert "1 problem.\n" in done.stdout  # the one that was asked for
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_without_any_package_it_still_says_what_to_do(tmp_path: Path) -> None:
    done = run_python("-S", "-m", "doctor", DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "problem  packages: missing: alembic, av, celery" in done.stdout
    assert "Next: make run" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_whatever_is_broken_is_one_line_each_and_no_secret(tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\nexit 9\n")
    smi.chmod(0o755)
    done = run(
        "--json",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        DATA_DIR="/proc/nowhere",
        DATABASE_URL="postgresql://me:hunter2@127.0.0.1:9/none",
        REDIS_URL="redis://:hunter2@127.0.0.1:9/0",
        COMMENTATOR="builtin,gpt",
    )
    lines = json.loads(done.stdout)["lines"]
    wrong = [line["subject"] for line in lines if line["level"] == "problem"]
    assert sorted(wrong) == ["broker", "data folder", "media folder", "settings", "store"]
    assert [line["level"] for line in lines if line["subject"] == "GPU"] == ["note"]
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr


def test_a_setting_that_cannot_be_read_is_a_line(tmp_path: Path) -> None:
    done = run_python("-S", "-m", "doctor", WEB_PORT="many", DATA_DIR=str(tmp_path))
    assert "problem  settings: WEB_PORT must be a whole number, not 'many'." in done.stdout


def test_random_weights_do_not_pass_the_command(data_dir: Path) -> None:
    pytest.importorskip("torch", reason="the native runtime needs PyTorch")
    done = run("--check-model", "--json", DATA_DIR=str(data_dir))
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["model"]["loss"] > answer["model"]["random_loss"]
    wrong = [line["subject"] for line in answer["lines"] if line["level"] == "problem"]
    assert wrong == ["language"]


def test_weights_that_the_runtime_refuses_are_told(data_dir: Path) -> None:
    pytest.importorskip("torch", reason="the native runtime needs PyTorch")
    config = data_dir / "models" / MODEL / "config.json"
    config.write_text(config.read_text().replace('"4.5"', '"2.6"'))
    done = run("--check-model", DATA_DIR=str(data_dir))
    assert done.returncode == 1
    assert "only 4.5 can be run" in done.stdout
