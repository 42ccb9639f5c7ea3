"""Server-sent events: what a stream tells, in which order, and when it ends."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from models import chunks
from tests.web.commenting import claim_next, comment_windows, store_comment
from tests.web.requests import upload
from web import events, feeds
from web.site import Site


@pytest.fixture
def job(client: FlaskClient, known_clip: Path) -> dict[str, Any]:
    return upload(client, known_clip, window_hop="2")


@contextmanager
def listening(
    client: FlaskClient, job: dict[str, Any], since: int = 0, headers: dict[str, str] | None = None
) -> Iterator[Iterator[tuple[str, Any, str]]]:
    """Yield the stream's events as (event, data, id); a comment has the event "comment"."""
    answer = client.get(f"{job['links']['events']}?since={since}", headers=headers, buffered=False)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    with closing(answer):
        yield parsed(answer)


def parsed(answer: TestResponse) -> Iterator[tuple[str, Any, str]]:
    for block in answer.iter_encoded():
        fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
        if "" in fields or block.startswith(b": "):
            yield "comment", None, ""
        elif "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id", "")


def indexes(data: Any) -> list[int]:
    return [segment["index"] for segment in data["segments"]]


def test_a_stream_tells_what_is_there_and_what_comes(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 2)
    with listening(client, job) as stream:
        name, data, last = next(stream)
        assert (name, indexes(data), last) == ("segments", [0, 1], "2")
        assert data["segments"][0]["text"].startswith("At least")
        name, data, _ = next(stream)
        assert (name, data["state"], data["windows_done"]) == ("job", "running", 2)
        comment_windows(site.store, site.media, job["id"], 1)
        name, data, last = next(stream)
        assert (name, indexes(data), last) == ("segments", [2], "3")


def test_a_stream_ends_when_the_job_has_and_all_is_told(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 6)
    with listening(client, job) as stream:
        told = list(stream)
    assert [name for name, _, _ in told] == ["segments", "job"]
    assert indexes(told[0][1]) == [0, 1, 2, 3, 4, 5]
    assert told[1][1]["state"] == "done"


