"""A conversation ends with its parent's interest, and leaves its process nothing of it."""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from tests.video.clips import write_clip
from worker.video.conversation import Conversation
from worker.video.protocol import REQUEST


@contextmanager
def conversation() -> Iterator[tuple[socket.socket, Thread]]:
    """Yield the parent's end, and what has ended when the conversation has."""
    mine, theirs = socket.socketpair()
    with mine, theirs, theirs.makefile("wb") as output:
        held = Thread(target=Conversation(theirs, output, lambda: None).hold, daemon=True)
        held.start()
        yield mine, held


def test_a_parent_that_hangs_up_on_an_answer_ends_it(tmp_path: Path) -> None:
    """Of what it leaves unread the system makes a reset connection, not the end of one."""
    clip = write_clip(tmp_path / "clip.mp4", [0, 40, 80])
    with conversation() as (parent, held), clip.open("rb") as file:
        words = json.dumps({"asks": "read", "stream_index": 0}).encode()
        socket.send_fds(parent, [REQUEST.pack(len(words), 0)], [file.fileno()])
        parent.sendall(words)
        assert select.select([parent], [], [], 30)[0]
        parent.close()
        held.join(10)
        assert not held.is_alive()


def test_a_request_whose_file_did_not_come_ends_it() -> None:
    """As where the process may hold no more of them."""
    with conversation() as (parent, held):
        parent.sendall(REQUEST.pack(2, 0) + b"{}")
        held.join(10)
        assert not held.is_alive()
