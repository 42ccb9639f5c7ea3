"""Media in object storage that speaks S3: what web and workers on several hosts share.

The library is boto3. Its managed transfers send large files in parts beside each other; parts of uploads
that arrive over days, and pieces that are read for players, are plain requests.
"""

import logging
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from models.bucket_arriving import BucketArrivals, abort, multiparts, part_bytes
from models.bucket_errors import explain, is_code, told
from models.cache import Cache
from models.errors import MediaAway
from models.owners import new_owner
from models.scratch import Scratch
from models.storage import Content, Entry
from settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_BYTES = 2**20  # asked for at once when a file is read piece by piece
SMALL_BYTES = 2**20
USED = ".used"  # behind the name of a file: an empty one, as old as the last wish for the file
USE_AGAIN_S = 600.0  # so often at most it is written again

_SENT_IN_PARTS = {"videos", "playback", "renders"}  # kinds of ours: others may use the bucket, too
_TRIES = 6  # of a download that gets no further
_DELETED_AT_ONCE = 1000  # by one request, as the protocol allows

log = logging.getLogger(__name__)


def open_bucket(settings: Settings, scratch: Scratch) -> "Bucket":
    """Return the bucket of MEDIA_URL; nothing is asked of it yet."""
    bucket, _, prefix = settings.media_url.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    return Bucket(
        client=_client(settings, read_timeout=30, attempts=4),
        quick_client=_client(settings, read_timeout=5, attempts=1),
        bucket=bucket,
        prefix=f"{prefix}/" if prefix else "",
        scratch=scratch,
        cache=Cache(settings.data_dir / "media-cache", settings.media_cache_bytes),
    )


@cache
def _session() -> boto3.session.Session:
    """Return what has read boto3's description of S3, megabytes of it: once in a process."""
    return boto3.session.Session()


