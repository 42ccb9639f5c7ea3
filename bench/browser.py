"""A browser's connection to the server, and notes of what was met on it: for `bench.people`.

It is kept alive and used one request at a time; a request on one that the server has closed meanwhile is
sent again on a fresh one, as browsers do.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0
BROKEN = 0  # the status of a request without an answer


@dataclass(frozen=True, slots=True)
class Plan:
    host: str
    port: int
    people: int
    arrival_s: float  # within which all of them come
    until: float  # seconds since 1970: when they stop
    stop: str  # ... or when there is such a file
    jobs: list[str]  # ids of those that are looked at
    clip: str = ""  # what uploads begin with
    upload_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Met:
    """One answer."""

    route: str
    at: float  # when it was asked for, seconds since 1970
    ms: float
    status: int
    nbytes: int


@dataclass(slots=True)
class Notes:
    """What a group of people met."""

    met: list[Met] = field(default_factory=list)
    event_ms: list[tuple[float, float]] = field(default_factory=list)  # at, from stored to seen
    lost: int = 0  # segments of a job that ended which a watcher never saw
    doubled: int = 0  # ... that came twice in one connection
    repeated: int = 0  # ... that came again after a reconnect, as docs/api.md allows
    seen: int = 0
    reconnects: int = 0
    cpu_s: float = 0.0
    faults: list[str] = field(default_factory=list)


class Broken(Exception):
    """No answer, or not all of it."""


class Browser:
    """One person's connection."""

    def __init__(self, plan: Plan, notes: Notes) -> None:
        self.plan, self.notes = plan, notes
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def goes_on(self) -> bool:
        return time.time() < self.plan.until and not Path(self.plan.stop).exists()

    async def ask(self, route: str, path: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body; both are noted."""
        at, begun = time.time(), time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                status, body = await self._ask_twice(path, headers)
        except (OSError, Broken, TimeoutError) as error:
            self.close()
            status, body = BROKEN, b""
            self.notes.faults.append(f"{route}: {error!r}")
        ms = 1000 * (time.perf_counter() - begun)
        self.notes.met.append(Met(route, at, ms, status, len(body)))
        if status >= 400:
            self.notes.faults.append(f"{route}: {status} {body[:200].decode(errors='replace')}")
        return status, body

    async def read(self, route: str, path: str) -> Any:
        """Return what the JSON says; None for a refusal."""
        status, body = await self.ask(route, path)
        return json.loads(body) if status == 200 else None

    async def _ask_twice(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self._writer is not None:
            try:
                return await self._exchange(path, headers)
            except (OSError, Broken):
                self.close()
        return await self._exchange(path, headers)

    async def _exchange(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        reader = await self._send(path, headers)
        status, answered = await read_head(reader)
        body = await _read_body(reader, answered)
        if answered.get("connection", "").lower() == "close":
            self.close()
        return status, body

    async def _send(self, path: str, headers: Mapping[str, str]) -> asyncio.StreamReader:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(
                self.plan.host, self.plan.port
            )
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.plan.host}:{self.plan.port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        return self._reader

    async def open_stream(self, path: str, **headers: str) -> tuple[int, asyncio.StreamReader]:
        """Send a request whose answer doesn't end; return its status once it begins."""
        reader = await self._send(path, headers)
        status, _ = await read_head(reader)
        return status, reader

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise Broken("the connection was closed") from error
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    try:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join([piece async for piece in chunks(reader)])
        return await reader.readexactly(int(headers.get("content-length", "0")))
    except asyncio.IncompleteReadError as error:
        raise Broken("the answer was cut off") from error


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
