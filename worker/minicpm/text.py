"""Tokens as they come → text as it can be shown."""

from collections.abc import Iterable

from worker.minicpm.tokenizer import TextTokenizer

BROKEN = "�"  # what half a character decodes to


class TextStream:
    """The visible text of one answer: no special tokens, no thoughts, no half characters."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._open, self._close = tokenizer.token("<think>"), tokenizer.token("</think>")
        self._visible: list[int] = []
        self._thinking = False

    def push(self, tokens: Iterable[int]) -> str:
        """Take tokens; return all that can be shown so far."""
        for token in tokens:
            self._take(token)
        return self.text().rstrip(BROKEN)

    def _take(self, token: int) -> None:
        if token == self._open:
            self._thinking = True
        elif token == self._close:
            self._thinking = False
            self._visible.clear()  # also where the opening token was part of the prompt
        elif not self._thinking and not self._tokenizer.is_added(token):
            self._visible.append(token)

    def text(self) -> str:
        """All that is visible so far, without the space around it."""
        return self._tokenizer.decode(self._visible).strip()
