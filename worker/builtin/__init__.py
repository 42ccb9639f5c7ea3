"""The commentator that needs no GPU and no download."""

from worker.builtin.commentator import BuiltinCommentator
from worker.builtin.facts import LABEL
from worker.commentator import Commentator

__all__ = ["LABEL", "open_builtin"]


def open_builtin(threads: int) -> Commentator:
    """Load the networks once; the result takes `threads` windows at a time."""
    return BuiltinCommentator(threads)
