"""Videos by address: which may be asked, what is made of the answers, and that nothing comes twice."""

import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from models.errors import InvalidRequest
from models.outbound import Hosts, NotAllowed, UnknownHost, is_public, look_up
from models.tables import Fetch
from tests.web.certificate import contexts_for
from tests.web.clips import write_large_clip
from tests.web.conftest import BuildApp, site_of
from tests.web.fetching import count_jobs, make_due, one, wish, work
from tests.web.file_server import FileServer, running_file_server
from web.fetching import Fetcher, download
from web.fetching.download import Web
from web.fetching.urls import parse_url

LOCAL = "127.0.0.1"


@pytest.fixture
def files(clip: Path) -> Iterator[FileServer]:
    """Yield a server on 127.0.0.1 that serves the clip."""
    with running_file_server() as files:
        files.content = clip.read_bytes()
        yield files


@pytest.fixture
def app(build_app: BuildApp) -> Flask:
    return build_app(fetch_urls=1, fetch_hosts=LOCAL)


@pytest.fixture
def strict(build_app: BuildApp) -> Flask:
    """Return an application whose operator names no private host."""
    return build_app(fetch_urls=1)


def test_a_video_is_fetched_by_its_address(
    app: Flask, client: FlaskClient, files: FileServer
) -> None:
    url = one(client, urls=[files.url("/talks/a%20talk.mp4?key=secret")], fields={"priority": "2"})
    waits = client.get(url).get_json()
    assert (waits["state"], waits["filename"]) == ("waiting", "a talk.mp4")
    assert "secret" not in client.get("/api/fetches").text
    work(app)
    done = client.get(url).get_json()
    assert (done["state"], done["offset_bytes"]) == ("done", len(files.content))
    job = client.get(f"/api/jobs/{done['job']}").get_json()
    assert (job["filename"], job["priority"]) == ("a talk.mp4", 2)
    assert (
        site_of(app).media.root / site_of(app).media.video(job["video"]["id"])
    ).read_bytes() == files.content
    assert files.asked == [("/talks/a%20talk.mp4?key=secret", None, f"{LOCAL}:{files.port}")]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="evening news.mp4"', "evening news.mp4"),
        ("attachment; filename*=UTF-8''%E6%B5%B7.mp4", "海.mp4"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\x\\\\a\x07.mp4"', "a.mp4"),
        ('attachment; filename=""', "unnamed"),
    ],
)
def test_the_other_server_names_the_file(
    app: Flask, client: FlaskClient, files: FileServer, header: str, name: str
) -> None:
    files.headers["Content-Disposition"] = header
    url = one(client, urls=[files.url()])
    work(app)
    assert client.get(url).get_json()["filename"] == name


def test_a_line_that_breaks_is_gone_on_with(
    app: Flask, client: FlaskClient, files: FileServer, tmp_path: Path
) -> None:
    files.content = write_large_clip(tmp_path / "large.mp4", 600_000).read_bytes()
    files.cut_after, files.cuts_left = 200_000, 2
    url = one(client, urls=[files.url()])
    work(app)
    cut = client.get(url).get_json()
    assert (cut["state"], cut["size_bytes"]) == ("waiting", 600_000)
    assert "broke off" in cut["trouble"]
    assert 0 < cut["offset_bytes"] < 600_000
    for _ in range(2):
        make_due(app)
        work(app)
    done = client.get(url).get_json()
    assert done["state"] == "done"
    job = client.get(f"/api/jobs/{done['job']}").get_json()
    assert (
        site_of(app).media.root / site_of(app).media.video(job["video"]["id"])
    ).read_bytes() == files.content
    begins = [int((span or "bytes=0-")[6:-1]) for span in files.ranges_asked]
    assert begins[0] == 0 < begins[1] < begins[2]


