"""A probe and a decoder that a crafted file has taken over: it complains at length, and repeats the lie of its file."""

import json
import os
import socket
import sys

from worker.video.protocol import REQUEST


def main() -> None:
    """Answer with the content of the very file that was to be read."""
    if os.isatty(0):
        return
    os.write(2, b"x" * 200_000)  # more than a pipe holds
    try:
        with socket.socket(fileno=os.dup(0)) as parent:
            lie = _content(_take_request(parent))
            _say(lie)
            if lie:
                _take_request(parent)  # answered already; who goes earlier can't be asked
    except OSError:  # no socket: asked as a probe
        _say(_content(json.load(sys.stdin)["descriptor"]))


def _take_request(parent: socket.socket) -> int:
    start, descriptors, *_ = socket.recv_fds(parent, REQUEST.size, 1)
    for length in REQUEST.unpack(start):
        if length:
            parent.recv(length, socket.MSG_WAITALL)
    return descriptors[0]


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 21, 0)


def _say(lie: bytes) -> None:
    sys.stdout.buffer.write(lie)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
