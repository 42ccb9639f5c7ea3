"""An endpoint comments on the real stack: what it sees is what people read."""

import json
from pathlib import Path

import pytest

from serve.sample import SAMPLE
from tests.journey.stack import running_stack
from tests.openai.endpoint import running_endpoint
from tests.openai.server import KEY

pytestmark = pytest.mark.slow


def test_an_endpoint_comments_the_sample(tmp_path: Path) -> None:
    settings = {"OPENAI_KEY": KEY, "OPENAI_MODEL": "thinker", "COMMENTATOR": "openai,builtin"}
    prices = {"OPENAI_PRICE_IN": "1", "OPENAI_PRICE_OUT": "4"}
    with (
        running_endpoint() as url,
        running_stack(tmp_path, OPENAI_URL=url, **settings, **prices) as stack,
    ):
        with stack.client() as client:
            job_id = client.submit(SAMPLE, {"profile": "detailed"})["id"]
        assert stack.wait_until_ended(job_id) == "done"
        with stack.client() as client:
            document = json.loads(client.export(job_id, "json"))
            captions = client.export(job_id, "srt")
    job, segments = document["job"], document["segments"]
    assert "4 pictures of" in captions
    assert "secret thought" not in captions
    assert [network["name"] for network in job["networks"]] == ["thinker"]
    assert {(segment["tokens_in"], segment["tokens_out"]) for segment in segments} == {(1000, 10)}
    assert all(segment["facts"]["cost"] == pytest.approx(0.00104) for segment in segments)
    assert KEY not in "".join(stack.log) + json.dumps(document)
