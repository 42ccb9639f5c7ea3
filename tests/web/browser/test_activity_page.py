"""The page that tells of all jobs and workers."""

from pathlib import Path

from playwright.sync_api import Page, expect

from models import chunks, workers
from models.clock import now_ms
from models.errors import BadFile
from models.ids import new_id
from models.jobs import get_job
from models.tables import Worker
from tests.web.browser.conftest import Shoot
from tests.web.browser.jobs import queue
from tests.web.browser.test_job_page import SECOND_WINDOWS, comment
from tests.web.commenting import comment_windows, fail_next
from tests.web.server import Server


def test_it_tells_of_jobs_throughput_failures_and_workers(
    page: Page, server: Server, other_clip: Path, shoot: Shoot
) -> None:
    page.goto("/activity")
    expect(page.get_by_text("No worker has been heard of")).to_be_visible()
    job = queue(server, other_clip, **SECOND_WINDOWS, filename="<b>bars.mp4")
    comment(server, job, 8)
    failed = queue(server, other_clip, **SECOND_WINDOWS)
    fail_next(server.store, failed["id"], BadFile("It is damaged."))
    name = "gpu-box-boot-4026531836-7"
    with server.store.write() as session:
        workers.report(session, _worker(name))
        epoch = get_job(session, job["id"]).hint_epoch
        chunks.claim_chunk(session, job["id"], epoch, f"{name}-{new_id()}", 60_000)
    for state, count in (("running", "1"), ("failed", "1"), ("done", "0")):
        expect(page.locator(f"[data-state={state}]")).to_have_text(count)
    expect(page.locator(".workers tbody tr")).to_have_text(
        "gpu-box-7minicpm2 min5.0 GB40 GB of 80 GB (NVIDIA H100)1 of 64<b>bars.mp4, window 9"
    )
    expect(page.locator(".queue tbody tr")).to_have_text("builtin112")
    expect(page.locator(".failures tbody tr")).to_have_text("bad-file1")
    expect(page.locator(".pace-readout")).to_contain_text("× real time")
    page.get_by_text("Minute by minute").click()
    expect(page.locator(".minutes tbody tr")).to_have_count(60)
    shoot(page, "activity")
    page.get_by_role("link", name="<b>bars.mp4").click()
    expect(page.get_by_role("heading", name="<b>bars.mp4")).to_be_visible()
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_role("heading", name="Activity")).to_be_visible()


def test_it_tells_what_a_worker_adds_to_a_job(page: Page, server: Server, clip: Path) -> None:
    job = queue(server, clip, summary="1")
    comment_windows(server.store, server.media, job["id"], job["windows_total"])
    name = "box-boot-4026531836-8"
    with server.store.write() as session:
        workers.report(session, _worker(name))
        epoch = get_job(session, job["id"]).hint_epoch
        chunks.claim_chunk(session, job["id"], epoch, f"{name}-{new_id()}", 60_000)
    page.goto("/activity")
    expect(page.locator(".at-work")).to_have_text(f"{job['filename']}, summary")


def test_without_its_charts_a_page_still_tells_all(
    forgiving_page: Page, server: Server, clip: Path
) -> None:
    job = queue(server, clip, window_hop="4")
    comment_windows(server.store, server.media, job["id"], 9)
    forgiving_page.route("**/uPlot.iife.min.js", lambda route: route.abort())
    forgiving_page.goto("/activity")
    expect(forgiving_page.locator(".pace")).to_have_text("The charts could not be loaded.")
    expect(forgiving_page.locator("[data-state=done]")).to_have_text("1")
    forgiving_page.goto(job["links"]["page"])
    expect(forgiving_page.locator("#timings .readout")).to_have_text(
        "The charts could not be loaded."
    )
    expect(forgiving_page.locator("#timings .slowest li")).to_have_count(3)


def _worker(name: str) -> Worker:
    now = now_ms()
    return Worker(
        name=name,
        host="gpu-box",
        pid=7,
        commentator="minicpm",
        streams=64,
        started_ms=now - 120_000,
        seen_ms=now + 3600_000,  # the test may be slow
        memory_bytes=5 * 10**9,
        accelerator="NVIDIA H100",
        accelerator_used_bytes=40 * 10**9,
        accelerator_total_bytes=80 * 10**9,
    )
