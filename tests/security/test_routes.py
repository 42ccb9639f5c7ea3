"""Whatever is sent to whatever address, the answer is a proper one: never a server error."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from werkzeug.test import TestResponse

from models.store import Store
from tests.security.nasty import NASTY
from tests.web.commenting import comment_windows
from tests.web.conftest import BuildApp, site_of
from tests.web.requests import upload
from web.sign_in import OPEN

PASSWORD = "long enough"

NAMES = [
    "limit",
    "before",
    "state",
    "since",
    "inline",
    "filename",
    "priority",
    "next",
    "password",
    "commentator",
    "capture_fps",
    "frames_per_inference",
    "frame_stride",
    "window_hop",
    "change_threshold",
    "max_new_tokens",
    "profile",
    "q",
    "left",
    "right",
    "only",
    "from",
    "until",
    "offset",
    "path",
    "unknown",
]
HEADERS = [
    "Host",
    "Origin",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
    "Last-Event-ID",
    "Authorization",
    "Accept",
    "Content-Type",
    "Sec-Fetch-Site",
    "Cookie",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "Content-Length",
    "Expect",
    "Referer",
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Checksum",
    "X-HTTP-Method-Override",
]
TYPES = (
    "application/json",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "",
)
BODIES = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbody\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="priority"\r\n\r\n9\r\n--x--\r\n',
    b'{"priority": 1e400}',
    b'{"priority": 99999999999999999999999999}',
    b'{"priority": true}',
    b"[" * 20_000,
    b"\xff\xfe\x00",
)

numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["1e9999999", "NaN", "inf", "-0", "1/0", "0x10", "٣", "9" * 5000, "1_0"]),
)
texts = st.one_of(st.text(max_size=40), st.sampled_from(NASTY), numbers)
header_texts = st.one_of(
    st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n\0"), max_size=40),
    st.sampled_from(
        ["bytes=0-", "bytes=-1", "bytes=9-1", "bytes=0-0,5-9", "bytes=99999999999999999999-", "Bearer x",
         "Bearer \xff", "1.0.0", "0", "sha1 ====", "filename YQ==", "PATCH", "Basic eDp5", "text/html", "application/json", "[", "a:b:c", "-1", "9" * 400]
    ),
)  # fmt: skip
bodies = st.one_of(
    st.sampled_from(BODIES),
    st.binary(max_size=200),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "priority",
                        "text",
                        "revision",
                        "by",
                        "action",
                        "ids",
                        "windows",
                        "parameters",
                        "paths",
                        "urls",
                        "fields",
                        "x",
                    ]
                ),
                inner,
            ),
        ),
        max_leaves=5,
    ).map(lambda value: json.dumps(value).encode()),
)


def text_of(text: str) -> str:
    return quote(text.encode(errors="replace"), safe="")


@st.composite
def requests(draw: DrawFn, rule: Any, job_ids: SearchStrategy[str]) -> dict[str, Any]:
    """Draw a request for a rule, without its method; its ids are often those of things that are there."""
    path = ""
    for is_dynamic, part in _parts(rule.rule):
        if not is_dynamic:
            path += part
        elif "id" in part:
            path += text_of(draw(st.one_of(job_ids, job_ids, texts)))
        elif "format" in part:
            path += text_of(draw(st.one_of(st.sampled_from(["srt", "csv", "json"]), texts)))
        else:
            path += text_of(draw(st.one_of(st.sampled_from(["0", "style.css"]), texts)))
    query = draw(st.dictionaries(st.sampled_from(NAMES), texts, max_size=4))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), header_texts, max_size=3))
    if draw(st.booleans()):
        headers["Content-Type"] = draw(st.sampled_from(TYPES))
    return {
        "path": path,
        "query_string": "&".join(f"{name}={text_of(value)}" for name, value in query.items()),
        "headers": headers,
        "data": draw(bodies),
    }


def _parts(rule: str) -> list[tuple[bool, str]]:
    pieces = rule.replace("<", "\0<").replace(">", ">\0").split("\0")
    return [(piece.startswith("<"), piece) for piece in pieces if piece]


ROUTES = [
    "activity.page GET",
    "activity.show GET",
    "api.cancel POST",
    "api.change PATCH",
    "api.commentators GET",
    "api.delete DELETE",
    "api.index GET",
    "api.pause POST",
    "api.playback GET",
    "api.resume POST",
    "api.retry POST",
    "api.segments GET",
    "api.show GET",
    "api.submit POST",
    "api.want_playback POST",
    "batch.batch POST",
    "batch.export POST",
    "batch.ids GET",
    "corrections.correct PUT",
    "corrections.show GET",
    "events.stream GET",
    "exporting.export GET",
    "exporting.forget DELETE",
    "exporting.offer GET",
    "exporting.schema GET",
    "exporting.show GET",
    "exporting.want POST",
    "fetches.begin POST",
    "fetches.index GET",
    "fetches.remove DELETE",
    "fetches.retry POST",
    "fetches.show GET",
    "fetches.show_folder GET",
    "files.playback GET",
    "files.sheet GET",
    "files.still GET",
    "files.video GET",
    "health.health GET",
    "health.ready GET",
    "metrics.show GET",
    "pages.again GET",
    "pages.compare GET",
    "pages.find GET",
    "pages.index GET",
    "pages.show GET",
    "presets.index GET",
    "presets.remove DELETE",
    "presets.save PUT",
    "reference.document GET",
    "reference.page GET",
    "runs.comparison GET",
    "runs.index GET",
    "runs.start POST",
    "search.search GET",
    "summary.forget DELETE",
    "summary.show GET",
    "summary.want POST",
    "transcript.forget DELETE",
    "transcript.show GET",
    "transcript.want POST",
    "sign_in.enter POST",
    "sign_in.leave POST",
    "sign_in.show GET",
    "static GET",
    "tus.append PATCH",
    "tus.create POST",
    "tus.head HEAD",
    "tus.index GET",
    "tus.override POST",
    "tus.remove DELETE",
    "tus.show GET",
    "webhooks.add POST",
    "webhooks.change PATCH",
    "webhooks.deliveries GET",
    "webhooks.index GET",
    "webhooks.redeliver POST",
    "webhooks.remove DELETE",
    "webhooks.rotate POST",
    "webhooks.show GET",
    "words.module GET",
]


@pytest.fixture
def app(build_app: BuildApp, clip: Path, tmp_path: Path) -> Flask:
    """Build an application that offers every way in."""
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clip, folder / "bars.mp4")
    return build_app(server_folder=str(folder), fetch_urls=1)


def test_every_route_is_tried(app: Flask) -> None:
    there = {
        f"{rule.endpoint} {method}"
        for rule in app.url_map.iter_rules()
        for method in with_head_by_get(rule.methods or set())
    }
    assert there == set(ROUTES)


def with_head_by_get(methods: set[str]) -> set[str]:
    """Leave out what Flask answers by itself, and HEAD where each request is asked both ways."""
    return methods - {"OPTIONS"} - ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize("route", ROUTES)
def test_no_request_is_answered_with_a_server_error(
    app: Flask, route: str, known_clip: Path, request: pytest.FixtureRequest
) -> None:
    endpoint, method = route.split()
    (rule,) = (r for r in app.url_map.iter_rules(endpoint) if method in (r.methods or ()))
    methods = ["GET", "HEAD"] if method == "GET" else [method]
    client, site = app.test_client(), site_of(app)
    ended = upload(client, known_clip)
    comment_windows(site.store, site.media, ended["id"], 2)
    reads = method in ("GET", "HEAD")

    @settings(
        max_examples=request.config.getoption("--examples"),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def try_it(data: st.DataObject) -> None:
        job_id = ended["id"] if reads else upload(client, known_clip)["id"]
        ids = st.sampled_from([job_id, ended["video"]["id"]])
        if endpoint.startswith("fetches."):
            begun = client.post("/api/fetches", json={"paths": ["bars.mp4"]}).get_json()
            ids = st.just(begun["fetches"][0]["id"])
        asked = data.draw(requests(rule, ids))
        for each in methods:
            check(client.open(**asked, method=each), asked)

    try_it()


def check(answer: TestResponse, asked: dict[str, Any]) -> None:
    assert answer.status_code < 500, (asked, answer.text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    if answer.status_code >= 400 and answer.mimetype == "application/json" and answer.data:
        error = answer.get_json()["error"]
        assert set(error) == {"kind", "message"}
        assert error["message"]


def test_no_sign_in_breaks_the_server(build_app: BuildApp, request: pytest.FixtureRequest) -> None:
    guesser = build_app(password=PASSWORD).test_client()
    person = build_app(password=PASSWORD).test_client()

    @settings(
        max_examples=request.config.getoption("--examples"),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(password=texts, target=texts, header=header_texts)
    def try_it(password: str, target: str, header: str) -> None:
        form = {
            "password": password.encode(errors="replace"),
            "next": target.encode(errors="replace"),
        }
        assert guesser.post("/sign-in", data=form).status_code in (401, 429)
        token = guesser.get("/api/jobs", headers={"Authorization": f"Bearer {header}"})
        assert token.status_code in (401, 429)
        signed_in = person.post("/sign-in", data={**form, "password": PASSWORD})
        assert signed_in.status_code == 303
        place = signed_in.headers["Location"]
        assert place.startswith("/")
        assert not place.startswith(("//", "/\\"))

    try_it()


def test_a_stranger_gets_nothing_from_any_route(build_app: BuildApp) -> None:
    app = build_app(password=PASSWORD)
    client: FlaskClient = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN or rule.endpoint == "sign_in.leave":
            continue
        values: dict[str, Any] = dict.fromkeys(rule.arguments, "a" * 16)
        values |= dict.fromkeys({"window", "number"} & rule.arguments, 0)
        with app.test_request_context():
            path = app.url_for(rule.endpoint, **values)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(path, method=method)
            assert (answer.status_code, answer.get_json()["error"]["kind"]) == (401, "sign-in"), (
                path
            )


def test_what_is_private_is_kept_by_no_cache(
    build_app: BuildApp, known_clip: Path, store: Store
) -> None:
    client = build_app(password=PASSWORD).test_client()
    client.post("/sign-in", data={"password": PASSWORD})
    job = upload(client, known_clip)
    for path in (
        "/",
        job["links"]["page"],
        job["links"]["self"],
        job["links"]["exports"]["srt"],
        "/sign-in",
    ):
        assert "no-store" in client.get(path).headers["Cache-Control"], path
    kept = client.get(job["video"]["url"]).headers["Cache-Control"]
    assert "private" in kept
    assert "no-cache" in kept
