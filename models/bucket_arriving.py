"""Uploads that arrive in a bucket: each is a multipart upload of the video that it becomes.

    uploads/ID/multipart    how long its parts are, and the storage's name of the multipart upload
    uploads/ID/N            what has come of its part N so far, where a connection ended within it

Part N always holds the same bytes of the file, so whoever sends it again, from whichever host, changes
nothing. What has come is what the storage lists; no process has to remember anything.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.arriving import Whole, going_on_at, gone, too_much
from models.bucket_errors import told
from models.errors import MediaAway
from models.scratch import Scratch

if TYPE_CHECKING:
    from models.bucket import Bucket

LEAST_PART_BYTES = (
    8 * 2**20
)  # S3 takes no smaller ones than 5 MiB, and each upload holds one in memory
MOST_PARTS = 10_000  # of one file

log = logging.getLogger(__name__)


def part_bytes(length_bytes: int) -> int:
    """Return how long each part of a file of at most so many bytes is, but for the last one."""
    return max(LEAST_PART_BYTES, -(-length_bytes // MOST_PARTS))


@dataclass(slots=True)
class _Multipart:
    """A multipart upload, as far as this process knows it."""

    bucket: "Bucket"
    upload_id: str
    part_bytes: int
    name: str  # the storage's
    length_bytes: int
    sent: int = 0  # bytes in parts
    pending: bytearray = field(default_factory=bytearray)  # what follows them, less than a part
    kept: int = 0  # of which so much is in the bucket, too

    @property
    def offset(self) -> int:
        return self.sent + len(self.pending)

    def append(self, offset: int, data: bytes) -> int:
        if offset != self.offset:
            raise going_on_at(self.offset, offset)
        if offset + len(data) > self.length_bytes:
            raise too_much(self.length_bytes)
        self.pending += data
        return self.offset

    def append_from(self, source: int, offset: int, length: int) -> int:
        return self.append(offset, os.pread(source, min(length, self.part_bytes), offset))

    def begin_anew(self) -> None:
        remove(self.bucket, self.upload_id)
        self.name = begin(self.bucket, self.upload_id, self.part_bytes)
        self.sent = self.kept = 0
        self.pending.clear()

    def hand_on(self) -> None:
        size = self.part_bytes
        while len(self.pending) >= size or (self.pending and self.offset == self.length_bytes):
            with told(self.upload_id):
                self.bucket.client.upload_part(
                    **self._address(),
                    PartNumber=self.sent // size + 1,
                    Body=bytes(self.pending[:size]),
                )
            self.sent += min(size, len(self.pending))
            del self.pending[:size]
            self.kept = 0

    def keep_pending(self) -> None:
        """Put what doesn't make a part aside, for whoever goes on."""
        if len(self.pending) > self.kept:
            self.bucket.put(self._aside(), bytes(self.pending))
            self.kept = len(self.pending)

    def look(self) -> None:
        """Learn from the bucket how much is here. Raises FileNotFoundError, MediaAway."""
        size = self.part_bytes
        expected, self.sent = 1, 0
        with told(self.upload_id):
            for page in self.bucket.client.get_paginator("list_parts").paginate(**self._address()):
                for part in page.get("Parts", []):
                    if part["PartNumber"] != expected:  # a hole: somebody else sends beside us
                        break
                    expected, self.sent = expected + 1, self.sent + part["Size"]
        try:
            self.pending = bytearray(
                self.bucket.read(self._aside()) if self.sent % size == 0 else b""
            )
        except FileNotFoundError:
            self.pending = bytearray()
        self.kept = len(self.pending)

    def complete(self) -> None:
        """Make the parts one file. Raises FileNotFoundError, MediaAway."""
        with told(self.upload_id):
            parts: list[Any] = [
                {"PartNumber": part["PartNumber"], "ETag": part["ETag"]}
                for page in self.bucket.client.get_paginator("list_parts").paginate(
                    **self._address()
                )
                for part in page.get("Parts", [])
            ]
            self.bucket.client.complete_multipart_upload(
                **self._address(), MultipartUpload={"Parts": parts}
            )

    def _aside(self) -> str:
        return f"uploads/{self.upload_id}/{self.sent // self.part_bytes + 1}"

    def _address(self) -> Any:
        key = self.bucket.key(f"videos/{self.upload_id}")
        return {"Bucket": self.bucket.bucket, "Key": key, "UploadId": self.name}


