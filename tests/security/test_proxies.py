"""What a client says of itself in the name of a proxy is not believed by the server as it runs."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.web.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    env = {"PASSWORD": "long enough", "REDIS_URL": shared_broker_url}
    with running_server(tmp_path_factory.mktemp("web"), env) as server:
        yield server


@pytest.mark.parametrize(
    "headers",
    [
        {"SCRIPT_NAME": "//evil.example"},
        {"PATH_INFO": "/api/health"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Prefix": "//evil.example"},
        {"X-Original-URL": "/api/health"},
    ],
)
def test_no_header_leads_elsewhere_or_past_the_sign_in(
    server: Server, headers: dict[str, str]
) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/", headers={"Accept": "text/html", **headers})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (302, "/sign-in?next=/")
    assert answer.headers["Strict-Transport-Security"] is None
    connection.close()


def test_the_server_doesnt_tell_what_it_is_made_of(server: Server) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/sign-in")
    assert connection.getresponse().headers["Server"] in (None, "gunicorn")  # no version
    connection.close()
