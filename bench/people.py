"""The people of `bench.load`, in processes of their own: they ask what the pages ask, and time each answer.

    python -m bench.people pollers|watchers|uploaders

reads a Plan as JSON from standard input and writes what was met, a Notes as JSON, to standard output.
"""

import asyncio
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.browser import BROKEN, PATIENCE_S, Broken, Browser, Met, Notes, Plan, chunks

POLL_S = 2.0  # as web/static/jobs.js and feed.js
CAPTIONS_S = 5.0  # as player.js
RANGE_BYTES = 2**20
ON_ITS_WAY_S = 20.0
ENDED = ("done", "failed", "cancelled")
PADDING_BYTES = 8 * 2**20  # sent again and again
BOUNDARY = "----load"


def main() -> int:
    plan = Plan(**json.load(sys.stdin))
    notes = Notes()
    role = sys.argv[1]
    if role == "uploaders":
        _upload_all(plan, notes)
    else:
        asyncio.run(_crowd(plan, notes, {"pollers": _poll, "watchers": _watch}[role]))
    times = os.times()
    notes.cpu_s = times.user + times.system
    json.dump(asdict(notes), sys.stdout)
    return 0


async def _crowd(plan: Plan, notes: Notes, live: Any) -> None:
    await asyncio.gather(*(live(Browser(plan, notes), number) for number in range(plan.people)))


async def _poll(browser: Browser, number: int) -> None:
    """Have the list open; or, every fourth, a job's page that found no room for a stream."""
    await asyncio.sleep(random.uniform(0, browser.plan.arrival_s))
    if number % 4 == 3:
        await _poll_job(browser, random.choice(browser.plan.jobs))
    else:
        await _poll_list(browser)


async def _poll_list(browser: Browser) -> None:
    await browser.ask("page of the list", "/")
    shown: set[str] = set()
    while browser.goes_on:
        answer = await browser.read("list", "/api/jobs")
        stills = [job["still"] for job in answer["jobs"] if job["still"]] if answer else []
        for path in stills:
            if path not in shown:
                shown.add(path)
                await browser.ask("still", path)
        await asyncio.sleep(POLL_S)


async def _poll_job(browser: Browser, job_id: str) -> None:
    await browser.ask("page of a job", f"/jobs/{job_id}")
    since = 0
    while browser.goes_on:
        await browser.read("job", f"/api/jobs/{job_id}")
        answer = await browser.read("segments", f"/api/jobs/{job_id}/segments?since={since}")
        since = answer["next"] if answer else since
        await asyncio.sleep(POLL_S)


async def _watch(browser: Browser, number: int) -> None:
    """Have a job's page open: its stream, beside it the player and the captions; then the next job's."""
    await asyncio.sleep(random.uniform(0, browser.plan.arrival_s))
    jobs = browser.plan.jobs
    turn = number
    while browser.goes_on:
        watched = _Watched(jobs[turn % len(jobs)])
        beside = asyncio.create_task(_play(Browser(browser.plan, browser.notes), watched))
        try:
            await _follow(browser, watched)
        finally:
            beside.cancel()
            with suppress(asyncio.CancelledError):
                await beside
        await _count(browser, watched)
        turn += 1
        await asyncio.sleep(0.5)


@dataclass(slots=True)
class _Watched:
    job_id: str
    since: int = 0
    seen: set[int] = field(default_factory=set)
    ended: bool = False


async def _follow(browser: Browser, watched: _Watched) -> None:
    """Do as feed.js: read all there is, listen, and come back where the stream broke off."""
    job_id = watched.job_id
    await browser.ask("page of a job", f"/jobs/{job_id}")
    job = await browser.read("job", f"/api/jobs/{job_id}")
    answer = await browser.read("segments", f"/api/jobs/{job_id}/segments?since=0")
    if job is None or answer is None:
        return
    watched.since = answer["next"]
    watched.seen |= {segment["index"] for segment in answer["segments"]}
    watched.ended = job["state"] in ENDED
    while browser.goes_on and not watched.ended:
        await _listen(browser, watched, _stays(browser, random.uniform(15, 45)))
        if browser.goes_on and not watched.ended:
            browser.notes.reconnects += 1
            await asyncio.sleep(1)


def _stays(browser: Browser, seconds: float) -> Callable[[], bool]:
    """Return whether a connection still holds: a phone loses its network, a laptop is closed."""
    leaves = time.time() + seconds
    return lambda: browser.goes_on and time.time() < leaves


async def _listen(browser: Browser, watched: _Watched, stays: Callable[[], bool]) -> None:
    """Follow one connection until the job ends, or as long as the person stays."""
    stream = Browser(browser.plan, browser.notes)
    try:
        await _hear_stream(stream, watched, stays)
    except* (OSError, Broken, TimeoutError, asyncio.IncompleteReadError) as errors:
        browser.notes.faults.append(f"events: {errors.exceptions[0]!r}")
    finally:
        stream.close()


async def _hear_stream(stream: Browser, watched: _Watched, stays: Callable[[], bool]) -> None:
    path = f"/api/jobs/{watched.job_id}/events?since={watched.since}"
    at, begun = time.time(), time.perf_counter()
    async with asyncio.timeout(PATIENCE_S):
        status, reader = await stream.open_stream(path, Last_Event_ID=str(watched.since))
    ms = 1000 * (time.perf_counter() - begun)
    stream.notes.met.append(Met("events, until they begin", at, ms, status, 0))
    if status != 200:
        stream.notes.faults.append(f"events: {status}")
        await asyncio.sleep(POLL_S)
        return
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(_hear_all(stream.notes, watched, reader, at))
        while stays() and not listening.done():
            await asyncio.wait({listening}, timeout=0.5)
        listening.cancel()


