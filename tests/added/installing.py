"""Packages that add a commentator, installed into a folder of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "brightness"


def install_example(folder: Path) -> Path:
    """Install the example as a person would; return what PYTHONPATH must name."""
    source, site = folder / "source", folder / "site"
    shutil.copytree(EXAMPLE, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--no-compile", "--target", str(site), str(source)]
    subprocess.run(command, check=True, timeout=120)
    return site


def write_package(site: Path, name: str, target: str, code: str) -> Path:
    """Write what an installed package leaves: its module and its entry point."""
    info = site / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[reelnotes.commentators]\n{name} = {target}\n")
    (site / f"{target.partition(':')[0]}.py").write_text(code)
    return site


def run(*arguments: str, site: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run our command line where the packages of a folder are installed too."""
    env = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "400", **settings}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
