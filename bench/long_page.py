"""Measure the page of a very long video in Chromium: `python -m bench.long_page`.

Ten hours, nine thousand segments, on an ordinary and on a slow machine (`--slower 4`: the browser's own brake on
the processor). First lines: from asking for the page until lines stand in view. Longest task: the processor's
time of the page's thread, while the list is scrolled, followed and searched; its longest are Playwright's own scripts.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page

from bench.hardware import hardware
from tests.chromium import running_chromium
from tests.web.browser.jobs import queue
from tests.web.long_job import comment_all, write_long_clip
from tests.web.server import running_server

ROUNDS = 5
FIRST_LINES = "() => document.querySelectorAll('#segments li').length > 0"
ALL_LINES = "() => document.querySelectorAll('#segments li').length === 9000"
FOUND = "() => document.querySelector('#search .count').textContent.endsWith('of 5,625')"


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--slower", type=float, default=4.0)
    wish = words.parse_args()
    print(hardware())
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), {}) as server:
        job = queue(server, write_long_clip(Path(folder) / "long.mp4"))
        comment_all(server, job["id"])
        with running_chromium() as browser:
            print("| processor | first lines, median | worst | longest task |\n|---|---|---|---|")
            for slower in (1.0, wish.slower):
                firsts = [
                    _first_lines_ms(browser, server.url + job["links"]["page"], slower)
                    for _ in range(ROUNDS)
                ]
                task = _longest_task_ms(browser, server.url + job["links"]["page"], slower)
                print(
                    f"| 1/{slower:g} | {median(firsts):.0f} ms | {max(firsts):.0f} ms | {task:.0f} ms |"
                )


def _open(browser: Browser, slower: float) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    return page


def _first_lines_ms(browser: Browser, url: str, slower: float) -> float:
    page = _open(browser, slower)
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(FIRST_LINES)
    elapsed = 1000 * (time.perf_counter() - begun)
    page.context.close()
    return elapsed


def _longest_task_ms(browser: Browser, url: str, slower: float) -> float:
    page = _open(browser, slower)
    browser.start_tracing(page=page, categories=["toplevel"])
    page.goto(url)
    page.wait_for_function(ALL_LINES)
    page.locator("#segments").hover()
    for distance in [3000] * 8 + [-2000] * 8:
        page.mouse.wheel(0, distance)
        page.wait_for_timeout(50)
    page.keyboard.press("/")
    page.keyboard.type("dog")
    page.wait_for_function(FOUND)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    page.context.close()
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return max(
        float(event["tdur"]) / 1000
        for event in events
        if "RunTask" in event["name"]
        and "tdur" in event
        and (event["pid"], event["tid"]) in threads
    )


if __name__ == "__main__":
    main()
