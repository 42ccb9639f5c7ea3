"""What tests of fetching do as a server's threads do it."""

from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from models.tables import Fetch, Job
from tests.web.conftest import site_of
from web.fetching import Fetcher
from web.fetching.download import Web
from web.site import Site


def wish(client: FlaskClient, **given: object) -> dict[str, Any]:
    """Wish for files to be fetched; return what was begun and what refused."""
    answer = client.post("/api/fetches", json=given)
    assert answer.status_code == 202, answer.text
    begun: dict[str, Any] = answer.get_json()
    return begun


def one(client: FlaskClient, **given: object) -> str:
    """Wish for one file; return the address of its fetch."""
    begun = wish(client, **given)
    assert begun["refused"] == []
    (fetch,) = begun["fetches"]
    url: str = fetch["links"]["self"]
    return url


def work(app: Flask, web: Web | None = None) -> None:
    """Do what is due, once."""
    fetcher = Fetcher(site_of(app), web)
    for thread in fetcher.begin_due():
        thread.join(60)
        assert not thread.is_alive()


def make_due(app: Flask) -> None:
    """Let the time pass after which trouble is to be tried again."""
    with site_of(app).store.write() as session:
        session.execute(update(Fetch).values(due_ms=0))


def count_jobs(site: Site) -> int:
    with site.store.read() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return all files in a folder with their times of change, to see that nothing touched them."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