@pytest.mark.parametrize(
    "manners",
    [
        {"etag": None},
        {"ranges": False},
        {"etag": '"two"'},
        {"etag": '"two"', "heeds_if_range": False},
    ],
)
def test_what_can_not_be_gone_on_with_is_begun_anew(
    app: Flask, client: FlaskClient, files: FileServer, tmp_path: Path, manners: dict[str, object]
) -> None:
    files.content = write_large_clip(tmp_path / "large.mp4", 600_000).read_bytes()
    files.cut_after, files.cuts_left = 200_000, 1
    url = one(client, urls=[files.url()])
    if manners.get("etag", "") is None:
        files.etag = None
    work(app)
    for name, value in manners.items():
        setattr(files, name, value)
    if "etag" in manners:  # another file by now
        files.content = write_large_clip(tmp_path / "other.mp4", 500_000, seed=9).read_bytes()
    make_due(app)
    work(app)
    done = client.get(url).get_json()
    assert (done["state"], done["size_bytes"]) == ("done", len(files.content))
    job = client.get(f"/api/jobs/{done['job']}").get_json()
    assert (
        site_of(app).media.root / site_of(app).media.video(job["video"]["id"])
    ).read_bytes() == files.content


def test_a_file_of_unknown_length_is_taken(
    app: Flask, client: FlaskClient, files: FileServer
) -> None:
    files.tells_length = False
    url = one(client, urls=[files.url()])
    work(app)
    done = client.get(url).get_json()
    assert (done["state"], done["size_bytes"]) == ("done", len(files.content))


@pytest.mark.parametrize("tells_length", [True, False])
def test_what_is_too_large_is_refused(
    build_app: BuildApp, files: FileServer, tells_length: bool
) -> None:
    app = build_app(fetch_urls=1, fetch_hosts=LOCAL, max_upload_bytes=1000)
    files.tells_length = tells_length
    client = app.test_client()
    url = one(client, urls=[files.url()])
    work(app)
    refused = client.get(url).get_json()
    assert (refused["state"], refused["failure"]["kind"]) == ("refused", "too-large")
    assert list((site_of(app).media.root / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (404, {}, "fetch"),
        (403, {}, "fetch"),
        (204, {}, "fetch"),
        (200, {"Content-Type": "text/html; charset=utf-8"}, "unsupported"),
        (200, {"Content-Encoding": "gzip"}, "unsupported"),
    ],
)
def test_an_answer_that_is_no_file_is_told_at_once(
    app: Flask,
    client: FlaskClient,
    files: FileServer,
    status: int,
    headers: dict[str, str],
    kind: str,
) -> None:
    files.status, files.headers = status, headers
    url = one(client, urls=[files.url()])
    work(app)
    refused = client.get(url).get_json()
    assert (refused["state"], refused["failure"]["kind"]) == ("refused", kind)
    assert len(files.asked) == 1