@dataclass(frozen=True, slots=True)
class BucketArrivals:
    bucket: "Bucket"
    scratch: Scratch

    def begin(self, upload_id: str, length_bytes: int) -> None:
        begin(self.bucket, upload_id, part_bytes(length_bytes))

    @contextmanager
    def opened(self, upload_id: str, length_bytes: int) -> Iterator[_Multipart]:
        try:
            upload = self._find(upload_id, length_bytes)
        except FileNotFoundError:
            raise gone() from None
        try:
            yield upload
        except BaseException:  # what has come stays, whatever ended it
            try:
                upload.keep_pending()
            except (MediaAway, FileNotFoundError) as error:
                log.warning("end of a piece not kept upload_id=%s reason=%s", upload_id, error)
            raise
        upload.keep_pending()

    def size(self, upload_id: str, length_bytes: int) -> int:
        if self.bucket.existing([f"videos/{upload_id}"]):
            return length_bytes
        try:
            return self._find(upload_id, length_bytes).offset
        except FileNotFoundError:
            return 0

    @contextmanager
    def whole(self, upload_id: str, length_bytes: int) -> Iterator[Whole]:
        """Yield a copy of it on this machine: the probe reads all of it, and may open no socket."""
        name = f"videos/{upload_id}"
        try:
            if not self.bucket.existing([name]):
                self._complete(upload_id, length_bytes)
            with self.scratch.receive(length_bytes) as copy:
                with self.bucket.open(name).file as stored:
                    while piece := stored.read(2**20):
                        copy.write(piece)
                copy.finish()
                yield Whole(copy.path, copy.sha256, is_kept=True)
        except FileNotFoundError:
            raise gone() from None

    @contextmanager
    def undisturbed(self, upload_id: str) -> Iterator[None]:
        yield

    def remove(self, upload_id: str) -> None:
        remove(self.bucket, upload_id)

    def _complete(self, upload_id: str, length_bytes: int) -> None:
        """Make it the file of a video. Raises FileNotFoundError, MediaAway."""
        try:
            upload = self._find(upload_id, length_bytes)
            if upload.offset != length_bytes:
                raise FileNotFoundError(upload_id)
            if length_bytes == 0:  # which no multipart upload can be
                self.bucket.put(f"videos/{upload_id}", b"")
            else:
                upload.hand_on()
                upload.complete()
        except FileNotFoundError:
            if not self.bucket.existing([f"videos/{upload_id}"]):  # made by another, just now
                raise
        self.remove(upload_id)

    def _find(self, upload_id: str, length_bytes: int) -> _Multipart:
        """Return what is known of an upload that isn't a video yet. Raises FileNotFoundError, MediaAway."""
        size, name = _read_note(self.bucket, upload_id)
        upload = _Multipart(self.bucket, upload_id, size, name, length_bytes)
        upload.look()
        return upload


def begin(bucket: "Bucket", upload_id: str, size: int) -> str:
    """Begin a multipart upload with parts of that many bytes; return its name. Raises MediaAway."""
    with told():
        begun = bucket.client.create_multipart_upload(
            Bucket=bucket.bucket, Key=bucket.key(f"videos/{upload_id}")
        )
    bucket.put(_note(upload_id), f"{size} {begun['UploadId']}".encode())
    return begun["UploadId"]


def remove(bucket: "Bucket", upload_id: str) -> None:
    """Remove a multipart upload, if it is there, and what lies aside. Raises MediaAway.

    Also one that nobody noted, of a file that was sent there whole.
    """
    name = f"videos/{upload_id}"
    for found, multipart, _ in list(multiparts(bucket, name)):
        if found == name:
            abort(bucket, name, multipart)
    bucket.remove_below(f"uploads/{upload_id}")


def multiparts(bucket: "Bucket", beginning: str) -> Iterator[tuple[str, str, float]]:
    """Yield the multipart uploads of all names that begin so.

    Each with its name, the storage's, and when it was begun (seconds since 1970). Raises MediaAway.
    """
    with told():
        for page in bucket.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket.bucket, Prefix=bucket.key(beginning)
        ):
            for upload in page.get("Uploads", []):
                name = upload["Key"].removeprefix(bucket.prefix)
                yield name, upload["UploadId"], upload["Initiated"].timestamp()


def abort(bucket: "Bucket", name: str, multipart: str) -> None:
    with suppress(FileNotFoundError), told(name):
        bucket.client.abort_multipart_upload(
            Bucket=bucket.bucket, Key=bucket.key(name), UploadId=multipart
        )


def _read_note(bucket: "Bucket", upload_id: str) -> tuple[int, str]:
    """Return how long the parts are, and the storage's name. Raises FileNotFoundError, MediaAway."""
    size, _, name = bucket.read(_note(upload_id)).decode().partition(" ")
    return int(size), name


def _note(upload_id: str) -> str:
    return f"uploads/{upload_id}/multipart"
