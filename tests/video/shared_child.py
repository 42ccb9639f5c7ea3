"""A stand-in for worker.video.gpu_child on machines without such a GPU: the same but on the CPU, unconfined.

An argument after the number of files says what it does instead: `refuses` every file, as a GPU does
whose decoder lacks the codec.
"""

import sys

import av

from worker.video.gpu_child import serve

if __name__ == "__main__":
    av.logging.set_level(None)
    serve(on_gpu="refuses" in sys.argv)
