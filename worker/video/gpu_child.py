"""Child program: samples windows with the GPU's video decoders (NVDEC), for many threads at once.

A context on the GPU takes half a gigabyte and a quarter of a second, and contexts are made one after
the other: so there is one process for all threads of a worker, with a conversation for each
connection that it is handed. Says READY once the GPU's decoder works, or why not, and ends.
"""

import os
import socket
import sys
from contextlib import suppress
from glob import glob
from pathlib import Path
from threading import Thread

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from worker.video.confinement import confine, die_with_parent
from worker.video.conversation import NICENESS, Conversation
from worker.video.opening import ACCELERATION
from worker.video.pictures import Scaler
from worker.video.protocol import READY
from worker.video.turns import Turns

SAMPLE = Path(__file__).parents[2] / "samples" / "bikes.mp4"  # H.264, as every such GPU decodes
PICTURES = 8
AT_ONCE = 16  # windows being decoded; more are no faster, and all would be there late, at one time


def main() -> None:
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    die_with_parent()  # also while the driver wakes up, which takes a while or for ever
    try:
        _held = load_driver()
    except (av.FFmpegError, RuntimeError) as error:
        sys.exit(f"no GPU whose driver decodes video (libcuda, libnvcuvid): {error}")
    devices = [Path(name) for name in glob("/dev/nvidia*") if not os.path.isdir(name)]
    os.nice(NICENESS)
    confine(cpu_seconds=None, devices=devices, files=int(sys.argv[1]))
    serve(on_gpu=True)


def serve(*, on_gpu: bool) -> None:
    """Hold a conversation over each connection that comes, until the parent hangs up; never returns.

    The conversations' threads are daemons: without this one, which takes new ones, the process ends.
    """
    turns = Turns(AT_ONCE)
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        os.write(sys.stdout.fileno(), READY)
        while True:
            start, descriptors, *_ = socket.recv_fds(parent, 1, 1)
            if not start:
                os._exit(0)
            if not descriptors:  # it may hold no more, so the other end is closed
                continue
            connection = socket.socket(fileno=descriptors[0])
            Thread(target=_converse, args=(connection, on_gpu, turns), daemon=True).start()


def load_driver() -> InputContainer:
    """Decode some pictures, while files may be opened: libraries, devices, what Python imports late.

    The GPU's context lives as long as what is returned; another could not be made in the sandbox.
    """
    scaler = Scaler(64, 36)
    container = av.open(str(SAMPLE), hwaccel=HWAccel(*ACCELERATION))
    container.streams.video[0].codec_context.thread_count = 1
    for _, picture in zip(range(PICTURES), container.decode(video=0), strict=False):
        scaler.picture(picture)
    return container


def _converse(connection: socket.socket, on_gpu: bool, turns: Turns) -> None:
    output = connection.makefile("wb")
    try:
        Conversation(connection, output, hung_up=lambda: None, on_gpu=on_gpu, turns=turns).hold()
    finally:
        with suppress(OSError):  # else who still waits for a request would keep it open
            connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):  # nobody reads what is left
            output.close()
        connection.close()


if __name__ == "__main__":
    main()