async def _hear_all(
    notes: Notes, watched: _Watched, reader: asyncio.StreamReader, connected: float
) -> None:
    told: set[int] = set()
    text = b""
    async for piece in chunks(reader):
        *blocks, text = (text + piece).split(b"\n\n")
        for block in blocks:
            _hear(notes, watched, told, block.decode(), connected)
        if watched.ended:
            return
    raise Broken("the stream ended before the job")


def _hear(notes: Notes, watched: _Watched, told: set[int], block: str, connected: float) -> None:
    lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
    if lines.get("event") == "job":
        watched.ended = json.loads(lines["data"])["state"] in ENDED
    if lines.get("event") != "segments":
        return
    now = time.time()
    for segment in json.loads(lines["data"])["segments"]:
        index, stored = segment["index"], segment["created_ms"] / 1000
        notes.seen += 1
        notes.doubled += index in told
        notes.repeated += index in watched.seen and index not in told
        if index not in watched.seen and stored > connected:
            notes.event_ms.append((stored, 1000 * (now - stored)))
        told.add(index)
        watched.seen.add(index)
    watched.since = int(lines["id"])


async def _count(browser: Browser, watched: _Watched) -> None:
    """Compare what came with what is stored; what was stored just now may still be on its way."""
    answer = await browser.read("segments", f"/api/jobs/{watched.job_id}/segments?limit=5000")
    if answer is None:
        return
    stored = {segment["index"] for segment in answer["segments"]}
    deadline = time.time() + ON_ITS_WAY_S
    if not (watched.ended or stored <= watched.seen):
        await _listen(
            browser, watched, lambda: not stored <= watched.seen and time.time() < deadline
        )
    browser.notes.lost += len(stored - watched.seen)


async def _play(browser: Browser, watched: _Watched) -> None:
    """Ask for what a player asks: the beginning, ranges as it goes on, and captions that grow."""
    job = await browser.read("job", f"/api/jobs/{watched.job_id}")
    if job is None:
        return
    path, size = job["video"]["url"], job["video"]["size_bytes"]
    position, captions = 0, 0.0
    while True:
        await browser.ask(
            "range of a video",
            path,
            Range=f"bytes={position}-{min(position + RANGE_BYTES, size) - 1}",
        )
        position = (position + RANGE_BYTES) % size
        if time.time() - captions > CAPTIONS_S:
            captions = time.time()
            await browser.ask("export.vtt", f"{job['links']['exports']['vtt']}?inline=1")
        await asyncio.sleep(random.uniform(2, 6))


def _upload_all(plan: Plan, notes: Notes) -> None:
    with tempfile.NamedTemporaryFile() as padding:
        padding.write(os.urandom(PADDING_BYTES))
        padding.flush()
        uploads = [
            threading.Thread(target=_upload, args=(plan, notes, Path(padding.name), number))
            for number in range(plan.people)
        ]
        for upload in uploads:
            upload.start()
        for upload in uploads:
            upload.join()


def _upload(plan: Plan, notes: Notes, padding: Path, number: int) -> None:
    """Send a form as the page does; its file is the clip and a `free` box of other bytes each time."""
    at, begun = time.time(), time.perf_counter()
    try:
        status, answer = _send_form(plan, padding, number)
    except OSError as error:
        status, answer = BROKEN, repr(error).encode()
    ms = 1000 * (time.perf_counter() - begun)
    notes.met.append(Met("upload", at, ms, status, plan.upload_bytes))
    if status != 201:
        notes.faults.append(f"upload: {status} {answer[:200].decode(errors='replace')}")


def _send_form(plan: Plan, padding: Path, number: int) -> tuple[int, bytes]:
    clip = Path(plan.clip).read_bytes()
    box_bytes = plan.upload_bytes - len(clip)
    # A box of 64-bit size that readers skip; the first bytes make the file unlike any other.
    start = (1).to_bytes(4, "big") + b"free" + box_bytes.to_bytes(8, "big") + os.urandom(16)
    before = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"\r\n\r\nload {number}.mp4\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="load.mp4"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    ).encode()
    after = f"\r\n--{BOUNDARY}--\r\n".encode()
    length = len(before) + plan.upload_bytes + len(after)
    head = (
        f"POST /api/jobs HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nContent-Length: {length}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nConnection: close\r\n\r\n"
    ).encode()
    with (
        socket.create_connection((plan.host, plan.port), timeout=PATIENCE_S) as connection,
        padding.open("rb") as file,
    ):
        connection.sendall(head + before + clip + start)
        left = box_bytes - len(start)
        while left:
            left -= connection.sendfile(file, 0, min(left, PADDING_BYTES))
        connection.sendall(after)
        answer = b"".join(_received(connection))
    return int(answer.split(None, 2)[1]) if answer else BROKEN, answer.partition(b"\r\n\r\n")[2]


def _received(connection: socket.socket) -> Iterable[bytes]:
    connection.settimeout(10 * PATIENCE_S)  # the server hashes, checks and stores it now
    while piece := connection.recv(65536):
        yield piece


if __name__ == "__main__":
    sys.exit(main())
