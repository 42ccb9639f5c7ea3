"""Does once, before anyone waits for it, what a GPU's first windows would have to wait for.

Kernels are compiled, and steps and prefill captured, when a number of rows, of pictures or of tokens
is met for the first time: some ten seconds in all, in the middle of the first large job.
"""

import logging
import threading

import numpy as np

from worker.minicpm.cuda_graphs import SIZES
from worker.minicpm.engine import Engine, Request
from worker.minicpm.errors import MiniCPMError
from worker.minicpm.prompt import Message
from worker.minicpm.sampling import Sampling

PICTURES = 4  # a window's, by default
SOURCE = (1920, 1080)  # the commonest shape; another one's views are captured when it comes
STEPS = 3  # with each number of rows
PENALTY = 1.05  # as jobs have it unless they ask for none: with and without are two graphs

log = logging.getLogger(__name__)


def warm_up(engine: Engine) -> None:
    """Let the engine prepare and answer as many made-up windows as it has slots, beside whoever asks;
    on a GPU."""
    if engine.network.device.type == "cuda":
        threading.Thread(target=_answer, args=(engine,), name="warming", daemon=True).start()


def _answer(engine: Engine) -> None:
    failures: list[MiniCPMError] = []
    engine.prepare()  # before all else: what is captured later fits into the memory of the largest

    def ask(number: int) -> None:
        try:
            engine.comment(_window(engine, number))
        except MiniCPMError as failure:  # closed, or short of memory: then it warms up as it goes
            failures.append(failure)

    threads = [
        threading.Thread(target=ask, args=(number,), daemon=True) for number in range(engine.slots)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        log.warning(
            "the network was not warmed up windows=%d of=%d reason=%s",
            *(len(failures), engine.slots, failures[0]),
        )
    else:
        log.info("the network was warmed up")


def _window(engine: Engine, number: int) -> Request:
    """Make up a window; answers end one after another, so that every number of rows is met."""
    width, height = engine.view_size(*SOURCE)
    noise = np.random.default_rng(number)
    pictures = [noise.integers(0, 256, (height, width, 3), np.uint8) for _ in range(PICTURES)]
    tokens = STEPS * sum(size > number for size in (*SIZES, engine.slots))
    return Request(
        [Message("user", (*pictures, "What happens?"))],
        Sampling(tokens, min_new_tokens=tokens, repetition_penalty=PENALTY),
    )
