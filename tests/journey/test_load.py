"""The load benchmark in small: a real server, a few people of each kind, and nothing goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CROWD = "--pollers 8 --watchers 4 --uploaders 2 --megabytes 10 --old-jobs 1 --live-jobs 2 --live-minutes 0.7"


def test_a_few_people_at_once_meet_no_error(tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    command = [sys.executable, "-m", "bench.load", *CROWD.split(), "--seconds", "3"]
    command += ["--folder", str(tmp_path), "--json", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(out.read_text())
    assert found["faults"] == {}
    routes = {route["route"]: route for route in found["routes"]}
    assert {"list", "job", "segments", "still", "range of a video", "export.vtt", "upload"} <= set(
        routes
    )
    assert routes["upload"]["count"] == 2
    assert found["watchers"]["seen"] > 0
    assert found["watchers"]["lost"] == found["watchers"]["doubled"] == 0
    web = next(process for process in found["processes"] if process["name"] == "web")
    assert 0 < web["peak_mb"] < 400
