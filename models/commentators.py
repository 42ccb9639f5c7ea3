"""The commentators there are, and what a person must know of each before believing it.

Four are our own; others come with packages that name them as entry points (docs/commentators.md).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from settings import BadSetting, Settings

GROUP = "reelnotes.commentators"
"""Where packages name theirs: name = "module:class", a class with that `name` and an `about`."""


@dataclass(frozen=True, slots=True)
class About:
    label: str  # what a person must know
    counts: str  # in what its longest comment is measured
    is_prompted: bool  # it is asked in words: profile, instruction and sampling are heeded
    unheeded: tuple[str, ...] = ()  # of a prompt's fields, what means nothing to it
    takes_gpu: bool = False  # each of its processes takes one as a whole


OWN = {
    "builtin": About("object tags, not a vision-language model", "words", is_prompted=False),
    "minicpm": About(
        "MiniCPM-o 4.5, a vision-language model: it can be wrong",
        "tokens",
        is_prompted=True,
        takes_gpu=True,
    ),
    "transformers": About(
        "a vision-language model of the Hugging Face hub, run here: it can be wrong",
        "tokens",
        is_prompted=True,
        unheeded=("max_slice_nums",),
        takes_gpu=True,
    ),
    "openai": About(
        "a vision-language model served elsewhere: it is sent pictures of the video, and can be wrong",
        "tokens",
        is_prompted=True,
        unheeded=("max_slice_nums",),
    ),
}


class _Commentators(Mapping[str, About]):
    """Our own and the added ones by name. An added one is imported when it is first looked up; one
    that can't be is not there."""

    def __getitem__(self, name: str) -> About:
        if name in OWN:
            return OWN[name]
        try:
            about: About = load_added(name).about
        except BadSetting as error:
            raise KeyError(name) from error
        return about

    def __iter__(self) -> Iterator[str]:
        return iter([*OWN, *_added()])

    def __len__(self) -> int:
        return len(OWN | _added())


COMMENTATORS: Mapping[str, About] = _Commentators()


@cache
def _added() -> dict[str, EntryPoint]:
    """Return what installed packages name; none can take the name of one of ours."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in OWN}


def is_added(name: str) -> bool:
    return name in _added()


@cache
def load_added(name: str) -> Any:
    """Return an added commentator's class; raise BadSetting, with the reason, where that can't be."""
    point = _added().get(name)
    if point is None:
        raise BadSetting(f"COMMENTATOR must be {' or '.join(COMMENTATORS)}, not {name!r}.")
    try:
        found = point.load()
    except Exception as error:
        raise BadSetting(
            f"COMMENTATOR names {name}, and {point.value}, which is to be it, can't be imported: "
            f"{type(error).__name__}: {error}."
        ) from error
    if not isinstance(getattr(found, "about", None), About):
        raise BadSetting(
            f"COMMENTATOR names {name}, but {point.value} has no `about` that says what people must know."
        )
    if getattr(found, "name", None) != name:
        raise BadSetting(
            f"COMMENTATOR names {name}, but {point.value} calls itself {getattr(found, 'name', None)!r}."
        )
    return found


def check_known(settings: Settings) -> None:
    """Raise BadSetting if COMMENTATOR names one that is unknown, or was added and can't be imported."""
    for name in settings.commentators:
        if name not in OWN:
            load_added(name)


def label_of(commentator: str) -> str:
    """Return the label; empty for a commentator of another version."""
    about = COMMENTATORS.get(commentator)
    return about.label if about else ""


def why_unserved(commentator: str, settings: Settings) -> str | None:
    """Say why nobody takes up a commentator's jobs here; None if somebody does."""
    if commentator in settings.commentators:
        return None
    return (
        f"Nobody here comments as {commentator} any more (COMMENTATOR is {settings.commentator}): the job "
        f"waits. Add {commentator} to COMMENTATOR and restart, or delete the job and submit the video anew."
    )