def _client(settings: Settings, read_timeout: int, attempts: int) -> "S3Client":
    chosen = settings.s3_addressing
    addressing = ("path" if settings.s3_endpoint else "virtual") if chosen == "auto" else chosen
    client: S3Client = _session().client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key or None,
        aws_secret_access_key=settings.s3_secret_key or None,
        config=Config(
            s3={"addressing_style": addressing},  # type: ignore[arg-type]
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=64,
            # Newer checksums than these are not understood by every server.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    return client


@dataclass(frozen=True, slots=True)
class Bucket:
    client: "S3Client"
    # Gives up after 7 s, before a transaction that waits for it is ended by the store.
    quick_client: "S3Client"
    bucket: str
    prefix: str  # of every key of ours: "" or with a slash at its end
    scratch: Scratch
    cache: Cache

    @property
    def place(self) -> str:
        return "object storage"

    @property
    def arrivals(self) -> BucketArrivals:
        return BucketArrivals(self, self.scratch)

    def key(self, name: str) -> str:
        return self.prefix + name

    def check(self) -> None:
        name = f"incoming/{new_owner()}"
        self.put(name, b"reelnotes")
        try:
            if self.read(name) != b"reelnotes":
                raise MediaAway("The object storage gave back something else than it was given.")
        except FileNotFoundError:
            raise MediaAway("The object storage has lost what it was just given.") from None
        self.remove(name)

    def take(self, file: Path, name: str, *, durable: bool = False, stays: bool = False) -> None:
        size = file.stat().st_size
        if size <= SMALL_BYTES:
            self.put(name, file.read_bytes())
            return
        whole = TransferConfig(
            multipart_threshold=part_bytes(size),
            multipart_chunksize=part_bytes(size),
            max_concurrency=4,
        )
        with told(name):
            self.client.upload_file(str(file), self.bucket, self.key(name), Config=whole)

    def put(self, name: str, data: bytes) -> None:
        with told(name):
            self.quick_client.put_object(Bucket=self.bucket, Key=self.key(name), Body=data)

    def rewrite(self, name: str, data: bytes) -> bool:
        try:
            with told(name):
                head = self.quick_client.head_object(Bucket=self.bucket, Key=self.key(name))
                self.quick_client.put_object(
                    Bucket=self.bucket, Key=self.key(name), Body=data, IfMatch=head["ETag"]
                )
        except FileNotFoundError:
            return False
        except MediaAway as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and is_code(
                cause, "PreconditionFailed", "ConditionalRequestConflict", "412", "409"
            ):  # taken away, or written by somebody else, just now
                return bool(self.existing([name]))
            raise
        return True

    def link(self, source: str, target: str) -> None:
        origin: Any = {"Bucket": self.bucket, "Key": self.key(source)}
        with told(source):
            self.client.copy(origin, self.bucket, self.key(target))

    def read(self, name: str) -> bytes:
        with told(name):
            return self.client.get_object(Bucket=self.bucket, Key=self.key(name))["Body"].read()

    def open(self, name: str) -> Content:
        with told(name):
            head = self.client.head_object(Bucket=self.bucket, Key=self.key(name))
        reader = BufferedReader(
            _Pieces(self, name, head["ContentLength"], head["ETag"]), READ_BYTES
        )
        return Content(reader, head["ContentLength"], head["LastModified"], head["ETag"].strip('"'))

    @contextmanager
    def local(self, name: str, sha256: str) -> Iterator[Path]:
        with told(name):
            head = self.client.head_object(Bucket=self.bucket, Key=self.key(name))
        size = head["ContentLength"]
        with self.cache.hold(
            Path(name).name, size, sha256, lambda descriptor: self._fetch(name, descriptor, size)
        ) as copy:
            yield copy

    def _fetch(self, name: str, descriptor: int, size: int) -> None:
        """Write what is missing of an object to an open file, however often the connection breaks."""
        start = os.fstat(descriptor).st_size
        tries = 0
        while start < size:
            try:
                with told(name):
                    body = self.client.get_object(
                        Bucket=self.bucket, Key=self.key(name), Range=f"bytes={start}-"
                    )["Body"]
                    for piece in body.iter_chunks(READ_BYTES):
                        write_all(descriptor, piece, start)
                        start, tries = start + len(piece), 0
            except MediaAway as error:
                tries += 1
                if tries == _TRIES:
                    raise
                log.warning("download breaks off name=%s at=%d reason=%s", name, start, error)
                time.sleep(0.1 * 2**tries)

    def existing(self, names: Iterable[str]) -> set[str]:
        wanted = set(names)
        if len(wanted) == 1:
            return wanted if self._is_there(next(iter(wanted))) else set()
        return {
            name for beginning in _beginnings(wanted) for name, *_ in self._listed(beginning)
        } & wanted

    def _is_there(self, name: str) -> bool:
        try:
            with told(name):
                self.quick_client.head_object(Bucket=self.bucket, Key=self.key(name))
        except FileNotFoundError:
            return False
        return True

    def remove(self, *names: str) -> None:
        marks = [name + USED for name in names if _is_made(name)]
        keys = [self.key(name) for name in (*names, *marks)]
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            self._delete(keys[start : start + _DELETED_AT_ONCE])

    def _delete(self, keys: list[str]) -> None:
        with told():
            if len(keys) == 1:
                self.client.delete_object(Bucket=self.bucket, Key=keys[0])
                return
            answer = self.client.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        if errors := answer.get("Errors"):
            raise explain(ClientError({"Error": {"Code": errors[0].get("Code", "")}}, "Delete"))

    def remove_below(self, child: str) -> None:
        below = (name for name, _, _ in self._listed(child))
        self.remove(*(name for name in below if name == child or name.startswith(f"{child}/")))

    def children(self, kind: str) -> Iterator[str]:
        beginning = self.key(f"{kind}/")
        with told():
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=beginning, Delimiter="/"
            ):
                for folder in page.get("CommonPrefixes", []):
                    yield folder["Prefix"].removeprefix(beginning).rstrip("/")
                for found in page.get("Contents", []):
                    yield found["Key"].removeprefix(beginning)

    def entries(self, kind: str) -> Iterator[Entry]:
        found = {name: (size, changed_s) for name, size, changed_s in self._listed(f"{kind}/")}
        for name, (size, changed_s) in found.items():
            if not name.endswith(USED):
                _, used_s = found.get(name + USED, (0, changed_s))
                yield Entry(name, size, max(changed_s, used_s))

    def changed_s(self, child: str) -> float | None:
        times = [
            changed_s
            for name, _, changed_s in self._listed(child)
            if name == child or name.startswith(f"{child}/")
        ]
        return max(times, default=None)

    def note_use(self, name: str) -> None:
        with told(name):
            self.quick_client.head_object(Bucket=self.bucket, Key=self.key(name))
        used_s = self.changed_s(name + USED)
        if used_s is None or time.time() - used_s > USE_AGAIN_S:
            self.put(name + USED, b"")

    def drop_broken(self, arriving: Iterable[str], age_s: float) -> int:
        """Abort multipart uploads of processes that were killed, and of uploads that were given up."""
        going_on = {f"videos/{upload_id}" for upload_id in arriving}
        dropped = 0
        for name, multipart, begun_s in multiparts(self, ""):
            old = time.time() - begun_s >= age_s
            if old and name not in going_on and name.partition("/")[0] in _SENT_IN_PARTS:
                abort(self, name, multipart)
                dropped += 1
        return dropped

    def _listed(self, beginning: str) -> Iterator[tuple[str, int, float]]:
        """Yield name, bytes and last change (seconds since 1970) of all that begins so."""
        with told():
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.key(beginning)
            ):
                for found in page.get("Contents", []):
                    name = found["Key"].removeprefix(self.prefix)
                    yield name, found["Size"], found["LastModified"].timestamp()


def _beginnings(names: set[str]) -> set[str]:
    """Return beginnings that cover all names and little else: of numbers, but for their last two digits.

    So the stills of the windows 1200 to 1299 are found by their beginning 12, however many others a
    long video has.
    """
    return {re.sub(r"\d{0,2}\.jpg$", "", name) for name in names}


def _is_made(name: str) -> bool:
    """Tell whether it is a file that others may have to give way to, so that its use is noted."""
    return name.startswith(("playback/", "renders/")) and not name.endswith((".json", USED))


def write_all(descriptor: int, piece: bytes, place: int) -> None:
    """Write a piece to an open file. Raises OSError where the disk doesn't take it all."""
    left = memoryview(piece)
    while left:  # a disk that fills up takes a part first, then refuses
        written = os.pwrite(descriptor, left, place)
        left, place = left[written:], place + written


class _Pieces(RawIOBase):
    """An object as a file: each read is a request for as much. It must stay the same meanwhile."""

    def __init__(self, bucket: Bucket, name: str, size: int, etag: str) -> None:
        self._bucket, self._name, self._size, self._etag = bucket, name, size, etag
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(READ_BYTES) or b"", b""))

    def readinto(self, buffer: Any) -> int:
        stop = min(self._place + len(buffer), self._size)
        if self._place >= stop:
            return 0
        with told(self._name):
            piece = self._bucket.client.get_object(
                Bucket=self._bucket.bucket,
                Key=self._bucket.key(self._name),
                Range=f"bytes={self._place}-{stop - 1}",
                IfMatch=self._etag,
            )["Body"].read()
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)
