"""The page with the drop zone and the list of jobs."""

from pathlib import Path

from playwright.sync_api import Dialog, Page, expect

from models.errors import BadFile
from tests.web.browser.conftest import MAX_UPLOAD_BYTES, Shoot
from tests.web.browser.jobs import queue
from tests.web.commenting import comment_windows, fail_next
from tests.web.server import Server

SECOND_WINDOWS = {"window_hop": "2", "frames_per_inference": "2", "frame_stride": "1"}
DROP = """([name, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "video/mp4" }));
    for (const type of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }
}"""


def slow_down(page: Page, bytes_per_second: int) -> None:
    connection = page.context.new_cdp_session(page)
    connection.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": bytes_per_second,
        },
    )


def choose(page: Page, *paths: Path) -> None:
    page.locator("input[type=file]").set_input_files(list(paths))


def test_an_empty_list_tells_a_newcomer_what_to_do(page: Page, shoot: Shoot) -> None:
    page.goto("/")
    expect(page.get_by_text("No videos yet.")).to_be_visible()
    expect(page.get_by_text("object tags, not a vision-language model")).to_be_visible()
    shoot(page, "empty")


def test_chosen_files_become_jobs(page: Page, clip: Path, other_clip: Path) -> None:
    page.goto("/")
    choose(page, clip, other_clip)
    expect(page.locator(".job")).to_have_count(2)
    expect(page.locator(".upload")).to_have_count(0)
    expect(page.locator(".job .chip")).to_have_text(["queued", "queued"])
    page.get_by_role("link", name="bars.mp4").click()
    expect(page.get_by_role("heading", name="bars.mp4")).to_be_visible()


def test_a_dropped_file_becomes_a_job(page: Page, clip: Path) -> None:
    page.goto("/")
    page.evaluate(DROP, ["dropped.mp4", list(clip.read_bytes())])
    expect(page.get_by_role("link", name="dropped.mp4")).to_be_visible()


def test_the_window_settings_go_with_the_file(page: Page, clip: Path) -> None:
    page.goto("/")
    page.get_by_text("Window settings").click()
    page.get_by_label("Samples per second").fill("1/2")
    page.get_by_label("Frames per window").fill("2")
    page.get_by_label("Frame stride").fill("1")
    expect(page.locator("#span")).to_have_text(
        "A comment for every 4 s of video, from 2 frames 2 s apart."
    )
    choose(page, clip)
    expect(page.locator(".meta")).to_contain_text("0 of 2 windows")


def test_a_wrong_setting_is_shown_before_anything_is_sent(page: Page, clip: Path) -> None:
    page.goto("/")
    page.get_by_text("Window settings").click()
    page.get_by_label("Frames per window").fill("0")
    choose(page, clip)
    expect(page.get_by_label("Frames per window")).to_be_focused()
    expect(page.locator(".upload")).to_have_count(0)


def test_a_slow_upload_shows_how_far_it_is(page: Page, tmp_path: Path, shoot: Shoot) -> None:
    big = tmp_path / "a long evening at the harbour.mp4"
    big.write_bytes(bytes(20_000_000))
    page.goto("/")
    slow_down(page, 400_000)
    choose(page, big)
    expect(page.locator(".upload .words")).to_contain_text("/s, about", timeout=20_000)
    assert 0 < float(page.locator(".upload progress").get_attribute("value") or 0) < 1
    shoot(page, "uploading")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".upload")).to_have_count(0)


def test_leaving_during_an_upload_asks_first(page: Page, tmp_path: Path) -> None:
    big = tmp_path / "big.mp4"
    big.write_bytes(bytes(20_000_000))
    page.goto("/")
    slow_down(page, 100_000)
    choose(page, big)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.close(run_before_unload=True)
    for _ in range(50):
        if asked:
            break
        page.wait_for_timeout(100)
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Remove").click()


def test_a_refusal_names_its_kind_and_can_be_tried_again(
    forgiving_page: Page, tmp_path: Path, shoot: Shoot
) -> None:
    page = forgiving_page
    bad = tmp_path / "notes <b>for you.mp4"
    bad.write_text("<html>not a video</html>")
    page.goto("/")
    choose(page, bad)
    row = page.locator(".upload")
    expect(row).to_have_attribute("data-state", "refused")
    expect(row.locator(".kind")).to_have_text("bad-file")
    expect(row.locator(".words")).to_contain_text("notes <b>for you.mp4")
    shoot(page, "refused")
    again = row.get_by_role("button", name="Try again")
    expect(again).not_to_contain_class("primary")
    again.click()
    expect(row).to_have_attribute("data-state", "refused")
    expect(page.locator(".job")).to_have_count(0)


