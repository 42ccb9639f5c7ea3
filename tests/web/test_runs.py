"""Runs: a video commented again, whole or in some windows; two of them compared."""

from pathlib import Path
from typing import Any, get_type_hints

import pytest
from flask.testing import FlaskClient

from models import jobs
from models.hints import waiting_hints
from tests.web.commenting import claim_next, comment_windows
from tests.web.conftest import BuildApp, site_of
from tests.web.requests import upload
from tests.web.test_jobs_api import SIX_WINDOWS
from web.shapes import ComparisonShape, RowShape, RunShape
from web.site import Site


@pytest.fixture
def job(client: FlaskClient, site: Site, known_clip: Path) -> dict[str, Any]:
    """Return a done job of six windows of a second."""
    job = upload(client, known_clip, **SIX_WINDOWS)
    comment_windows(site.store, site.media, job["id"], 6)
    return job


def run(client: FlaskClient, job: dict[str, Any], **wish: object) -> dict[str, Any]:
    answer = client.post(f"/api/jobs/{job['id']}/runs", json=wish)
    assert answer.status_code == 201, answer.text
    shape: dict[str, Any] = answer.get_json()
    return shape


def segments(client: FlaskClient, job: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(job["links"]["segments"]).get_json()["segments"]
    return rows


def test_a_whole_run_needs_no_upload_and_keeps_the_parameters(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    before = waiting_hints(site.celery, "builtin")
    again = run(client, job, parameters={"change_threshold": 3}, priority=2)
    assert again["id"] != job["id"]
    assert (again["video"], again["source_id"]) == (job["video"], job["id"])
    assert again["parameters"] == {**job["parameters"], "change_threshold": 3.0}
    assert (again["state"], again["priority"], again["windows_done"]) == ("queued", 2, 0)
    assert waiting_hints(site.celery, "builtin") == before + 3
    assert segments(client, again) == []


def test_a_hop_that_was_worked_out_is_worked_out_anew(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    again = run(client, job, parameters={"frames_per_inference": "4"})
    assert (again["parameters"]["window_hop"], again["windows_total"]) == (4, 3)


def test_some_windows_are_commented_anew_and_the_others_taken_over(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    client.put(f"/api/jobs/{job['id']}/segments/5/text", json={"text": "Corrected.", "revision": 0})
    again = run(client, job, windows="0, 3-4")
    assert (again["windows_done"], again["windows_taken"]) == (3, 3)
    taken = segments(client, again)
    assert [(row["index"], row["taken_from"]) for row in taken] == [
        (1, job["id"]), (2, job["id"]), (5, job["id"]),
    ]  # fmt: skip
    assert (taken[2]["text"], taken[2]["revision"]) == ("Corrected.", 1)
    assert client.get(taken[0]["still"]).status_code == 200
    assert comment_windows(site.store, site.media, again["id"], 9, "New words.") == 3
    rows = segments(client, again)
    assert [row["text"] for row in rows] == [
        "New words.", taken[0]["text"], "", "", "New words.", "Corrected.",
    ]  # fmt: skip
    assert [row["taken_from"] is None for row in rows] == [True, False, False, True, True, False]
    done = client.get(again["links"]["self"]).get_json()
    assert (done["state"], done["windows_done"]) == ("done", 6)
    assert segments(client, job)[0]["text"] != "New words."


def test_what_was_taken_over_names_who_said_it_first_and_outlives_it(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    second = run(client, job, windows="0")
    comment_windows(site.store, site.media, second["id"], 1)
    third = run(client, second, windows="1")
    assert {row["index"]: row["taken_from"] for row in segments(client, third)} == {
        0: second["id"], 2: job["id"], 3: job["id"], 4: job["id"], 5: job["id"],
    }  # fmt: skip
    client.delete(f"/api/jobs/{job['id']}")
    assert len(segments(client, third)) == 5
    assert client.get(segments(client, third)[1]["still"]).status_code == 200
    assert client.get(third["video"]["url"]).status_code == 200


def test_exports_name_who_said_what_a_run_took_over(build_app: BuildApp, known_clip: Path) -> None:
    app = build_app(commentator="minicpm,builtin")
    client, site = app.test_client(), site_of(app)
    network = {"name": "MiniCPM-o 4.5", "checkpoint": "folder", "fingerprint": "f00d"}
    job = upload(client, known_clip, **SIX_WINDOWS)
    comment_windows(site.store, site.media, job["id"], 6)
    with site.store.write() as session:
        jobs.note_network(session, job["id"], network)
    second = run(client, job, windows="0", parameters={"commentator": "builtin"})
    third = run(client, second, windows="1")
    told = {"commentator": "minicpm", "networks": [network], "windows": 4}
    client.delete(f"/api/jobs/{job['id']}")
    assert [told.items() <= source.items() for source in third["sources"]] == [True]
    for file in ("vtt", "ttml", "edl", "md"):
        words = client.get(third["links"]["exports"][file]).text.replace("\\", "")
        assert f"4 of 6 windows were taken over from the run {job['id']}, by: minicpm" in words
        assert "MiniCPM-o 4.5: folder (f00d)" in words


def test_openais_jobs_run_again_without_what_it_doesnt_heed(
    build_app: BuildApp, known_clip: Path
) -> None:
    client = build_app(
        commentator="openai", openai_url="http://127.0.0.1:1/v1", openai_model="m"
    ).test_client()
    job = upload(client, known_clip, **SIX_WINDOWS, temperature="0.5")
    again = run(client, job, parameters={"profile": "sports"})
    assert (again["parameters"]["temperature"], again["parameters"]["profile"]) == (0.5, "sports")


def test_a_run_of_an_unfinished_job_comments_what_is_missing_too(
    client: FlaskClient, site: Site, known_clip: Path
) -> None:
    job = upload(client, known_clip, **SIX_WINDOWS)
    comment_windows(site.store, site.media, job["id"], 3)
    client.post(f"/api/jobs/{job['id']}/cancel")
    again = run(client, job, windows="0")
    assert again["windows_taken"] == 2
    claim = claim_next(site.store, again["id"])
    assert claim is not None
    assert (claim.first, claim.stop) == (0, 1)
    assert comment_windows(site.store, site.media, again["id"], 9) == 3


def test_speed_counts_only_what_a_run_said_itself(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    again = run(client, job, windows="0")
    assert client.get(again["links"]["self"]).get_json()["realtime"] is None
    comment_windows(site.store, site.media, again["id"], 1)
    whole = client.get(job["links"]["self"]).get_json()
    part = client.get(again["links"]["self"]).get_json()
    assert part["realtime"] is None or part["realtime"] < 6000 / max(
        1, part["finished_ms"] - part["started_ms"]
    )
    assert whole["state"] == part["state"] == "done"


def test_another_commentator_takes_no_prompt_along(build_app: BuildApp, known_clip: Path) -> None:
    client = build_app(commentator="minicpm,builtin").test_client()
    job = upload(client, known_clip, **SIX_WINDOWS, profile="sports", instruction="Who serves?")
    changed = run(client, job, parameters={"profile": "nature"})
    assert changed["parameters"]["instruction"] == "Who serves?"
    assert changed["parameters"]["system_prompt"] != job["parameters"]["system_prompt"]
    other = run(client, job, parameters={"commentator": "builtin"})
    assert "profile" not in other["parameters"]
    assert run(client, other, parameters={"commentator": "minicpm"})["parameters"]["profile"]


@pytest.mark.parametrize(
    "wish",
    [
        {"windows": "6"}, {"windows": "x"}, {"windows": "3-1"}, {"windows": "-3"}, {"windows": "1-"}, {"windows": ","}, {"windows": "0-99999999"},
        {"windows": [1]}, {"windows": "0", "parameters": {"window_hop": 3}}, {"parameters": {"nothing": 1}},
        {"parameters": {"seed": [1]}}, {"parameters": {"profile": "sports"}}, {"priority": 99}, {"more": 1},
        {"parameters": {"commentator": "minicpm"}},
    ],
)  # fmt: skip
def test_what_cant_be_run_is_refused(
    client: FlaskClient, job: dict[str, Any], wish: dict[str, object]
) -> None:
    answer = client.post(f"/api/jobs/{job['id']}/runs", json=wish)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")
    assert len(client.get(f"/api/jobs/{job['id']}/runs").get_json()["runs"]) == 1


def test_windows_named_again_and_again_are_refused_before_they_are_counted_through(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    answer = client.post(f"/api/jobs/{job['id']}/runs", json={"windows": "0-199999,0-5"})
    assert answer.status_code == 400
    assert "At most 200000 windows can be named" in answer.get_json()["error"]["message"]


def test_a_run_whose_pictures_cant_be_taken_over_is_queued_all_the_same(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    still = site.media.root / site.media.still(job["id"], 1)
    still.unlink()
    still.mkdir()  # nothing that could be copied
    again = run(client, job, windows="0")
    assert (again["state"], again["windows_taken"]) == ("queued", 5)
    assert len(client.get(f"/api/jobs/{job['id']}/runs").get_json()["runs"]) == 2


def test_a_video_whose_file_is_gone_cant_be_run_again(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    (site.media.root / site.media.video(job["video"]["id"])).unlink()
    answer = client.post(f"/api/jobs/{job['id']}/runs", json={})
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (409, "conflict")
    assert len(client.get(f"/api/jobs/{job['id']}/runs").get_json()["runs"]) == 1


def test_the_runs_of_a_video_are_listed(
    client: FlaskClient, job: dict[str, Any], other_clip: Path
) -> None:
    upload(client, other_clip)
    again = run(client, job)
    answer = client.get(f"/api/jobs/{job['id']}/runs").get_json()["runs"]
    assert [one["id"] for one in answer] == [again["id"], job["id"]]
    assert set(answer[0]) == set(get_type_hints(RunShape))


def compare(client: FlaskClient, left: str, right: str, **query: object) -> dict[str, Any]:
    answer = client.get("/api/compare", query_string={"left": left, "right": right, **query})
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.get_json()
    return shape


def test_two_runs_are_compared_word_by_word(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    again = run(client, job, windows="0")
    comment_windows(
        site.store,
        site.media,
        again["id"],
        1,
        "At least 2 persons and a dog; the picture is still.",
    )
    both = compare(client, job["id"], again["id"])
    assert set(both) == set(get_type_hints(ComparisonShape))
    assert set(both["rows"][0]) == set(get_type_hints(RowShape))
    assert (both["total"], both["different"], both["next"]) == (6, 1, None)
    words = [
        [(w["text"], w["shared"]) for w in both["rows"][0][s]["words"]] for s in ("left", "right")
    ]
    assert words[0] == [
        ("At least ", True), ("1 person", False), (" and ", True), ("at least 3 bottles", False),
        ("; the picture is still.", True),
    ]  # fmt: skip
    assert words[1][1] == ("2 persons", False)
    only = compare(client, job["id"], again["id"], only="different")
    assert [row["start_ms"] for row in only["rows"]] == [0]


def test_runs_with_other_windows_are_aligned_by_time(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    longer = run(client, job, parameters={"window_hop": 4, "frames_per_inference": 4})
    comment_windows(site.store, site.media, longer["id"], 3)
    for left, right, side in ((job, longer, "left"), (longer, job, "right")):
        both = compare(client, left["id"], right["id"])
        assert [(row["start_ms"], row["end_ms"]) for row in both["rows"]] == [
            (0, 2000), (2000, 4000), (4000, 6000),
        ]  # fmt: skip
        assert [[s["index"] for s in row[side]["segments"]] for row in both["rows"]] == [
            [0, 1], [2, 3], [4, 5],
        ]  # fmt: skip


def test_a_comparison_goes_on_page_by_page(client: FlaskClient, job: dict[str, Any]) -> None:
    again = run(client, job)
    first = compare(client, job["id"], again["id"], limit=4)
    rest = compare(client, job["id"], again["id"], since=first["next"], limit=4)
    assert [row["start_ms"] for row in first["rows"] + rest["rows"]] == [n * 1000 for n in range(6)]
    assert rest["next"] is None
    assert all(row["right"]["segments"] == [] for row in rest["rows"])


def test_jobs_of_different_videos_cant_be_compared(
    client: FlaskClient, job: dict[str, Any], other_clip: Path
) -> None:
    other = upload(client, other_clip)
    answer = client.get(f"/api/compare?left={job['id']}&right={other['id']}")
    assert answer.status_code == 400
    assert client.get("/api/compare?left=x").status_code == 404


def test_stored_media_of_the_run_go_with_it(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    again = run(client, job, windows="0")
    client.delete(f"/api/jobs/{again['id']}")
    assert client.get(segments(client, job)[1]["still"]).status_code == 200
    assert client.get(job["video"]["url"]).status_code == 200
