"""install.py and PyTorch: which build is asked of whom. Programs that log their arguments stand in
for pip, uv and the driver, for what they would fetch weighs gigabytes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PYTHON = """#!/bin/sh
echo "python $*" >> "$LOG"
case "$*" in
*" --report "*) echo '{"install": ["torch"]}' ;;
*"index versions torch"*) echo "torch (2.15.0)"; echo "Available versions: $VERSIONS" ;;
*" install "*) case "$*" in *"torch"*) [ -n "$PIP_WORKS" ] ;; esac ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> "$LOG"
[ -n "$UV_WORKS" ]
"""
DRIVER = '#!/bin/sh\necho "GPU 0: some card"\n'

Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Run install.py with the wish, in a copy of the project whose locked packages are there."""
    for name in ("install.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / "programs"
    _write_program(programs / "uv", UV)
    _write_program(tmp_path / ".venv/bin/python", PYTHON)
    _run(tmp_path, [], {})

    def run(wish: str, gpu: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        if gpu:
            _write_program(programs / "nvidia-smi", DRIVER)
        (tmp_path / "log").unlink(missing_ok=True)
        return _run(tmp_path, [wish], env)

    return run


def _write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _run(folder: Path, wishes: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'programs'}:/usr/bin:/bin"
    return subprocess.run(
        [sys.executable, str(folder / "install.py"), *wishes],
        env={
            "PATH": path,
            "LOG": str(folder / "log"),
            "VERSIONS": "",
            "TMPDIR": str(folder),
            **env,
        },
        capture_output=True,
        text=True,
    )


def installations(folder: Path) -> list[str]:
    """Return what was asked to install something, without the constraints' path."""
    lines = (folder / "log").read_text().splitlines() if (folder / "log").exists() else []
    return [
        line.split(" --constraint")[0].split("--disable-pip-version-check ")[-1]
        for line in lines
        if " install " in line and " --report " not in line
    ]


def test_a_gpu_gets_the_build_that_uv_chooses(install: Install, tmp_path: Path) -> None:
    done = install("torch", gpu=True, UV_WORKS="1")
    assert done.returncode == 0, done.stderr
    assert "about 3 GB to fetch" in done.stderr
    (asked,) = installations(tmp_path)
    assert "--torch-backend=auto torch>=2.11" in asked


def test_without_uv_a_gpu_gets_what_pip_finds(install: Install, tmp_path: Path) -> None:
    assert install("torch", gpu=True, PIP_WORKS="1").returncode == 0
    assert installations(tmp_path)[-1].startswith("--quiet torch>=2.11 transformers>=5.17")


def test_without_a_gpu_the_newest_cpu_build_is_taken(install: Install, tmp_path: Path) -> None:
    versions = "2.15.0, 2.14.1+cpu, 2.14.1, 2.13.0+cpu"
    assert install("torch", VERSIONS=versions, PIP_WORKS="1").returncode == 0
    (asked,) = installations(tmp_path)
    assert asked.startswith("--quiet torch==2.14.1+cpu torch>=2.11")


def test_where_pip_knows_no_cpu_build_uv_is_asked_for_one(install: Install, tmp_path: Path) -> None:
    assert install("torch-if-light", VERSIONS="2.15.0", PIP_WORKS="1", UV_WORKS="1").returncode == 0
    (asked,) = installations(tmp_path)
    assert "--torch-backend=cpu torch>=2.11" in asked


def test_the_tests_do_without_rather_than_fetch_gigabytes(install: Install, tmp_path: Path) -> None:
    done = install("torch-if-light", gpu=True, VERSIONS="2.15.0", PIP_WORKS="1")
    assert done.returncode == 0
    assert "will be SKIPPED" in done.stderr
    assert [line for line in installations(tmp_path) if "--torch-backend=cpu" not in line] == []


def test_who_asks_for_torch_is_told_that_it_failed(install: Install) -> None:
    done = install("torch", VERSIONS="2.15.0", PIP_WORKS="1")
    assert done.returncode == 1
    assert "pip install torch" in done.stderr


def test_a_second_start_asks_nobody(install: Install, tmp_path: Path) -> None:
    install("torch", VERSIONS="2.13.0+cpu", PIP_WORKS="1")
    assert install("torch").returncode == 0
    assert not (tmp_path / "log").exists()


def test_a_gpu_that_was_put_in_later_gets_its_build(install: Install, tmp_path: Path) -> None:
    install("torch", VERSIONS="2.13.0+cpu", PIP_WORKS="1")
    assert install("torch", gpu=True, UV_WORKS="1").returncode == 0
    assert "--torch-backend=auto" in installations(tmp_path)[-1]


def test_packages_of_the_lock_keep_their_versions(install: Install, tmp_path: Path) -> None:
    """What is given as constraint names each package of the lock, and no hash."""
    keep = 'for a; do case "$a" in *.txt) cp "$a" "$KEPT" ;; esac; done; exit 0\n'
    _write_program(tmp_path / ".venv/bin/python", PYTHON + keep)
    kept = tmp_path / "kept.txt"
    install("torch", VERSIONS="2.13.0+cpu", PIP_WORKS="1", KEPT=str(kept))
    text = kept.read_text()
    assert "numpy==" in text
    assert "sha256" not in text
    assert json.loads((tmp_path / ".venv/installed.json").read_text())["torch"].startswith("CPU ")
