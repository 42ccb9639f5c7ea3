"""Child program: samples windows from video files for the process that started it.

Ends when its standard input ends, so it never outlives its parent.
"""

import os
import socket
import sys

import av

from worker.video.confinement import confine
from worker.video.conversation import NICENESS, Conversation


def main() -> None:
    os.nice(NICENESS)
    confine(cpu_seconds=None)  # the parent watches the clock
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        Conversation(parent, sys.stdout.buffer, hung_up=lambda: os._exit(0)).hold()


if __name__ == "__main__":
    main()