def test_a_file_that_is_too_large_is_not_even_sent(page: Page, tmp_path: Path) -> None:
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    page.goto("/")
    choose(page, huge)
    expect(page.locator(".upload .words")).to_have_text(
        "The file is 30 MB; this server accepts up to 30 MB."
    )


def test_the_list_lives(page: Page, server: Server, clip: Path) -> None:
    page.goto("/")
    job = queue(server, clip, **SECOND_WINDOWS)
    row = page.locator(".job")
    expect(row.locator(".chip")).to_have_text("queued")
    comment_windows(server.store, server.media, job["id"], 4)
    expect(row.locator(".chip")).to_have_text("running")
    expect(row.locator(".meta")).to_contain_text("4 of 6 windows")
    expect(row.locator(".meta")).to_contain_text("× real time")
    expect(row.locator("img")).to_have_js_property("naturalWidth", 320)
    comment_windows(server.store, server.media, job["id"], 2)
    expect(row.locator(".chip")).to_have_text("done")
    expect(page.locator("#announce")).to_have_text("bars.mp4: done")


def test_a_job_is_paused_resumed_cancelled_retried_and_deleted(
    page: Page, server: Server, clip: Path
) -> None:
    queue(server, clip)
    page.goto("/")
    chip = page.locator(".job .chip")
    for action, state in [
        ("Pause", "paused"),
        ("Resume", "queued"),
        ("Cancel", "cancelled"),
        ("Retry", "queued"),
    ]:
        page.get_by_role("button", name=f"{action} bars.mp4").click()
        expect(chip).to_have_text(state)
    page.locator(".job select").select_option("5")
    expect(page.locator(".job select")).to_have_value("5")
    page.get_by_role("button", name="Delete bars.mp4").click()
    page.get_by_role("button", name="Keep it").click()
    expect(chip).to_have_text("queued")
    page.get_by_role("button", name="Delete bars.mp4").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No videos yet.")).to_be_visible()


def test_jobs_in_every_state(
    page: Page, server: Server, clip: Path, old_clip: Path, shoot: Shoot
) -> None:
    hostile = "<img src=x onerror=alert(1)> " + "a very long name " * 8 + ".mp4"
    states = [
        queue(server, clip, **SECOND_WINDOWS, filename=name)
        for name in ("garden.mp4", "harbour at night.mp4", "broken.mp4", hostile)
    ]
    comment_windows(server.store, server.media, states[0]["id"], 6)
    comment_windows(server.store, server.media, states[1]["id"], 3)
    comment_windows(server.store, server.media, states[2]["id"], 2)
    fail_next(
        server.store,
        states[2]["id"],
        BadFile("broken.mp4 can't be decoded after 0:02: invalid data. Try a re-encoded copy."),
    )
    old = queue(server, old_clip, filename="กล้อง 📷.avi")
    queue(server, clip, filename="waits.mp4")
    page.request.post(f"/api/jobs/{states[3]['id']}/cancel")
    page.request.post(f"/api/jobs/{old['id']}/pause")
    page.goto("/")
    expect(page.locator(".job")).to_have_count(6)
    expect(page.get_by_text("can't be decoded after 0:02")).to_be_visible()
    shoot(page, "list")
    page.get_by_role("button", name="failed 1").click()
    expect(page.locator(".job")).to_have_count(1)
    expect(page.get_by_role("link", name="broken.mp4")).to_be_visible()


def test_older_jobs_are_a_page_away(page: Page, server: Server, clip: Path) -> None:
    for number in range(27):
        queue(server, clip, filename=f"clip {number}.mp4")
    page.goto("/")
    expect(page.locator(".job")).to_have_count(25)
    page.get_by_role("button", name="Older jobs").click()
    expect(page.locator(".job")).to_have_count(2)
    expect(page.locator(".job .name").last).to_have_text("clip 0.mp4")
    page.get_by_role("button", name="Newest jobs").click()
    expect(page.locator(".job")).to_have_count(25)


def test_the_colours_that_were_chosen_are_remembered(page: Page) -> None:
    page.goto("/")
    page.locator("#theme").click()
    page.locator("#theme").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_everything_can_be_reached_from_the_keyboard(
    page: Page, server: Server, clip: Path
) -> None:
    queue(server, clip)
    page.goto("/")
    expect(page.locator(".job")).to_have_count(1)
    reached = []
    for _ in range(19):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.tagName")
        )
    assert {"INPUT", "SUMMARY", "Pause bars.mp4", "Cancel bars.mp4", "Delete bars.mp4"} <= set(
        reached
    )
