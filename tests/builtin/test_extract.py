"""A summary by the builtin commentator: its own sentences, chosen; nothing is worded anew."""

from worker.builtin.extract import LONGEST_TITLE, extract

DOG = "A dog runs over the wet beach."
TRAIN = "A red train enters the station."
STILL = "Nothing large moves."


def test_sentences_are_chosen_in_their_order_and_said_once() -> None:
    _, text = extract([TRAIN, DOG, TRAIN, DOG], 5)
    assert text == f"{TRAIN} {DOG}"


def test_no_more_are_told_than_asked_for() -> None:
    _, text = extract([DOG, TRAIN, "Two people chop onions in a kitchen."], 2)
    assert text.count(".") == 2


def test_what_says_the_same_is_left_out_for_what_does_not() -> None:
    again = f"{STILL[:-1]}; {DOG[0].lower()}{DOG[1:]}"
    _, text = extract([DOG, again, TRAIN], 2)
    assert text == f"{DOG} {TRAIN}"


def test_the_title_is_the_clause_that_tells_most_not_that_nothing_moves() -> None:
    title, _ = extract([f"{STILL[:-1]}; a dog runs over the beach.", STILL, DOG], 2)
    assert "dog" in title
    assert title[0].isupper()
    assert not title.endswith(".")


def test_the_words_for_a_new_view_are_not_part_of_a_title() -> None:
    title, _ = extract(["Then a new view: a red train in a station."], 1)
    assert title == "A red train in a station"


def test_where_nothing_happens_that_is_told() -> None:
    assert extract([STILL, STILL], 2) == (STILL[:-1], STILL)


def test_a_title_is_short_and_ends_with_a_word() -> None:
    title, _ = extract(["A dog " + "runs over the beach and " * 30 + "sleeps."], 1)
    assert len(title) <= LONGEST_TITLE
    assert title.endswith("…")
    assert title[:-1].split()[-1] in ("dog", "runs", "over", "the", "beach", "and")


def test_without_words_nothing_is_told() -> None:
    assert extract(["", "…", "?!"], 3) == ("", "")
