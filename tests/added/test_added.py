"""A package that can't add its commentator is refused with the reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.added.installing import EXAMPLE, ROOT, run, write_package

ABOUT = """
from models.commentators import About
class Odd:
    name = "odd"
    about = About("odd", "words", is_prompted=False)
"""


@pytest.mark.parametrize(
    ("target", "code", "why", "commands"),
    [
        (
            "oddity:Odd",
            "import nothing_like_it",
            "ModuleNotFoundError: No module named 'nothing_",
            ("serve", "web", "worker"),
        ),
        ("oddity:Missing", ABOUT, "can't be imported: AttributeError", ("serve",)),
        ("oddity:Odd", "class Odd: pass", "has no `about`", ("web",)),
        ("oddity:Odd", ABOUT.replace('"odd"', '"even"', 1), "calls itself 'even'", ("worker",)),
    ],
)
def test_a_broken_one_is_refused_at_the_start(
    tmp_path: Path, target: str, code: str, why: str, commands: tuple[str, ...]
) -> None:
    site = write_package(tmp_path / "site", "odd", target, code)
    for command in commands:
        result = run(command, site=site, COMMENTATOR="builtin,odd", DATA_DIR=str(tmp_path / "data"), REDIS_URL="redis://127.0.0.1:9/0")  # fmt: skip
        assert result.returncode == 2, result.stderr
        assert why in result.stderr
        assert "Traceback" not in result.stderr


def test_none_takes_the_name_of_ours(tmp_path: Path) -> None:
    site = write_package(tmp_path, "builtin", "oddity:Odd", ABOUT)
    look = "from models.commentators import label_of; print(label_of('builtin'))"
    env = {**os.environ, "PYTHONPATH": str(site)}
    told = subprocess.run([sys.executable, "-c", look], cwd=ROOT, env=env, capture_output=True, text=True)  # fmt: skip
    assert told.stdout.startswith("object tags")


def test_the_guide_shows_the_example_as_it_is() -> None:
    guide = (ROOT / "docs" / "commentators.md").read_text()
    for name in ("brightness.py", "pyproject.toml"):
        assert (EXAMPLE / name).read_text().strip() in guide
