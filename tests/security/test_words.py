"""The same nasty strings in every place where a person's words, or a commentator's, appear."""

import ast
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import srt
import webvtt
from flask.testing import FlaskClient

from cli.jobs import describe
from models.errors import BadFile
from models.printable import printable
from submission import _name
from tests.security.nasty import NASTY
from tests.test_architecture import sources
from tests.web.commenting import comment_windows, fail_next
from tests.web.requests import upload
from web.exports import download_stem
from web.filenames import clean_filename
from web.site import Site
from worker.guard import clean

ROOT = Path(__file__).parents[2]
FIELDS = ("retry:", "id:", "event:", "data:", ":")


@pytest.fixture
def jobs(client: FlaskClient, site: Site, known_clip: Path) -> list[dict[str, Any]]:
    """Return a failed job for each string, which is its name, its comment and its failure."""
    made = []
    for text in NASTY:
        job = upload(client, known_clip, filename=text.encode(errors="replace").decode())
        comment_windows(site.store, site.media, job["id"], 1, clean(text) or "Nothing.")
        fail_next(site.store, job["id"], BadFile(clean(text)))
        made.append(client.get(job["links"]["self"]).get_json())
    return made


class Page(HTMLParser):
    """What a browser would make of a page: tags with their attributes, and the title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_title = tag == "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
            self._in_title = False


def test_on_a_page(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    """Only our own scripts are there, and no attribute that runs one."""
    tags_of_any = {tag for tag, _ in Page(client.get(jobs[-2]["links"]["page"]).text).tags}
    for job in jobs:
        page = Page(client.get(job["links"]["page"]).text)
        assert {tag for tag, _ in page.tags} == tags_of_any
        assert page.title == f"{job['filename']} – Reelnotes"
        for tag, attributes in page.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes)
            assert not (attributes.get("href") or "").startswith("javascript:")
            if tag == "script":
                assert (attributes["src"] or "").startswith("/static/")


def test_on_the_sign_in_page(client: FlaskClient) -> None:
    for text in NASTY:
        answer = client.get("/sign-in", query_string={"next": text.encode(errors="replace")})
        assert [tag for tag, _ in Page(answer.text).tags].count("script") == 1


def test_in_json(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    for text, job in zip(NASTY, jobs, strict=True):
        assert job["filename"] == clean_filename(text.encode(errors="replace").decode())
        answer = client.get(job["links"]["segments"])
        assert answer.mimetype == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.get_json()["segments"][0]["text"] == (clean(text) or "Nothing.")


def test_in_subtitles(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        cues = list(srt.parse(client.get(job["links"]["exports"]["srt"]).text))
        assert cues
        assert cues[0].start.total_seconds() == 0
        assert cues[-1].end.total_seconds() <= 6
        captions = webvtt.from_string(client.get(job["links"]["exports"]["vtt"]).text).captions
        assert captions[0].start_in_seconds == 0
        assert len(captions) == len(cues)
        assert not any("<" in caption.raw_text for caption in captions)


def test_in_a_spreadsheet(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        rows = list(csv.reader(io.StringIO(client.get(job["links"]["exports"]["csv"]).text)))
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not re.match(r"[=@\t\r]|[+-](?![\d.]+$)", cell.lstrip("\ufeff")), cell


def test_in_the_other_exports(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        exports = job["links"]["exports"]
        document = json.loads(client.get(exports["json"]).text)
        assert document["job"]["filename"] == job["filename"]
        text = client.get(exports["txt"]).text
        assert all(line.isprintable() for line in text.split("\n"))


def test_in_a_header(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        answer = client.get(job["links"]["exports"]["srt"])
        (disposition,) = answer.headers.getlist("Content-Disposition")
        assert disposition.isascii()
        assert disposition.isprintable()
        assert disposition.startswith("attachment; filename=")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("text", NASTY)
def test_as_a_file_name(text: str) -> None:
    job: Any = {"id": "aaaaaaaaaaaaaaaa", "filename": clean_filename(text)}
    for name in (f"{download_stem(text)}.srt", _name(job, "srt")):
        assert Path(name).name == name
        assert not name.startswith((".", "-"))
        assert "\0" not in name
        assert len(name.encode()) <= 255
    assert (Path("/out") / _name(job, "srt")).resolve().parent == Path("/out")


def test_in_events(client: FlaskClient, jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        stream = client.get(job["links"]["events"]).text
        assert all(line.startswith(FIELDS) for line in stream.split("\n") if line)
        assert "\r" not in stream


def test_on_a_terminal(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        shape: Any = job
        assert describe(shape).isprintable()
        assert printable(job["failure"]["message"]).isprintable()


def test_no_shell_is_ever_asked() -> None:
    """A name can be no command where nothing reads commands."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("os.system", "os.popen", "eval", "exec"), path
                assert "getoutput" not in called, path
                assert not any(keyword.arg == "shell" for keyword in node.keywords), path


def test_scripts_write_words_as_text() -> None:
    for path in (ROOT / "web" / "static").glob("*.js"):
        script = path.read_text()
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert way not in script, f"{path.name}: {way}"


def test_templates_hold_no_inline_script_or_style() -> None:
    for path in (ROOT / "web" / "templates").glob("*.html"):
        template = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", template), (
            path.name
        )


def test_one_template_writes_markup_unescaped_and_it_is_our_own() -> None:
    templates = {p.name: p.read_text() for p in (ROOT / "web" / "templates").glob("*.html")}
    unescaped = {
        name for name, text in templates.items() if re.search(r"\|\s*safe|autoescape", text)
    }
    assert unescaped == {"field.html"}  # the limits of a field, literal in index.html
