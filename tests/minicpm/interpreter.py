"""Runs Triton kernels where there is no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_interpreted(program: str) -> None:
    """Run Python lines in a process of its own, for Triton decides when imported; skip without it."""
    pytest.importorskip("triton", reason="needs Triton")
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
