"""The API for jobs: each answer, then the rows."""

from pathlib import Path
from typing import Any, get_type_hints

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from models import chunks, jobs
from models.chunks import LeaseLost
from models.errors import BadFile
from models.hints import waiting_hints
from models.ids import new_id
from models.tables import Chunk, Job, JobState, Segment, Video
from tests.web.commenting import claim_next, comment_windows, fail_next, store_comment
from tests.web.conftest import BuildApp
from tests.web.requests import upload
from web.exports import COMMENTS, WRITERS
from web.shapes import JobShape, SegmentShape, VideoShape
from web.site import Site

SIX_WINDOWS = {"window_hop": "2", "frames_per_inference": "2", "frame_stride": "1"}


@pytest.fixture
def job(client: FlaskClient, known_clip: Path) -> dict[str, Any]:
    """Return a queued job of six windows of a second, in three chunks."""
    return upload(client, known_clip, **SIX_WINDOWS)


def state_of(site: Site, job_id: str) -> JobState:
    with site.store.read() as session:
        return jobs.get_job(session, job_id).state


def test_a_job_tells_all_that_its_shape_names(client: FlaskClient, job: dict[str, Any]) -> None:
    shape = client.get(job["links"]["self"]).get_json()
    assert set(shape) == set(get_type_hints(JobShape))
    assert set(shape["video"]) == set(get_type_hints(VideoShape))
    assert shape["commentator_label"] == "object tags, not a vision-language model"
    assert (shape["windows_done"], shape["windows_total"]) == (0, 6)
    assert (shape["realtime"], shape["eta_ms"], shape["failure"], shape["still"]) == (None,) * 4
    assert shape["video"]["duration_ms"] == 6000
    assert set(shape["links"]["exports"]) == {
        name for name, writer in WRITERS.items() if writer.tells == COMMENTS
    }
    assert set(shape["links"]["renders"]) == {"mp4", "m4a", "wav"}
    assert shape["parameters"]["window_hop"] == 2


def test_progress_counts_windows_and_measures_their_rate(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 3)
    shape = client.get(f"/api/jobs/{job['id']}").get_json()
    assert (shape["state"], shape["windows_done"]) == ("running", 3)
    assert shape["realtime"] > 0
    assert shape["eta_ms"] is not None
    assert shape["still"] == f"/media/stills/{job['id']}/0.jpg"
    comment_windows(site.store, site.media, job["id"], 3)
    done = client.get(f"/api/jobs/{job['id']}").get_json()
    assert (done["state"], done["windows_done"], done["eta_ms"]) == ("done", 6, None)
    assert done["finished_ms"] >= done["started_ms"] >= done["created_ms"]


def test_a_failure_names_its_kind_and_the_moment(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 3)
    fail_next(site.store, job["id"], BadFile("The rest can't be read."))
    failure = client.get(f"/api/jobs/{job['id']}").get_json()["failure"]
    assert failure == {
        "kind": "bad-file",
        "message": "The rest can't be read.",
        "window": 3,
        "start_ms": 3000,
    }


def test_the_list_goes_newest_first_page_by_page(client: FlaskClient, known_clip: Path) -> None:
    ids = [upload(client, known_clip)["id"] for _ in range(3)]
    first = client.get("/api/jobs?limit=2").get_json()
    assert [job["id"] for job in first["jobs"]] == ids[:0:-1]
    assert first["next"].endswith(f"-{ids[1]}")
    rest = client.get(f"/api/jobs?limit=2&before={first['next']}").get_json()
    assert [job["id"] for job in rest["jobs"]] == ids[:1]
    assert rest["next"] is None


def test_the_list_is_counted_and_filtered_by_state(client: FlaskClient, known_clip: Path) -> None:
    paused, queued = upload(client, known_clip)["id"], upload(client, known_clip)["id"]
    client.post(f"/api/jobs/{paused}/pause")
    answer = client.get("/api/jobs?state=paused").get_json()
    assert [job["id"] for job in answer["jobs"]] == [paused]
    assert answer["counts"] == {
        "queued": 1, "running": 0, "paused": 1, "done": 0, "failed": 0, "cancelled": 0,
    }  # fmt: skip
    assert client.get("/api/jobs?state=queued").get_json()["jobs"][0]["id"] == queued


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "limit=9999", "state=lost"])
def test_a_list_that_cant_be_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/jobs?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["kind"] == "invalid"


