"""Who is admitted when. Pure: numbers in, a number out."""

from collections.abc import Sequence

GATHER = 4  # windows worth waiting for: looking and reading are cheaper together
PATIENCE = 6  # steps that a window waits for company
CROWD = 16  # running rows from which on waiting for company costs no speed


def admit_now(waiting: Sequence[int], free: int, running: int, waited: int, most: int) -> int:
    """How many of the waiting windows to admit before the next step.

    `waiting` are their tokens, longest waiting first; `waited` the steps since the first of them
    came. At most about `most` tokens are read between two steps, so that neither those who wait
    nor those who write starve.
    """
    fitting, tokens = 0, 0
    for length in waiting[:free]:
        if fitting and tokens + length > most:
            break
        fitting, tokens = fitting + 1, tokens + length
    alone = fitting == len(waiting) < GATHER
    return 0 if alone and running >= CROWD and waited < PATIENCE else fitting
