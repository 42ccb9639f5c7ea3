"""A small client of the API, for programs and for the command line."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from web.shapes import JobListShape, JobShape, SegmentListShape

_PIECE_BYTES = 1 << 20


class Unreachable(Exception):
    """No server answers; the text says where it was looked for."""


class Refused(Exception):
    """The server refuses; `kind` is stable, the text a sentence for a person."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Client:
    """Talks to one server. Every call raises Unreachable or Refused."""

    def __init__(self, url: str, password: str = "") -> None:
        headers = {"Authorization": f"Bearer {password}"} if password else {}
        # Proxies of the environment are for the outside; a probe of a large file takes its time.
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=httpx.Timeout(30, read=600), trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(
        self,
        path: Path,
        parameters: Mapping[str, str],
        sent: Callable[[int], None] = lambda _: None,
    ) -> "JobShape":
        """Upload a file and queue it; `sent` is told of each piece's bytes as it leaves."""

        def pieces() -> Iterator[bytes]:
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
                    sent(len(piece))

        job: JobShape = self._json(
            "POST",
            "/api/jobs",
            params={**parameters, "filename": path.name.encode(errors="replace").decode()},
            content=pieces(),
            headers={
                "Content-Length": str(path.stat().st_size),
                "Content-Type": "application/octet-stream",
            },
        )
        return job

    def job(self, job_id: str) -> "JobShape":
        job: JobShape = self._json("GET", f"/api/jobs/{quote(job_id, safe='')}")
        return job

    def jobs(self, limit: int, before: str = "", state: str = "") -> "JobListShape":
        """List jobs, newest first; `before` is the last answer's `next`."""
        wish = {"limit": str(limit), "before": before, "state": state}
        jobs: JobListShape = self._json(
            "GET", "/api/jobs", params={name: value for name, value in wish.items() if value}
        )
        return jobs

    def segments(self, job_id: str, since: int = 0) -> "SegmentListShape":
        """Return the segments from window `since` on; ask again from the answer's `next`."""
        segments: SegmentListShape = self._json(
            "GET", f"/api/jobs/{quote(job_id, safe='')}/segments", params={"since": str(since)}
        )
        return segments

    def change(self, job_id: str, wish: str) -> "JobShape":
        """Cancel, pause, resume or retry a job."""
        job: JobShape = self._json("POST", f"/api/jobs/{quote(job_id, safe='')}/{wish}")
        return job

    def delete(self, job_id: str) -> None:
        self._send("DELETE", f"/api/jobs/{quote(job_id, safe='')}")

    def export(self, job_id: str, export_format: str) -> str:
        """Return the commentary so far as srt, vtt, json, csv or txt."""
        return self._send("GET", f"/api/jobs/{quote(job_id, safe='')}/export.{export_format}").text

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self._send(method, path, **options).json()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unreachable(
                f"No Reelnotes server answers at {self._http.base_url} ({error}). "
                "Start one with `reelnotes serve`, or name it with --server."
            ) from error
        if answer.is_success:
            return answer
        raise _refusal(answer)


def _refusal(answer: httpx.Response) -> Refused:
    try:
        error = answer.json()["error"]
        return Refused(error["kind"], error["message"])
    except (ValueError, KeyError, TypeError):
        return Refused(
            "unavailable", f"The server answered {answer.status_code} without saying why."
        )
