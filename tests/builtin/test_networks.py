"""How networks are opened."""

import os
import subprocess
import sys
from pathlib import Path

OPENING = """
from worker.builtin.networks import open_network
from worker.builtin.objects import WEIGHTS
open_network(WEIGHTS)
"""


def test_the_runtime_keeps_no_account_of_its_use_for_its_makers(tmp_path: Path) -> None:
    """Where it reports, it notes an id and what it will send below the home folder."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", OPENING], env=env, check=True)
    assert [*tmp_path.iterdir()] == []
