"""A commentator that a package adds is chosen, runs and is told like our own."""

import json
import re
from pathlib import Path

import httpx
import pytest

from serve.sample import SAMPLE
from tests.added.installing import install_example, run
from tests.journey.stack import running_stack


@pytest.mark.slow
def test_the_example_comments_like_our_own(tmp_path: Path) -> None:
    site = install_example(tmp_path)
    both = {"COMMENTATOR": "brightness,builtin", "PYTHONPATH": str(site)}
    with running_stack(tmp_path / "data", **both) as stack:
        page = httpx.get(stack.url).text
        offer = httpx.get(f"{stack.url}/api/commentators").json()["commentators"]
        with stack.client() as client:
            job_id = client.submit(SAMPLE, {})["id"]
        assert stack.wait_until_ended(job_id) == "done"
        with stack.client() as client:
            document = json.loads(client.export(job_id, "json"))
        told = run("doctor", site=site, **both, DATA_DIR=str(tmp_path / "data")).stdout
    assert '<option value="brightness" data-label="mean brightness, an example' in page
    assert [one["name"] for one in offer] == ["brightness", "builtin"]
    assert document["job"]["parameters"]["commentator"] == "brightness"
    assert document["job"]["commentator_label"].startswith("mean brightness, an example")
    first = document["segments"][0]
    assert re.fullmatch(r"The picture's mean brightness is \d+ of 255\.", first["text"])
    assert {segment["kind"] for segment in document["segments"]} <= {"said", "unchanged"}
    assert "COMMENTATOR=brightness,builtin" in told
    assert "workers of brightness: 1 answers" in told
