"""Measure what the list and a job's page weigh, and when they can be used, in Chromium: `python -m bench.first_view`.

A list of forty jobs, a job of nine windows, nothing in the browser's cache, on an ordinary and on a slow machine
(`--slower 4`: the browser's own brake on the processor). Usable: from the page's beginning until the rows (lines) and their
buttons have been painted, by the page's own clock. Work: processor time of the page's thread until then, from its trace; what
else the machine does changes it less. Nothing polls meanwhile: a look at every frame has the browser paint each of them.
Script: all that is run, ours and vendored.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser

from bench.hardware import hardware
from tests.chromium import running_chromium
from tests.web.browser.jobs import queue
from tests.web.clips import write_clip
from tests.web.commenting import comment_windows
from tests.web.server import running_server

ROUNDS = 7
JOBS = 40
USABLE = {
    "list": "document.querySelectorAll('#jobs .actions button').length > 0",
    "job": "document.querySelectorAll('#segments li .line').length > 0 && document.querySelector('#actions button') !== null",
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
        pages = {"list": "/", "job": jobs[0]["links"]["page"]}
        print(
            "| page | processor | usable, median | worst | work | scripts | bytes of script | sent |"
        )
        print("|---|---|---|---|---|---|---|---|")
        with running_chromium() as browser:
            for name, path in pages.items():
                for slower in (1.0, wish.slower):
                    seen = [_look(browser, server.url + path, name, slower) for _ in range(ROUNDS)]
                    times, work, scripts = (
                        [it[0] for it in seen],
                        [it[1] for it in seen],
                        seen[-1][2],
                    )
                    told, sent = (sum(sizes) for sizes in zip(*scripts, strict=True))
                    print(
                        f"| {name} | 1/{slower:g} | {median(times):.0f} ms | {max(times):.0f} ms | {median(work):.0f} ms "
                        f"| {len(scripts)} | {told / 1000:.0f} kB | {sent / 1000:.0f} kB |"
                    )


def _look(
    browser: Browser, url: str, name: str, slower: float
) -> tuple[float, float, list[tuple[int, int]]]:
    """Return when the page can be used, its work until then, both in ms, and the sizes of its scripts."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(NOTE.replace("{usable}", USABLE[name]))
    browser.start_tracing(page=page, categories=["toplevel", "blink.user_timing"])
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.usableMs", polling=500)
    work_ms = _work_ms(json.loads(browser.stop_tracing())["traceEvents"])
    page.wait_for_timeout(2000)  # the charts come later
    usable_ms, scripts = page.evaluate("window.usableMs"), page.evaluate(SCRIPTS)
    page.context.close()
    return float(usable_ms), float(work_ms), [(told, sent) for told, sent in scripts]


def _work_ms(events: list[dict[str, Any]]) -> float:
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