def test_windows_that_overtake_are_told_once_each(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    slow, fast = claim_next(site.store, job["id"]), claim_next(site.store, job["id"])
    assert slow is not None
    assert fast is not None
    store_comment(site.store, site.media, fast, 2)
    with listening(client, job) as stream:
        name, data, last = next(stream)
        assert (name, indexes(data), last) == ("segments", [2], "0")
        store_comment(site.store, site.media, slow, 0)
        store_comment(site.store, site.media, fast, 3)
        told = [
            index
            for name, data, _ in take(stream, 3)
            if name == "segments"
            for index in indexes(data)
        ]
        assert sorted(told) == [0, 3]


def take(stream: Iterator[Any], count: int) -> list[Any]:
    return [next(stream) for _ in range(count)]


def test_a_stream_goes_on_after_the_last_event_a_browser_saw(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 6)
    with listening(client, job, since=0, headers={"Last-Event-ID": "4"}) as stream:
        assert indexes(next(stream)[1]) == [4, 5]
    with listening(client, job, since=5) as stream:
        assert indexes(next(stream)[1]) == [5]


def test_a_change_of_the_job_is_told(client: FlaskClient, site: Site, job: dict[str, Any]) -> None:
    with listening(client, job) as stream:
        assert next(stream)[1]["state"] == "queued"
        client.post(f"/api/jobs/{job['id']}/pause")
        assert next(stream)[1]["state"] == "paused"
        client.post(f"/api/jobs/{job['id']}/cancel")
        assert next(stream)[1]["state"] == "cancelled"
        assert list(stream) == []


def test_a_deleted_job_ends_its_streams(client: FlaskClient, job: dict[str, Any]) -> None:
    with listening(client, job) as stream:
        next(stream)
        client.delete(f"/api/jobs/{job['id']}")
        assert [name for name, _, _ in stream] == ["deleted"]


def test_a_quiet_stream_shows_that_it_lives(
    client: FlaskClient, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.0)
    with listening(client, job) as stream:
        assert [name for name, _, _ in take(stream, 3)] == ["job", "comment", "comment"]


def test_hostile_words_begin_no_event_of_their_own(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    evil = "x\n\nevent: job\ndata: {}\r\r\u2028</script>"
    comment_windows(site.store, site.media, job["id"], 1, evil)
    with listening(client, job) as stream:
        name, data, _ = next(stream)
    assert name == "segments"
    assert data["segments"][0]["text"] == evil


def test_there_is_room_for_only_so_many_streams(client: FlaskClient, job: dict[str, Any]) -> None:
    path = job["links"]["events"]
    answers = [client.get(path, buffered=False) for _ in range(events.MOST_STREAMS)]
    refused = client.get(path)
    assert refused.status_code == 503
    assert refused.get_json()["error"]["kind"] == "unavailable"
    for answer in reversed(answers):
        answer.close()
    with listening(client, job) as stream:
        assert next(stream)[0] == "job"


def test_a_stream_tells_what_is_being_written_until_it_is_said(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    mine = claim_next(site.store, job["id"])
    assert mine is not None
    with listening(client, job) as stream:
        assert next(stream)[0] == "job"
        for text in ("A d", "A dog ru"):
            with site.store.write() as session:
                chunks.write_partial(session, {mine.owner: (0, text)})
            name, data, last = next(stream)
            window = {"index": 0, "start_ms": 0, "end_ms": 1000, "text": text}
            assert (name, data, last) == ("writing", {"writing": [window]}, "")
        store_comment(site.store, site.media, mine, 0)
        told = [(name, data) for name, data, _ in take(stream, 2)]
        assert [name for name, _ in told] == ["segments", "writing"]
        assert told[1][1] == {"writing": []}


def test_all_streams_of_a_job_tell_the_same_wherever_they_begin(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 2)
    with listening(client, job) as early, listening(client, job, since=3) as choosy:
        assert indexes(next(early)[1]) == [0, 1]
        assert [next(stream)[0] for stream in (early, choosy)] == ["job", "job"]
        comment_windows(site.store, site.media, job["id"], 2)
        name, data, last = next(early)
        assert (name, indexes(data), last) == ("segments", [2, 3], "4")
        with listening(client, job) as late:
            assert indexes(next(late)[1]) == [0, 1, 2, 3]
            comment_windows(site.store, site.media, job["id"], 2)
            assert told(late) == [4, 5]
        assert told(choosy) == [3, 4, 5]
        assert told(early) == [4, 5]


def told(stream: Iterator[tuple[str, Any, str]]) -> list[int]:
    return [index for name, data, _ in stream if name == "segments" for index in indexes(data)]


def test_a_job_is_looked_up_once_for_all_its_streams(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    asked: list[str] = []
    event.listen(
        site.store.engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: asked.append(statement),
    )
    with ExitStack() as opened:
        streams = [opened.enter_context(listening(client, job)) for _ in range(10)]
        for stream in streams:
            next(stream)
        asked.clear()
        comment_windows(site.store, site.media, job["id"], 1)
        before = len(asked)
        assert [indexes(next(stream)[1]) for stream in streams] == [[0]] * 10
    assert len(asked) - before < 20


def test_a_job_that_is_taken_up_again_is_told_of_again(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    with listening(client, job) as stream:
        next(stream)
        client.post(f"/api/jobs/{job['id']}/cancel")
        assert next(stream)[1]["state"] == "cancelled"
        client.post(f"/api/jobs/{job['id']}/retry")
        with listening(client, job) as again:
            assert next(again)[1]["state"] == "queued"
        assert list(stream) == []


def test_a_stream_that_reads_too_slowly_ends_and_can_be_taken_up(
    client: FlaskClient, site: Site, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT_EVENTS", 2)
    with listening(client, job) as slow:
        next(slow)
        with listening(client, job) as quick:
            next(quick)
            for _ in range(3):
                comment_windows(site.store, site.media, job["id"], 1)
                next(data for name, data, _ in quick if name == "segments")
        assert list(slow) == []
    with listening(client, job) as again:
        assert indexes(next(again)[1]) == [0, 1, 2]
