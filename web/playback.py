"""Copies of videos that browsers can't play, made on demand by a child process, one after another.

What a copy's making comes to stands in a note beside the copies, so that every server process can
tell it: of a maker that was killed the note grows old, and the copy may be asked for again.
"""

import json
import logging
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from models.clock import now_ms
from models.errors import AppError, BadFile, Conflict, DiskFull, StoreBusy
from models.media import Media
from models.scratch import refusal
from models.tables import Video
from models.videos import why_removed
from web.child import Unwanted, run
from web.shapes import PlaybackShape

PROGRAM = "worker.video.playback"
MOST_WAITING = 20
FRESH_MS = 15_000  # an older note of another process's work under way: that process has died

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """A video to copy, as its row tells it."""

    video_id: str
    sha256: str
    stream_index: int
    origin_pts: int
    end_pts: int
    width: int
    height: int
    sound: bool

    @classmethod
    def of(cls, video: Video) -> "Wish":
        return cls(
            video.id,
            video.sha256,
            video.stream_index,
            video.origin_pts,
            video.end_pts,
            video.width,
            video.height,
            video.has_audio,
        )


@dataclass(slots=True)
class Playbacks:
    """Makes the copies of this server process, and tells of all of them."""

    media: Media
    most_bytes: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: deque[Wish] = field(default_factory=deque)
    _current: Wish | None = None
    _busy: bool = False

    def tell(self, video_id: str) -> tuple[str, float, str | None]:
        """Return state, share done and why it failed: "none", "waiting", "making", "ready" or "failed"."""
        with self._lock:
            waits = any(wish.video_id == video_id for wish in self._waiting)
            is_ours = self._current is not None and self._current.video_id == video_id
        note = self._read_note(video_id)  # before the look for the file: it goes when that is there
        if self.media.storage.existing([self.media.playback(video_id)]):
            return "ready", 1.0, None
        if waits:
            return "waiting", 0.0, None
        if note is None:
            return "none", 0.0, None
        # A long way from or to the bucket writes no note.
        if note["state"] == "making" and now_ms() - note["told_ms"] > FRESH_MS and not is_ours:
            return "none", 0.0, None
        return note["state"], note["progress"], note["message"]

    def _read_note(self, video_id: str) -> dict[str, Any] | None:
        try:
            note: dict[str, Any] = json.loads(
                self.media.storage.read(self.media.playback_note(video_id))
            )
        except (OSError, ValueError):
            return None
        return note

    def want(self, video: Video) -> None:
        """See to it that there will be a copy. Raises Conflict or StoreBusy."""
        if reason := why_removed(video):
            raise Conflict(reason)
        if self.most_bytes == 0:
            raise Conflict("This server makes no copies for playing (setting PLAYBACK_BYTES is 0).")
        state, *_ = self.tell(video.id)
        if state in ("ready", "waiting", "making"):
            return
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise StoreBusy("Many copies are being made already; ask again later.")
            self._waiting.append(Wish.of(video))
            if self._busy:
                return
            self._busy = True
        # A thread of its own: the kernel ends the child together with the thread that started it.
        threading.Thread(target=self._work, name="playback", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._current = None
                if not self._waiting:
                    self._busy = False
                    return
                self._current = wish = self._waiting.popleft()
                self._write_note(wish.video_id, "making", 0.0)
            try:
                self._make(wish)
            except Unwanted:
                log.info("no copy for playing: its video is gone video_id=%s", wish.video_id)
            except AppError as error:
                log.warning(
                    "no copy for playing video_id=%s reason=%s",
                    wish.video_id,
                    error,
                    exc_info=error.__cause__,
                )
                self._write_note(wish.video_id, "failed", 0.0, str(error))
            except Exception:
                # the thread goes on to the next wish, and the page must hear of this one
                log.exception("no copy for playing video_id=%s", wish.video_id)
                self._write_note(
                    wish.video_id, "failed", 0.0, "A bug of ours: see the server's log."
                )

    def _make(self, wish: Wish) -> None:
        """Write the copy; a video that is deleted meanwhile leaves none. Raises AppErrors and Unwanted."""
        room = min(self.most_bytes, self.media.scratch.free_bytes() // 2)
        if room < 1 << 20:
            raise DiskFull("The server's disk is full: delete old jobs, or make room on the disk.")
        try:
            with (
                self.media.local_video(wish.video_id, wish.sha256) as path,
                path.open("rb", buffering=0) as source,
                self.media.scratch.making() as (part, output),
            ):
                run(
                    PROGRAM,
                    {**asdict(wish), "most_bytes": room},
                    {"descriptor": source.fileno(), "output": output},
                    "The file",
                    "converted",
                    lambda progress: self._go_on(wish, progress),
                )
                if self.media.has_video(wish.video_id):
                    self.media.keep_playback(part, wish.video_id, self.most_bytes)
            log.info("copy for playing made video_id=%s", wish.video_id)
        except FileNotFoundError:
            raise BadFile("The file is no longer here; the job may have been deleted.") from None
        except OSError as error:
            raise refusal(error, "The copy can't be stored") from error
        finally:
            self._forget_note(wish.video_id)

    def _go_on(self, wish: Wish, progress: float) -> bool:
        """Note the progress; False if the video has been deleted."""
        try:
            if not self.media.has_video(wish.video_id):
                return False
        except StoreBusy as error:  # in a second it is asked again
            log.warning("not known whether a copy's video is still here reason=%s", error)
        self._write_note(wish.video_id, "making", progress)
        return True

    def _write_note(
        self, video_id: str, state: str, progress: float, message: str | None = None
    ) -> None:
        words: dict[str, Any] = {
            "state": state,
            "progress": progress,
            "message": message,
            "told_ms": now_ms(),
        }
        try:
            self.media.storage.put(self.media.playback_note(video_id), json.dumps(words).encode())
        except StoreBusy as error:
            log.warning("progress of a copy not noted reason=%s", error)
        except Exception:  # the thread goes on: nobody else would make what waits
            log.exception("progress of a copy not noted")

    def _forget_note(self, video_id: str) -> None:
        try:
            self.media.storage.remove(self.media.playback_note(video_id))
        except StoreBusy as error:  # it grows old
            log.warning("progress of a copy not noted reason=%s", error)


def playback_shape(playbacks: Playbacks, video_id: str, url: str) -> PlaybackShape:
    state, progress, message = playbacks.tell(video_id)
    return PlaybackShape(
        state=state,
        progress=progress,
        message=message,
        url=url if state == "ready" else None,
    )
