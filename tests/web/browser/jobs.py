"""Jobs for the pages to show."""

from pathlib import Path
from typing import Any

import httpx

from tests.web.server import Server


def queue(server: Server, clip: Path, **query: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{server.url}/api/jobs",
        params={"filename": clip.name, **query},
        content=clip.read_bytes(),
        timeout=60,
    )
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    return job
