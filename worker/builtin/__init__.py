"""The commentator that needs no GPU and no download."""

import os

from worker.builtin.commentator import BuiltinCommentator
from worker.builtin.facts import LABEL
from worker.commentator import Commentator

__all__ = ["LABEL", "open_builtin"]


def open_builtin(threads: int) -> Commentator:
    """Load the networks once; it takes `threads` windows at a time, 0: one for each processor."""
    return BuiltinCommentator(threads or os.cpu_count() or 1)
