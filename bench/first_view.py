"""Measure what the list and a job's page weigh, and when they can be used, in Chromium: `python -m bench.first_view`.

A list of forty jobs, a job of nine windows, a page for an address at which there is nothing; nothing in the browser's cache; on an
ordinary and on a slow machine (`--slower 4`: the browser's own brake on the processor). Usable: from the page's beginning until
the rows (lines) and their buttons have been painted, by the page's own clock, in a window that had been opened before: to open
one takes Chromium as long again. Nothing polls meanwhile: a look at every frame has the browser paint each of them.
Work: processor time of the page's thread until then, from its trace in rounds of their own, which take longer for it; what else
the machine does changes it less. Script: all that is run, ours and vendored.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page

from bench.hardware import hardware
from tests.chromium import running_chromium
from tests.web.browser.jobs import queue
from tests.web.clips import write_clip
from tests.web.commenting import comment_windows
from tests.web.server import running_server

ROUNDS = 7
TRACED_ROUNDS = 3
OPEN_MS = 1500  # until a new window has settled
JOBS = 40
USABLE = {
    "list": "document.querySelectorAll('#jobs .actions button').length > 0",
    "job": "document.querySelectorAll('#segments li .line').length > 0 && document.querySelector('#actions button') !== null",
    "none": "document.querySelector('h1') !== null",
}
NOTE = """new MutationObserver((_, observer) => {
    if (!({usable})) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.usableMs = performance.mark("usable").startTime; }));
}).observe(document, { childList: true, subtree: true });"""
SCRIPTS = """() => performance.getEntriesByType("resource").filter(({ name }) => name.split("?")[0].endsWith(".js"))
    .map(({ decodedBodySize, encodedBodySize }) => [decodedBodySize, encodedBodySize])"""


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--slower", type=float, default=4.0)
    wish = words.parse_args()
    print(hardware(), "load average", *(f"{load:.1f}" for load in os.getloadavg()))
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), {}) as server:
        clip = write_clip(Path(folder) / "clip.mp4", seconds=20)
        jobs = [queue(server, clip, window_hop="4", filename=f"{n}.mp4") for n in range(JOBS)]
        for job in jobs:
            comment_windows(server.store, server.media, job["id"], 9)
        pages = {"list": "/", "job": jobs[0]["links"]["page"], "none": "/jobs/none"}
        print(
            "| page | processor | usable, median | worst | work | scripts | bytes of script | sent |"
        )
        print("|---|---|---|---|---|---|---|---|")
        with running_chromium() as browser:
            for name, path in pages.items():
                for slower in (1.0, wish.slower):
                    seen = [_look(browser, server.url + path, name, slower) for _ in range(ROUNDS)]
                    work = [
                        _work_ms(browser, server.url + path, name, slower)
                        for _ in range(TRACED_ROUNDS)
                    ]
                    times, scripts = [it[0] for it in seen], seen[-1][1]
                    told, sent = (sum(sizes) for sizes in zip(*scripts, strict=True))
                    print(
                        f"| {name} | 1/{slower:g} | {median(times):.0f} ms | {max(times):.0f} ms | {median(work):.0f} ms "
                        f"| {len(scripts)} | {told / 1000:.0f} kB | {sent / 1000:.0f} kB |"
                    )


def _look(
    browser: Browser, url: str, name: str, slower: float
) -> tuple[float, list[tuple[int, int]]]:
    """Return when the page can be used, in ms, and the sizes of its scripts."""
    page = _window(browser, name, slower)
    _open(page, url)
    page.wait_for_timeout(2000)  # the charts come later
    usable_ms, scripts = page.evaluate("window.usableMs"), page.evaluate(SCRIPTS)
    page.context.close()
    return float(usable_ms), [(told, sent) for told, sent in scripts]


def _work_ms(browser: Browser, url: str, name: str, slower: float) -> float:
    page = _window(browser, name, slower)
    browser.start_tracing(page=page, categories=["toplevel", "blink.user_timing"])
    _open(page, url)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    page.context.close()
    return _until_mark_ms(events)


def _window(browser: Browser, name: str, slower: float) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.wait_for_timeout(OPEN_MS)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(NOTE.replace("{usable}", USABLE[name]))
    return page


def _open(page: Page, url: str) -> None:
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.usableMs", polling=500)


def _until_mark_ms(events: list[dict[str, Any]]) -> float:
    """Return the processor time of the page's thread until its mark: of its tasks, each counted once."""
    mark = next(it for it in events if it["name"] == "usable")
    tasks = [
        it
        for it in events
        if it["ph"] == "X" and it["tid"] == mark["tid"] and it["pid"] == mark["pid"]
    ]
    work_us, end_us = 0, 0
    for task in sorted(tasks, key=lambda it: (it["ts"], -it.get("dur", 0))):
        if end_us <= task["ts"] < mark["ts"]:  # else it lies within the one before
            work_us += task.get("tdur", 0)
            end_us = task["ts"] + task.get("dur", 0)
    return work_us / 1000


if __name__ == "__main__":
    main()
