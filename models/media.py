"""What is kept beside the store: uploaded files, stills, and what is made of them on demand.

videos/<video id>               one file per content
stills/<job id>/<window>.jpg
stills/<job id>/sheet-<number>-<stills>.jpg   thumbnails of many windows in one picture
playback/<video id>.mp4         a copy that every browser plays; ID.json tells of its making
renders/<job id>/<name>         spoken tracks and previews; NAME.json tells of each
uploads/<upload id>             uploads that are still arriving, over however many requests

These are names in a storage (models/storage.py): paths below DATA_DIR/media, or below the prefix of a
bucket. A person's file name is never one. DATA_DIR/media/incoming is on this machine in any case: files
that come in one request, while it lasts, and what is being made.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.folder import Folder
from models.scratch import Scratch
from models.storage import Storage
from settings import BadSetting, Settings

KINDS = ("incoming", "uploads", "videos", "stills", "playback", "renders")


def open_media(settings: Settings) -> "Media":
    """Return the media of these settings; nothing is asked of a storage yet. Raises BadSetting."""
    root = settings.data_dir / "media"
    if not settings.media_url:
        return folder_media(root)
    try:
        from models.bucket import open_bucket  # its library comes with an extra
    except ModuleNotFoundError as error:
        raise BadSetting(
            f"MEDIA_URL needs the package {error.name}, which is not installed: "
            ".venv/bin/pip install -e '.[s3]'."
        ) from None
    scratch = Scratch(root / "incoming")
    return Media(root, scratch, open_bucket(settings, scratch))


def folder_media(root: Path) -> "Media":
    return Media(root, Scratch(root / "incoming"), Folder(root))


@dataclass(frozen=True, slots=True)
class Media:
    root: Path  # on this machine: of everything, or where a bucket holds the rest of the scratch alone
    scratch: Scratch
    storage: Storage

    def check(self) -> None:
        """Raise DiskFull or StoreBusy if no upload could be stored."""
        self.scratch.check_writable()
        self.storage.check()

    def video(self, video_id: str) -> str:
        return f"videos/{video_id}"

    def has_video(self, video_id: str) -> bool:
        return bool(self.storage.existing([self.video(video_id)]))

    def local_video(self, video_id: str, sha256: str) -> AbstractContextManager[Path]:
        """Yield the video as a file of this machine. Raises as Storage.local()."""
        return self.storage.local(self.video(video_id), sha256)

    def keep(self, received: Path, video_id: str, *, stays: bool = False) -> None:
        """Make a received file the video's, safe on disk; it may be moved, unless it `stays`.

        Raises DiskFull or StoreBusy.
        """
        self.storage.take(received, self.video(video_id), durable=True, stays=stays)

    def mend(self, stored_id: str, kept_id: str) -> None:
        """Let a kept file be that of a video with the same content whose own is gone, or spoilt."""
        self.storage.link(self.video(kept_id), self.video(stored_id))

    def remove_video(self, video_id: str) -> None:
        """Remove a video's file and its copy."""
        self.storage.remove(
            self.video(video_id), self.playback(video_id), self.playback_note(video_id)
        )

    def remove_upload(self, upload_id: str) -> None:
        """Remove what has come of an upload, also where it was to become a video next."""
        self.storage.arrivals.remove(upload_id)
        self.storage.remove(self.video(upload_id))

    def still(self, job_id: str, window: int) -> str:
        return f"stills/{job_id}/{window}.jpg"

    def sheet(self, job_id: str, number: int, stills: int) -> str:
        """Return the name of the sheet of thumbnails that holds so many stills."""
        return f"stills/{job_id}/sheet-{number}-{stills}.jpg"

    def keep_still(self, draft: Path, job_id: str, window: int) -> None:
        """Make a file of the scratch the window's picture, whole or not at all."""
        self.storage.take(draft, self.still(job_id, window))

    def take_stills(self, source_id: str, job_id: str, windows: Iterable[int]) -> None:
        """Give a job the pictures that another made; one that is missing stays so."""
        for window in windows:
            with suppress(FileNotFoundError):
                self.storage.link(self.still(source_id, window), self.still(job_id, window))

    def remove_stills(self, job_id: str) -> None:
        self.storage.remove_below(f"stills/{job_id}")

    def playback(self, video_id: str) -> str:
        return f"playback/{video_id}.mp4"

    def playback_note(self, video_id: str) -> str:
        """Return where it stands how the making of a video's copy goes."""
        return f"playback/{video_id}.json"

    def keep_playback(self, part: Path, video_id: str, most_bytes: int) -> None:
        """Make a file the video's copy; the copies that were not asked for longest give way to it."""
        self.storage.take(part, self.playback(video_id))
        self._give_way("playback", ".mp4", self.playback(video_id), most_bytes)

    def render(self, job_id: str, name: str) -> str:
        return f"renders/{job_id}/{name}"

    def render_note(self, job_id: str, name: str) -> str:
        """Return where it stands how the making goes; whoever takes it away ends that."""
        return f"renders/{job_id}/{name}.json"

    def keep_render(self, part: Path, job_id: str, name: str, most_bytes: int) -> bool:
        """Make a file the job's; those that were not asked for longest give way to it.

        False if its note was taken away meanwhile: then it isn't kept.
        """
        kept = self.render(job_id, name)
        self.storage.take(part, kept)
        if not self.storage.existing([self.render_note(job_id, name)]):
            self.storage.remove(kept)
            return False
        self._give_way("renders", "", kept, most_bytes)
        return True

    def remove_renders(self, job_id: str) -> None:
        self.storage.remove_below(f"renders/{job_id}")

    def _give_way(self, kind: str, suffix: str, newest: str, most_bytes: int) -> None:
        files = [
            entry
            for entry in self.storage.entries(kind)
            if PurePosixPath(entry.name).suffix == suffix
        ]
        kept = 0
        for entry in sorted(files, key=lambda entry: entry.used_s, reverse=True):
            kept += entry.size
            if kept > most_bytes and entry.name != newest:
                self.storage.remove(entry.name, f"{entry.name.removesuffix(suffix)}.json")

    def stored_videos(self) -> set[str]:
        """Return the ids under which files are here."""
        return set(self.storage.children("videos"))

    def jobs_with_stills(self) -> set[str]:
        return set(self.storage.children("stills"))

    def made_of(self) -> set[str]:
        """Return the ids of the videos and jobs of which something was made: copies, renders, stills."""
        kinds = ("playback", "renders", "stills")
        return {_id_of(child) for kind in kinds for child in self.storage.children(kind)}

    def remove_orphans(
        self,
        video_ids: Iterable[str],
        job_ids: Iterable[str],
        upload_ids: Iterable[str],
        age_s: float,
    ) -> int:
        """Remove what no row knows and nobody has touched for `age_s`: leftovers of killed processes.

        The ids were read a moment ago: what has come since is younger than that, so it stays.
        """
        arriving = set(upload_ids)
        known = {(kind, name) for name in job_ids for kind in ("stills", "renders")}
        known |= {(kind, name) for name in video_ids for kind in ("videos", "playback")}
        # The file of an upload lies among the videos just before its row does.
        known |= {(kind, name) for name in arriving for kind in ("uploads", "videos")}
        removed = self.storage.drop_broken(arriving, age_s)
        for child in self._strangers(known):
            changed_s = self.storage.changed_s(child)
            if changed_s is not None and time.time() - changed_s >= age_s:
                self.storage.remove_below(child)
                removed += 1
        return removed

    def _strangers(self, known: set[tuple[str, str]]) -> Iterator[str]:
        for kind in KINDS:
            for child in self.storage.children(kind):
                if (kind, _id_of(child)) not in known:
                    yield f"{kind}/{child}"


def _id_of(child: str) -> str:
    return child.partition(".")[0]