def test_a_server_that_is_away_is_asked_again_for_a_while(
    app: Flask, client: FlaskClient, files: FileServer
) -> None:
    files.status = 503
    url = one(client, urls=[files.url()])
    for _ in range(8):
        assert client.get(url).get_json()["state"] == "waiting"
        work(app)
        make_due(app)
    refused = client.get(url).get_json()
    assert refused["failure"]["kind"] == "fetch"
    assert "503" in refused["failure"]["message"]
    assert "8 times" in refused["failure"]["message"]
    files.status = 200
    client.post(f"{url}/retry")
    work(app)
    assert client.get(url).get_json()["state"] == "done"


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_drips_is_given_up_for_now(
    app: Flask,
    client: FlaskClient,
    files: FileServer,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each byte comes soon, and the answer never."""
    monkeypatch.setattr(download, "LONGEST_HEAD_S", 1.0)
    monkeypatch.setattr(download, "LONGEST_SILENCE_S", 1.0)
    files.drips = part
    url = one(client, urls=[files.url()])
    worker = threading.Thread(target=work, args=(app,))
    worker.start()
    worker.join(20)
    try:
        waits = client.get(url).get_json()
        assert (waits["state"], waits["trouble"] is None) == ("waiting", False)
    finally:
        files.go_on.set()
        worker.join(60)
    assert len(files.asked) == 1


def test_who_slept_past_a_lease_does_not_begin_again_what_is_under_way(
    app: Flask, client: FlaskClient, files: FileServer, tmp_path: Path
) -> None:
    """As a machine does whose lid was closed: its leases are over, its threads go on."""
    files.content = write_large_clip(tmp_path / "large.mp4", 900_000).read_bytes()
    files.pause_after = 600_000
    url = one(client, urls=[files.url()])
    fetcher = Fetcher(site_of(app))
    (thread,) = fetcher.begin_due()
    try:
        for _ in range(400):
            if client.get(url).get_json()["offset_bytes"]:
                break
            threading.Event().wait(0.05)
        with site_of(app).store.write() as session:
            session.execute(update(Fetch).values(lease_until_ms=0))
        assert fetcher.begin_due() == []
    finally:
        files.go_on.set()
        thread.join(60)
    assert client.get(url).get_json()["state"] == "done"
    assert len(files.asked) == 1


def test_redirects_are_followed_and_counted(
    app: Flask, client: FlaskClient, files: FileServer
) -> None:
    files.redirects = {f"/{n}": f"/{n + 1}" for n in range(1, 6)} | {"/loop": "/loop"}
    near, loop = (one(client, urls=[files.url(path)]) for path in ("/1", "/loop"))
    work(app)
    assert client.get(near).get_json()["state"] == "done"
    assert client.get(loop).get_json()["failure"]["kind"] == "fetch"


def test_a_fetch_can_be_given_up_while_it_comes(
    app: Flask, client: FlaskClient, files: FileServer, tmp_path: Path
) -> None:
    files.content = write_large_clip(tmp_path / "large.mp4", 900_000).read_bytes()
    files.pause_after = 600_000
    url = one(client, urls=[files.url()])
    worker = threading.Thread(target=work, args=(app,))
    worker.start()
    try:
        for _ in range(400):
            came = client.get(url).get_json()
            if came["offset_bytes"] and came["size_bytes"]:
                break
            threading.Event().wait(0.05)
        assert (came["state"], came["size_bytes"]) == ("fetching", 900_000)
        assert client.delete(url).status_code == 204
    finally:
        files.go_on.set()
        worker.join(60)
    assert client.get(url).status_code == 404
    assert count_jobs(site_of(app)) == 0
    assert list((site_of(app).media.root / "uploads").iterdir()) == []


PRIVATE = [
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://0/",
    "http://localhost/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://198.18.0.1/",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_address_may_be_asked_however_it_is_written(address: str) -> None:
    # Who doesn't read such a number as an address refuses it or finds no such name: just as well.
    with pytest.raises((InvalidRequest, NotAllowed, UnknownHost)):
        Hosts("FETCH_HOSTS").addresses_of(parse_url(address).host, 80)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_may_be_asked(address: str) -> None:
    assert is_public(ip_address(address))


NO_ADDRESSES = [
    "ftp://example.org/a.mp4",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://",
    "http:///a.mp4",
    "a.mp4",
    "",
    "http://user:secret@example.org/a.mp4",
    "http://[::1/a.mp4",
    "http://exa mple.org/",
    "http://example.org:99999/",
    "http://example.org/\r\nX: y",
    "http://example.org/" + "a" * 5000,
    "\udcff",
]


def test_what_is_no_address_is_refused_at_once(strict: Flask) -> None:
    begun = wish(strict.test_client(), urls=NO_ADDRESSES)
    assert begun["fetches"] == []
    assert [refusal["address"] for refusal in begun["refused"]] == NO_ADDRESSES
    assert {refusal["error"]["kind"] for refusal in begun["refused"]} == {"invalid"}


def test_a_private_host_is_not_connected_to(strict: Flask, files: FileServer) -> None:
    client = strict.test_client()
    url = one(client, urls=[files.url()])
    work(strict)
    refused = client.get(url).get_json()
    assert refused["failure"]["kind"] == "invalid"
    assert "FETCH_HOSTS" in refused["failure"]["message"]
    assert files.asked == []


def test_a_redirect_to_a_private_host_is_not_followed(strict: Flask) -> None:
    def find(host: str, port: int) -> list[str]:
        return [LOCAL] if host == "files.example" else look_up(host, port)

    web, client = (
        Web(Hosts("FETCH_HOSTS", frozenset({"files.example"}), find)),
        strict.test_client(),
    )
    with running_file_server() as hidden, running_file_server() as files:
        for path, place in {
            "/name": hidden.url(host="localhost"),
            "/metadata": "http://169.254.169.254/latest/meta-data/",
            "/file": "file:///etc/passwd",
            "/mapped": hidden.url(host="[::ffff:127.0.0.1]"),
            "/address": hidden.url(),
        }.items():
            files.redirects[path] = place
            url = one(client, urls=[files.url(path, host="files.example")])
            work(strict, web)
            assert client.get(url).get_json()["failure"]["kind"] == "invalid", path
        assert hidden.asked == []


def test_a_name_is_looked_up_once_and_that_address_is_asked(
    strict: Flask, files: FileServer
) -> None:
    """A name that is public when it is judged and private a moment later leads nowhere private."""
    answers = [["192.0.2.1", "203.0.113.7"], [LOCAL]]  # for documentation: not public either
    looked_up = []

    def rebind(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return answers[min(len(looked_up), len(answers)) - 1]

    client = strict.test_client()
    url = one(client, urls=[files.url(host="rebind.example")])
    work(strict, Web(Hosts("FETCH_HOSTS", look_up=rebind)))
    assert client.get(url).get_json()["failure"]["kind"] == "invalid"
    assert files.asked == []
    assert looked_up == ["rebind.example"]


def test_the_judged_address_is_connected_to_under_the_hosts_name(
    strict: Flask, files: FileServer
) -> None:
    """The system's own look-up finds no such name: only what was judged can have been asked."""
    seen = []

    def once(host: str, port: int) -> list[str]:
        seen.append((host, port))
        return [LOCAL]

    client = strict.test_client()
    url = one(client, urls=[files.url(host="files.example")])
    work(strict, Web(Hosts("FETCH_HOSTS", frozenset({"files.example"}), once)))
    assert client.get(url).get_json()["state"] == "done"
    assert seen == [("files.example", files.port)]
    assert files.asked[0][2] == f"files.example:{files.port}"


def test_of_several_addresses_the_next_is_asked_when_one_is_away(
    strict: Flask, files: FileServer
) -> None:
    hosts = Hosts("FETCH_HOSTS", frozenset({"files.example"}), lambda host, port: ["::1", LOCAL])
    client = strict.test_client()
    url = one(client, urls=[files.url(host="files.example")])
    work(strict, Web(hosts))
    assert client.get(url).get_json()["state"] == "done"


def test_what_may_be_asked_though_it_isnt_public_is_named_or_lies_in_a_network() -> None:
    """Of several addresses those alone are asked that may be."""
    hosts = Hosts(
        "FETCH_HOSTS",
        frozenset({"nas.lan", "10.0.0.0/8"}),
        lambda host, port: ["192.168.1.5"] if host == "NAS.lan." else ["172.16.0.1", "10.1.2.3"],
    )
    assert [str(address) for address in hosts.addresses_of("NAS.lan.", 80)] == ["192.168.1.5"]
    assert [str(address) for address in hosts.addresses_of("other.lan", 80)] == ["10.1.2.3"]


def test_names_are_looked_up_by_the_system() -> None:
    assert LOCAL in look_up("localhost", 80)


def test_where_nothing_is_fetched_by_address_nothing_is(build_app: BuildApp) -> None:
    client = build_app().test_client()
    answer = client.post("/api/fetches", json={"urls": ["https://example.org/a.mp4"]})
    assert answer.status_code == 404
    assert "FETCH_URLS" in answer.get_json()["error"]["message"]


def test_a_fetch_is_its_persons_own(build_app: BuildApp, files: FileServer) -> None:
    app = build_app(fetch_urls=1, fetch_hosts=LOCAL, password="long enough")
    mine, theirs = app.test_client(), app.test_client()
    for client in (mine, theirs):
        client.post("/sign-in", data={"password": "long enough"})
    url = one(mine, urls=[files.url()])
    assert theirs.get(url).status_code == 404
    assert theirs.delete(url).status_code == 404
    assert theirs.get("/api/fetches").get_json() == {"fetches": [], "next": None}
    assert len(mine.get("/api/fetches").get_json()["fetches"]) == 1


def test_a_certificate_must_be_for_the_hosts_name(
    strict: Flask, clip: Path, tmp_path: Path
) -> None:
    own, trust = contexts_for("files.example", tmp_path)
    names = frozenset({"files.example", "other.example"})
    client = strict.test_client()
    with running_file_server(own) as files:
        files.content = clip.read_bytes()
        web = Web(Hosts("FETCH_HOSTS", names, lambda host, port: [LOCAL]), trust)
        states = []
        for name in sorted(names):
            url = one(client, urls=[f"https://{name}:{files.port}/bars.mp4"])
            work(strict, web)
            states.append(client.get(url).get_json())
    assert [state["state"] for state in states] == ["done", "waiting"]
    assert "certificate" in states[1]["trouble"].lower()
    assert len(files.asked) == 1
