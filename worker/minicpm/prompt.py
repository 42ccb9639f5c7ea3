"""Messages → token ids, with a place for every view of every picture.

The layout is that of the checkpoint's chat template. Special tokens and picture places are put in
by construction; what people and earlier answers say is encoded as text only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np

from worker.minicpm.config import QUERIES, PictureConfig
from worker.minicpm.errors import PromptTooLong
from worker.minicpm.preprocess import Layout, Picture, Size, View, cut_views, plan_layout
from worker.minicpm.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One turn. Pictures belong in the user's."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | Picture, ...]


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """Choices of the chat template. The defaults suit frames of a video; only the comparison with the
    published template sets `picture_numbers`, `thinking`, `speech` and `joint`."""

    max_slices: int = 1  # of a picture; 1 shows the overview only
    picture_numbers: bool = False  # name pictures 0, 1, 2 …; misleads in long frame sequences
    thinking: bool = False  # let the network think before it answers
    speech: bool = False  # ask for an answer to be spoken
    joint: str = "\n"  # between the parts of a message
    source_size: Size | None = None  # of the pictures before they were scaled; None: as they are


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPrompt:
    """What the network reads."""

    ids: tuple[int, ...]
    view_starts: tuple[int, ...]  # index of the first of each view's places
    views: tuple[View, ...] = ()  # one per start
    notes: tuple[str, ...] = field(default=())  # what was left out, as sentences

    def pinned(self) -> Self:
        """Return the same, its pixels where a GPU can fetch them without stopping."""
        return replace(self, views=tuple(view.pinned() for view in self.views))


Piece = int | str | Layout
"""A special token, some text, or a picture."""


class PromptEncoder:
    """Encodes messages for one checkpoint. Safe to share between threads."""

    def __init__(self, tokenizer: TextTokenizer, pictures: PictureConfig) -> None:
        self.tokenizer, self._config = tokenizer, pictures

    def encode(self, messages: Sequence[Message], style: PromptStyle, budget: int) -> EncodedPrompt:
        """Encode to at most `budget` tokens, leaving pictures out evenly if there are too many.

        Raises PromptTooLong if even one picture, or none, is too much; ValueError if the last
        message is not the user's.
        """
        if not messages or messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        total = sum(_is_picture(part) for message in messages for part in message.parts)
        for kept in range(total, min(total, 1) - 1, -1):
            chosen = _thin_out(messages, total, kept)
            prompt = self._lay_out(chosen, style)
            if len(prompt.ids) <= budget:
                note = f"{total - kept} of {total} pictures were left out to fit {budget} tokens"
                return self._with_views(prompt, chosen, style, (note,) if kept < total else ())
        what = "1 picture" if total else "text alone"
        raise PromptTooLong(
            f"the prompt with {what} has {len(prompt.ids)} tokens and may have {budget}"
        )

    def layout(self, picture: Picture, style: PromptStyle) -> Layout:
        """How a picture will be shown."""
        height, width, _ = picture.shape
        size = style.source_size or (width, height)
        return plan_layout(size, style.max_slices, self._config)

    def _lay_out(self, messages: Sequence[Message], style: PromptStyle) -> EncodedPrompt:
        """Encode without cutting pictures: only their sizes count."""
        ids: list[int] = []
        starts: list[int] = []
        text = ""  # encoded in one go up to the next special token, as words may span parts
        for piece in self._pieces(messages, style):
            if isinstance(piece, str):
                text += piece
                continue
            ids += self.tokenizer.encode(text)
            text = ""
            if isinstance(piece, int):
                ids.append(piece)
            else:
                self._place(piece, ids, starts)
        return EncodedPrompt((*ids, *self.tokenizer.encode(text)), tuple(starts))

    def _with_views(
        self,
        prompt: EncodedPrompt,
        messages: Sequence[Message],
        style: PromptStyle,
        notes: tuple[str, ...],
    ) -> EncodedPrompt:
        pictures = [part for m in messages for part in m.parts if not isinstance(part, str)]
        views = [
            view
            for picture in pictures
            for view in cut_views(picture, self.layout(picture, style), self._config)
        ]
        return replace(prompt, views=tuple(views), notes=notes)

    def _pieces(self, messages: Sequence[Message], style: PromptStyle) -> Iterator[Piece]:
        token = self.tokenizer.token
        number = 0
        for message in messages:
            yield from (token("<|im_start|>"), f"{message.role}\n")
            for index, part in enumerate(message.parts):
                if index:
                    yield style.joint
                if isinstance(part, str):
                    yield _without_thoughts(part) if message.role == "assistant" else part
                    continue
                if style.picture_numbers:
                    yield from (token("<image_id>"), str(number), token("</image_id>"))
                number += 1
                yield self.layout(part, style)
            yield from (token("<|im_end|>"), "\n")
        yield from (token("<|im_start|>"), "assistant\n")
        if not style.thinking:
            yield from (token("<think>"), "\n\n", token("</think>"), "\n\n")
        if style.speech:
            yield token("<|tts_bos|>")

    def _place(self, layout: Layout, ids: list[int], starts: list[int]) -> None:
        """Append the places of a picture: its overview, then its slices in lines."""
        self._place_view("image", ids, starts)
        for row in range(layout.rows):
            if row:
                ids += self.tokenizer.encode("\n")
            for _ in range(layout.columns):
                self._place_view("slice", ids, starts)

    def _place_view(self, tag: str, ids: list[int], starts: list[int]) -> None:
        token = self.tokenizer.token
        starts.append(len(ids) + 1)
        ids += [token(f"<{tag}>"), *[token("<unk>")] * QUERIES, token(f"</{tag}>")]


def _is_picture(part: str | Picture) -> bool:
    return not isinstance(part, str)


def _without_thoughts(answer: str) -> str:
    """What an earlier answer said after thinking."""
    return answer.split("</think>")[-1].lstrip("\n") if "</think>" in answer else answer


def _thin_out(messages: Sequence[Message], total: int, kept: int) -> list[Message]:
    """Keep `kept` of `total` pictures, the first and the last among them, evenly spaced."""
    chosen = set(np.linspace(0, total - 1, kept).round().astype(int).tolist())
    numbers = iter(range(total))
    return [
        replace(
            message,
            parts=tuple(
                part for part in message.parts if isinstance(part, str) or next(numbers) in chosen
            ),
        )
        for message in messages
    ]
