"""A network of the hub comments on the real stack: tiny and random, but really computed."""

import json
from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch", reason="the commentator transformers needs PyTorch")
pytest.importorskip("transformers", reason="the commentator transformers needs that package")

from serve.sample import SAMPLE
from tests.journey.stack import running_stack
from tests.transformers.tiny import write_network

pytestmark = pytest.mark.slow

# Beside PyTorch's own threads four of ours would wait for each other on two cores.
CALM = {"OMP_NUM_THREADS": "1", "WORKER_THREADS": "4", "CHUNK_WINDOWS": "1"}


def test_a_network_of_the_hub_comments_the_sample(tmp_path: Path) -> None:
    write_network(tmp_path / "data" / "models" / "tiny" / "network", "idefics3")
    settings = {"COMMENTATOR": "transformers,builtin", "TRANSFORMERS_MODEL": "tiny/network", **CALM}
    with running_stack(tmp_path / "data", **settings) as stack:
        page = httpx.get(stack.url).text
        with stack.client() as client:
            wish = {"max_new_tokens": "24", "temperature": "1.5", "top_p": "1"}
            job_id = client.submit(SAMPLE, {**wish, "profile": "nature"})["id"]
            other = client.submit(SAMPLE, {"commentator": "builtin"})["id"]
        assert stack.wait_until_ended(job_id) == "done"
        assert stack.wait_until_ended(other) == "done"
        with stack.client() as client:
            document = json.loads(client.export(job_id, "json"))
            shown = httpx.get(f"{stack.url}/jobs/{job_id}").text
    assert '<option value="transformers" data-label="a vision-language model of the Hugging' in page
    assert "run here: it can be wrong" in shown
    job, segments = document["job"], document["segments"]
    (network,) = job["networks"]
    assert network["name"] == "Idefics3ForConditionalGeneration, float32"
    assert network["checkpoint"] == "tiny/network"
    assert job["parameters"]["profile"] == "nature"
    told = [segment for segment in segments if segment["tokens_out"]]
    assert len(told) == len(segments) > 1
    assert all(segment["tokens_in"] > 100 for segment in told)
    assert all(set(segment["text"]) <= set("abcdefghijklmnopqrstuvwxyz. ") for segment in told)
