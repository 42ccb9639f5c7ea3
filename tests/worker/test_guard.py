"""What a commentator says can be stored, shown and exported, whatever it is."""

import pytest

from worker.guard import clean


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  A dog runs.\n", "A dog runs."),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("كلب يجري", "كلب يجري"),
        ("x" * 20_000, "x" * 10_000),
        ("\x00", ""),
    ],
)
def test_only_text_remains(said: str, kept: str) -> None:
    assert clean(said) == kept
    clean(said).encode()
