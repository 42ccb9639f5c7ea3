"""The same stack on Postgres and a Redis server that others run too."""

from pathlib import Path

import pytest

from tests.journey.footage import write_moving_square
from tests.journey.stack import running_stack
from tests.packaging.processes import wait_for


@pytest.mark.parametrize("empty_database_url", ["postgres"], indirect=True)
def test_a_job_is_done_on_postgres_through_kills(
    empty_database_url: str, broker_url: str, tmp_path: Path
) -> None:
    clip = write_moving_square(tmp_path / "clip.mp4", seconds=120)
    data_dir = tmp_path / "data"
    urls = {"DATABASE_URL": empty_database_url, "REDIS_URL": broker_url}
    with running_stack(data_dir, **urls, CHUNK_WINDOWS="5") as stack, stack.client() as client:
        job_id = client.submit(clip, {})["id"]
        for program in ("worker", "beat", "worker"):
            wait_for(lambda: job_id in {job for job, *_ in stack.claims()}, "the first chunk")
            stack.kill(program)
        assert stack.wait_until_ended(job_id) == "done"
        indexes = [segment["index"] for segment in client.segments(job_id)["segments"]]
    assert indexes == list(range(30))
    assert not (data_dir / "reelnotes.db").exists()
