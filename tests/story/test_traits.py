"""What of the builtin commentator's facts tells one scene from another."""

from typing import Any

from worker.story.traits import traits_of


def view(light: str, **counts: list[int]) -> dict[str, Any]:
    objects = [{"name": name, "counts": seen} for name, seen in counts.items()]
    return {"light": light, "objects": objects}


def test_what_was_there_at_the_end_counts() -> None:
    told = {"views": [view("bright", dog=[1, 2], cat=[1, 0], car=[])], "text": ["EXIT", "exit"]}
    assert traits_of(told) == (frozenset({"dog", "(bright)", "“exit”"}), False)


def test_after_a_cut_the_last_view_counts() -> None:
    told = {"views": [view("dark", dog=[1]), view("", cat=[1])], "text": []}
    assert traits_of(told) == (frozenset({"cat"}), True)


def test_a_window_without_views_has_none() -> None:
    assert traits_of({"views": [], "text": []}) == (frozenset(), False)
    assert traits_of({}) == (frozenset(), False)
