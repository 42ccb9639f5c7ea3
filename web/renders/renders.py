"""The renders of this server process: what waits, what is being made, what is there.

How the making goes stands in a note beside the file, so that every server process can tell it. The note is
also the wish: whoever takes it away (a person who cancels, a job that is deleted) ends the making. Of a
process that was killed the note grows old; then the file may be asked for again.
"""

import json
import logging
import os
import threading
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.clock import now_ms
from models.errors import AppError, BadFile, DiskFull, StoreBusy
from models.media import Media
from models.scratch import refusal
from web import meters
from web.child import Unwanted, run
from web.renders.kinds import RENDERINGS
from web.renders.orders import Order

MOST_WAITING = 20
FRESH_MS = 15_000  # an older note of another process's work under way: that process has died
LEAST_ROOM = 100_000  # bytes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Making:
    """How far a render is."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    progress: float = 0.0  # 0 to 1
    message: str | None = None  # why it failed
    notes: tuple[str, ...] = ()  # what should be known of a file that is ready


@dataclass(slots=True)
class Renders:
    """Makes one file after another, in a thread that runs while something waits."""

    media: Media
    most_bytes: int
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _waiting: deque[tuple[Order, str]] = field(default_factory=deque)
    _current: Order | None = None
    _busy: bool = False

    def file(self, order: Order) -> str:
        """Return the name of the file in the storage."""
        return self.media.render(order.job_id, order.name)

    def tell(self, order: Order) -> Making:
        is_ours = self._is_ours(order)
        note = self._read_note(order)
        if self.media.storage.existing([self.file(order)]):
            return Making("ready", 1.0, notes=tuple(note.get("notes", ())))
        match note.get("state"):
            case "failed":
                return Making("failed", message=note["message"])
            case "waiting" | "making" as state if is_ours or now_ms() - note["told_ms"] <= FRESH_MS:
                return Making(state, note.get("progress", 0.0))
        return Making("none")

    def _is_ours(self, order: Order) -> bool:
        """Tell whether it waits or is made here: a long way from or to the bucket writes no note."""
        with self._lock:
            ours = [waiting for waiting, _ in self._waiting]
            if self._current is not None:
                ours.append(self._current)
            return self.file(order) in map(self.file, ours)

    def want(self, order: Order, name: str) -> None:
        """See to it that the file will be there. `name` is what the person calls the video.

        Raises StoreBusy.
        """
        with self._lock:
            if self.tell(order).state in ("ready", "waiting", "making"):
                return
            self._forget_replaced(order)
            if len(self._waiting) >= MOST_WAITING:
                raise StoreBusy("Many files are being rendered already; ask again later.")
            self._write_note(order, create=True, state="waiting")
            self._waiting.append((order, name))
            if self._busy:
                return
            self._busy = True
        # A thread of its own: the kernel ends the child together with the thread that started it.
        threading.Thread(target=self._work, name="renders", daemon=True).start()

    def _forget_replaced(self, order: Order) -> None:
        """Let go of what waits and would be outdated: a job that goes on says more every few seconds."""
        replaced = [waiting for waiting in self._waiting if order.replaces(waiting[0])]
        self.media.storage.remove(*(self._note(other) for other, _ in replaced))
        for waiting in replaced:
            self._waiting.remove(waiting)

    def forget(self, order: Order) -> None:
        """End the making, or remove what was made."""
        self.media.storage.remove(self._note(order), self.file(order))

    def _work(self) -> None:
        while True:
            with self._lock:
                self._current = None
                if not self._waiting:
                    self._busy = False
                    return
                order, name = self._waiting.popleft()
                self._current = order
            begun = time.monotonic()
            outcome = self._make_and_tell(order, name)
            meters.render_ended(order.format, outcome, time.monotonic() - begun)

    def _make_and_tell(self, order: Order, name: str) -> str:
        """Write the file, or note why not; return how it ended."""
        facts = f"job_id={order.job_id} format={order.format}"
        try:
            self._make(order, name)
        except Unwanted:
            log.info("render cancelled %s", facts)
            return "cancelled"
        except AppError as error:
            log.warning("not rendered %s reason=%s", facts, error, exc_info=error.__cause__)
            self._note_failed(order, str(error))
            return "failed"
        except Exception:
            # the thread goes on to the next order, and the page must hear of this one
            log.exception("not rendered %s", facts)
            self._note_failed(order, "A bug of ours: see the server's log.")
            return "failed"
        log.info("rendered %s", facts)
        return "done"

    def _make(self, order: Order, name: str) -> None:
        """Write the file. Raises AppErrors and Unwanted."""
        room = min(order.largest_file, self.most_bytes, self.media.scratch.free_bytes() // 2)
        if room < LEAST_ROOM:
            raise DiskFull("The server's disk is full: delete old jobs, or make room on the disk.")
        try:
            with ExitStack() as opened:
                part, output = opened.enter_context(self.media.scratch.making())
                files = {"output": output}
                if order.needs_video:
                    video = self.media.local_video(order.video_id, order.video_sha256)
                    source = opened.enter_context(video).open("rb", buffering=0)
                    files["video"] = opened.enter_context(source).fileno()
                told = run(
                    RENDERINGS[order.format].program,
                    {**order.request, "largest_file": room},
                    files,
                    name,
                    "rendered",
                    lambda progress: self._go_on(order, progress),
                )
                notes = [str(note) for note in told["notes"]]
                os.fsync(output)
                # Ready is what the file's being there says: until then it is still being made.
                is_wanted = self._write_note(order, state="making", progress=1.0, notes=notes)
                if not is_wanted or not self._keep(part, order):
                    raise Unwanted
        except FileNotFoundError:
            raise BadFile(f"{name} is no longer here; the job may have been deleted.") from None
        except OSError as error:
            raise refusal(error, "The file can't be stored") from error

    def _keep(self, part: Path, order: Order) -> bool:
        return self.media.keep_render(part, order.job_id, order.name, self.most_bytes)

    def _go_on(self, order: Order, progress: float) -> bool:
        """Note the progress, and that the others wait; False if the note was taken away."""
        with self._lock:
            waiting = [other for other, _ in self._waiting]
        try:
            for other in waiting:
                self._write_note(other, state="waiting")
            return self._write_note(order, state="making", progress=progress)
        except StoreBusy as error:
            log.warning("progress of a render not noted reason=%s", error)
            return True  # as far as can be told: in a second it is asked again

    def _note_failed(self, order: Order, message: str) -> None:
        try:
            self._write_note(order, state="failed", message=message)
        except StoreBusy as error:  # the note grows old; then the file may be asked for again
            log.warning("failure of a render not noted reason=%s", error)
        except Exception:  # the thread goes on: nobody else would make what waits
            log.exception("failure of a render not noted")

    def _note(self, order: Order) -> str:
        return self.media.render_note(order.job_id, order.name)

    def _read_note(self, order: Order) -> dict[str, Any]:
        try:
            note: dict[str, Any] = json.loads(self.media.storage.read(self._note(order)))
        except (FileNotFoundError, ValueError):
            return {}
        return note

    def _write_note(self, order: Order, *, create: bool = False, **words: Any) -> bool:
        """Write over the note; False if it is not there any more, for then it stays away."""
        note = json.dumps({**words, "told_ms": now_ms()}).encode()
        if create:
            self.media.storage.put(self._note(order), note)
            return True
        return self.media.storage.rewrite(self._note(order), note)
