"""A plain file that the parent has opened: the reading process opens nothing, it is handed this."""

import os
import stat

from models.errors import BadFile
from worker.video.tables import Identity

BUFFER_BYTES = 1 << 16


class Source:
    """One open file, of which many readers may read, each at its own place."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def identity(self, stream_index: int) -> Identity:
        return Identity.of(self._descriptor, stream_index)

    def close(self) -> None:
        os.close(self._descriptor)

    def head(self, length: int) -> bytes:
        """Return the first bytes. Raises BadFile for what is no plain file, or can't be read."""
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise BadFile("is not a plain file.")
        return self.reader().read(length)

    def reader(self) -> "Reader":
        return Reader(self._descriptor)


class Reader:
    """A place in the file, with the methods that PyAV asks of an open file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._place = 0

    def read(self, length: int) -> bytes:
        try:
            data = os.pread(self._descriptor, length, self._place)
        except OSError as error:
            raise BadFile(f"can't be read: {error.strerror}.") from None
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}.get(whence)
        if start is None:
            start = os.fstat(self._descriptor).st_size
        self._place = max(start + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place