def test_segments_tell_all_that_their_shape_names(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 1, "A cat & <b>a dog</b>.")
    (segment,) = client.get(f"/api/jobs/{job['id']}/segments").get_json()["segments"]
    assert set(segment) == set(get_type_hints(SegmentShape))
    assert (segment["index"], segment["start_ms"], segment["end_ms"]) == (0, 0, 1000)
    assert (segment["kind"], segment["text"]) == ("said", "A cat & <b>a dog</b>.")
    assert segment["frame_times_ms"] == [0]
    assert segment["timings"]["decode_ms"] == 20.25


def test_segments_go_on_where_a_reader_stopped(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 5)
    path = f"/api/jobs/{job['id']}/segments"
    first = client.get(f"{path}?limit=2").get_json()
    assert ([row["index"] for row in first["segments"]], first["next"]) == ([0, 1], 2)
    second = client.get(f"{path}?since=2&limit=10").get_json()
    assert ([row["index"] for row in second["segments"]], second["next"]) == ([2, 3, 4], 5)
    assert second["state"] == "running"
    comment_windows(site.store, site.media, job["id"], 1)
    last = client.get(f"{path}?since=5").get_json()
    assert ([row["index"] for row in last["segments"]], last["next"]) == ([5], 6)
    assert last["state"] == "done"


