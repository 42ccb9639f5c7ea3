"""What a start of each program may cost: bytecode is kept, and nothing heavy is imported unused."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_bytecode_is_kept_whatever_the_shell_says() -> None:
    """Without it each start of a program compiles Flask, SQLAlchemy and all the others anew."""
    made = subprocess.run(
        ["make", "--silent", "--eval", "told: ; @env", "told"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "WEB_PORT": "8001"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WEB_PORT=8001" in made.stdout  # settings pass
    assert "PYTHONDONTWRITEBYTECODE" not in made.stdout


HEAVY = {"alembic", "av", "celery", "numpy", "onnxruntime", "redis", "sqlalchemy", "torch"}


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("cli.serving", set()),  # the supervisor stays for as long as all others
        ("cli.jobs", set()),
        ("cli.parts", set()),
        ("cli.store", {"alembic", "sqlalchemy"}),
        ("cli.queue", {"celery", "redis", "sqlalchemy"}),
        ("web", {"celery", "redis", "sqlalchemy"}),
        ("worker.beat", {"celery", "redis", "sqlalchemy"}),
        ("worker.video.child", {"av", "numpy"}),
        ("worker.video.probe", {"av", "numpy"}),
    ],
)
def test_each_program_imports_only_what_it_needs(module: str, needed: set[str]) -> None:
    ask = f"import sys, {module}; print(*sys.modules)"
    asked = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY & set(asked.stdout.split()) == needed