def test_a_reader_comes_back_for_a_window_that_others_overtook(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    slow, fast = claim_next(site.store, job["id"]), claim_next(site.store, job["id"])
    assert slow is not None
    assert fast is not None
    store_comment(site.store, site.media, fast, 2)
    store_comment(site.store, site.media, fast, 3)
    path = f"/api/jobs/{job['id']}/segments"
    first = client.get(path).get_json()
    assert ([row["index"] for row in first["segments"]], first["next"]) == ([2, 3], 0)
    full = client.get(f"{path}?limit=2").get_json()
    assert ([row["index"] for row in full["segments"]], full["next"]) == ([2, 3], 0)
    store_comment(site.store, site.media, slow, 0)
    assert client.get(path).get_json()["next"] == 1


def test_a_reader_of_an_ended_job_gets_past_windows_that_will_never_come(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    claim_next(site.store, job["id"])
    fast = claim_next(site.store, job["id"])
    assert fast is not None
    store_comment(site.store, site.media, fast, 2)
    client.post(f"/api/jobs/{job['id']}/cancel")
    answer = client.get(f"/api/jobs/{job['id']}/segments?limit=1").get_json()
    assert ([row["index"] for row in answer["segments"]], answer["next"]) == ([2], 3)


def test_cancel_ends_a_job_and_fences_its_worker_off(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    claim = claim_next(site.store, job["id"])
    assert claim is not None
    answer = client.post(f"/api/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled")
    assert state_of(site, job["id"]) == JobState.CANCELLED
    with pytest.raises(LeaseLost):
        store_comment(site.store, site.media, claim, 0)


def test_pause_and_resume(client: FlaskClient, site: Site, job: dict[str, Any]) -> None:
    assert client.post(f"/api/jobs/{job['id']}/pause").get_json()["state"] == "paused"
    assert claim_next(site.store, job["id"]) is None
    before = waiting_hints(site.celery, "builtin")
    assert client.post(f"/api/jobs/{job['id']}/resume").get_json()["state"] == "queued"
    assert waiting_hints(site.celery, "builtin") == before + 3
    assert state_of(site, job["id"]) == JobState.QUEUED


def test_retry_keeps_what_was_said_and_tells_the_workers(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 2)
    fail_next(site.store, job["id"], BadFile("No."))
    before = waiting_hints(site.celery, "builtin")
    answer = client.post(f"/api/jobs/{job['id']}/retry").get_json()
    assert (answer["state"], answer["failure"], answer["windows_done"]) == ("queued", None, 2)
    assert waiting_hints(site.celery, "builtin") == before + 2
    claim = claim_next(site.store, job["id"])
    assert claim is not None
    assert claim.cursor == 2


@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_what_a_state_does_not_allow_is_a_conflict(
    client: FlaskClient, site: Site, job: dict[str, Any], verb: str
) -> None:
    answer = client.post(f"/api/jobs/{job['id']}/{verb}")
    assert answer.status_code == 409
    assert answer.get_json()["error"]["kind"] == "conflict"
    assert state_of(site, job["id"]) == JobState.QUEUED


def test_priority_changes(client: FlaskClient, site: Site, job: dict[str, Any]) -> None:
    answer = client.patch(f"/api/jobs/{job['id']}", json={"priority": 7})
    assert answer.get_json()["priority"] == 7
    with site.store.read() as session:
        assert jobs.get_job(session, job["id"]).priority == 7


@pytest.mark.parametrize(
    "body", ['{"priority": 99}', '{"priority": true}', '{"priority": "1"}', "{}", "[]", "nonsense"]
)
def test_a_wrong_priority_is_refused(
    client: FlaskClient, site: Site, job: dict[str, Any], body: str
) -> None:
    answer = client.patch(f"/api/jobs/{job['id']}", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["kind"] == "invalid"
    with site.store.read() as session:
        assert jobs.get_job(session, job["id"]).priority == 0


def test_delete_leaves_nothing(client: FlaskClient, site: Site, job: dict[str, Any]) -> None:
    comment_windows(site.store, site.media, job["id"], 6)
    answer = client.delete(f"/api/jobs/{job['id']}")
    assert (answer.status_code, answer.data) == (204, b"")
    with site.store.read() as session:
        for table in (Job, Chunk, Segment, Video):
            assert session.scalar(select(func.count()).select_from(table)) == 0
    assert [path for path in site.media.root.rglob("*") if path.is_file()] == []
    assert client.get(f"/api/jobs/{job['id']}").status_code == 404


def test_delete_keeps_a_video_that_another_job_uses(
    client: FlaskClient, site: Site, known_clip: Path, job: dict[str, Any]
) -> None:
    other = upload(client, known_clip)
    client.delete(f"/api/jobs/{job['id']}")
    assert (site.media.root / site.media.video(other["video"]["id"])).exists()
    assert client.get(other["video"]["url"]).status_code == 200


def test_a_job_that_is_worked_on_can_be_deleted(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    claim = claim_next(site.store, job["id"])
    assert claim is not None
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    with pytest.raises(LeaseLost), site.store.write() as session:
        chunks.store_segment(session, claim, Segment(job_id=job["id"], index=0), 1000)


@pytest.mark.parametrize("verb", ["", "/segments", "/events", "/export.srt"])
def test_a_job_that_is_not_there_is_not_found(client: FlaskClient, verb: str) -> None:
    answer = client.get(f"/api/jobs/{new_id()}{verb}")
    assert answer.status_code == 404
    assert answer.get_json()["error"]["kind"] == "not-found"


def test_health_says_ok(client: FlaskClient) -> None:
    assert client.get("/api/health").get_json()["status"] == "ok"


def test_what_a_job_can_be_asked_is_told(client: FlaskClient, build_app: BuildApp) -> None:
    assert client.get("/api/commentators").get_json()["commentators"] == [
        {
            "name": "builtin",
            "label": "object tags, not a vision-language model",
            "takes_prompt": False,
        }
    ]
    offer = (
        build_app(commentator="minicpm,builtin").test_client().get("/api/commentators").get_json()
    )
    assert [one["name"] for one in offer["commentators"]] == ["minicpm", "builtin"]
    assert offer["commentators"][0]["takes_prompt"] is True
    assert offer["default_profile"] == "general"
    names = [profile["name"] for profile in offer["profiles"]]
    assert names == ["general", "sports", "security", "nature", "detailed"]
    assert all(profile["system_prompt"] for profile in offer["profiles"])


def test_what_is_being_written_is_told_beside_the_segments(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    path = f"/api/jobs/{job['id']}/segments"
    mine = claim_next(site.store, job["id"])
    assert mine is not None
    with site.store.write() as session:
        chunks.write_partial(session, {mine.owner: (0, "A <b>d")})
    assert client.get(path).get_json()["writing"] == [
        {"index": 0, "start_ms": 0, "end_ms": 1000, "text": "A <b>d"}
    ]
    store_comment(site.store, site.media, mine, 0)
    answer = client.get(path).get_json()
    assert ([row["index"] for row in answer["segments"]], answer["writing"]) == ([0], [])


def test_a_job_whose_commentator_is_not_served_says_so_while_it_is_open(
    client: FlaskClient, build_app: BuildApp, job: dict[str, Any]
) -> None:
    assert job["hindrance"] is None
    later = build_app(commentator="minicpm").test_client()
    told = later.get(f"/api/jobs/{job['id']}").get_json()["hindrance"]
    assert told.startswith("Nobody here comments as builtin any more (COMMENTATOR is minicpm)")
    later.post(f"/api/jobs/{job['id']}/cancel")
    assert later.get(f"/api/jobs/{job['id']}").get_json()["hindrance"] is None
