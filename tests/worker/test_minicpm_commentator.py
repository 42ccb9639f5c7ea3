"""MiniCPM-o behind the commentator's protocol: a real engine on the tiny checkpoint."""

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the commentator minicpm needs PyTorch")

import torch

from models.errors import CommentatorFailed, PromptRefused
from models.parameters import parse_parameters
from models.prompting import Prompting
from models.tables import CommentKind
from settings import BadSetting, Settings
from tests.journey.checkpoints import TINY, TINY_AWQ, write_endless
from worker.asking import Answer, AskingCommentator
from worker.commentator import (
    CommentatorLost,
    Draft,
    Frame,
    Matter,
    Prompt,
    Unwanted,
    Window,
)
from worker.commentators import open_commentator
from worker.minicpm import Engine
from worker.minicpm_commentator import MiniCPMAnswerer, open_minicpm
from worker.network_identity import fingerprint
from worker.wording import question, system_text


def settings_for(folder: Path) -> Settings:
    return Settings(commentator="minicpm", model_path=str(folder), worker_threads=2)


def asked(**wish: str) -> Prompting:
    prompting = parse_parameters(wish, Settings(commentator="minicpm")).prompting
    assert prompting is not None
    return prompting


def window(index: int, count: int = 2) -> Window:
    dice = np.random.default_rng(index)
    frames = [
        Frame(n, Fraction(n), dice.integers(0, 256, (36, 64, 3), dtype=np.uint8))
        for n in range(count)
    ]
    return Window(index, Fraction(0), Fraction(4), tuple(frames))


@pytest.fixture(scope="module")
def minicpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskingCommentator]:
    """Yield a commentator that writes up to its limit, whatever it is asked."""
    commentator = open_minicpm(settings_for(write_endless(tmp_path_factory.mktemp("w") / "tiny")))
    yield commentator
    commentator.close()


def test_the_worker_opens_it_by_its_name(tmp_path: Path) -> None:
    opened = open_commentator(settings_for(TINY), "minicpm")
    assert (opened.name, opened.streams, opened.accelerator()) == ("minicpm", 2, None)
    opened.close()
    with pytest.raises(BadSetting, match=r"no weights in .*MODEL_PATH.*reelnotes pull"):
        open_commentator(settings_for(tmp_path), "minicpm")


def test_a_window_becomes_a_comment_with_its_costs(minicpm: AskingCommentator) -> None:
    draft = Draft()
    comment = minicpm.comment(window(1), Prompt(12, asked()), None, draft)
    assert comment.kind in (CommentKind.SAID, CommentKind.EMPTY)
    assert comment.tokens_out in range(12, 25)  # of one try or two
    assert comment.tokens_in
    assert comment.tokens_in > 2 * 64
    assert min(comment.timings.vision_ms, comment.timings.prefill_ms) > 0
    assert comment.timings.generate_ms > 0
    assert minicpm.streams == 2


def test_what_it_says_depends_on_the_words_of_the_job_and_on_what_was_said(
    minicpm: AskingCommentator,
) -> None:
    answerer = minicpm._answerer

    def answer(prompting: Prompting, previous: str | None = None) -> str:
        return answerer.answer(window(1), Prompt(40, prompting), previous, Draft()).text

    plain = answer(asked())
    assert answer(asked()) == plain
    assert answer(asked(), "A dog runs.") != plain
    assert answer(asked(instruction="Only the dog.")) != plain
    assert answer(asked(profile="sports")) != plain
    warm = asked(temperature="1", seed="4")
    assert answer(warm) == answer(warm) != answer(replace(warm, seed=5))


def test_the_changing_part_of_a_prompt_stands_behind_the_pictures() -> None:
    prompting = asked(system_prompt="You comment.", instruction="Only the dog.")
    assert system_text(prompting) == (
        "You comment.\n\nThe viewer asks for this above all: Only the dog."
    )
    assert "A dog runs." in question("A dog runs.")
    assert "..." not in question(None)


def test_frames_are_asked_for_at_the_size_at_which_they_are_looked_at(
    minicpm: AskingCommentator,
) -> None:
    assert minicpm.frame_size(1920, 1080, Prompt(96, asked())) == (602, 336)
    sliced = Prompt(96, asked(max_slice_nums="9"))
    assert minicpm.frame_size(1920, 1080, sliced) == (4 * 420, 2 * 476)


def test_frames_that_were_left_out_are_noted(minicpm: AskingCommentator) -> None:
    comment = minicpm.comment(window(1, count=40), Prompt(12, asked()), None, Draft())
    answer = minicpm._answerer.answer(window(1, count=40), Prompt(12, asked()), None, Draft())
    assert len(answer.notes) == 1
    assert "of 40 pictures were left out" in answer.notes[0]
    if comment.kind is CommentKind.SAID:
        assert comment.facts is not None
        assert answer.notes[0] in comment.facts["notes"]


def test_a_window_takes_no_more_tokens_than_the_setting_says(minicpm: AskingCommentator) -> None:
    def answer(commentator: AskingCommentator) -> Answer:
        return commentator._answerer.answer(window(1, count=30), Prompt(12, asked()), None, Draft())

    opened = open_minicpm(replace(settings_for(TINY), window_tokens=1000))
    few, many = answer(opened), answer(minicpm)
    opened.close()
    assert 800 < (few.tokens_in or 0) <= 1000 - 12 < (many.tokens_in or 0)
    assert "of 30 pictures were left out to fit 988 tokens" in few.notes[0]


def test_a_draft_that_becomes_unwanted_ends_the_window(minicpm: AskingCommentator) -> None:
    draft = Draft()

    def lose_interest() -> None:
        late = time.monotonic() + 60
        while not draft.text and time.monotonic() < late:
            time.sleep(0.01)
        draft.unwanted.set()

    with ThreadPoolExecutor(1) as thread:
        bored = thread.submit(lose_interest)
        with pytest.raises(Unwanted):
            minicpm.comment(window(1), Prompt(1400, asked()), None, draft)
        bored.result()
    assert draft.text


def test_writing_ends_at_its_time_limit(minicpm: AskingCommentator) -> None:
    prompt = Prompt(1000, asked(), time_limit_s=0.05)
    answer = minicpm._answerer.answer(window(1), prompt, None, Draft())
    assert answer.stopped_by == "time"
    assert answer.tokens_out is not None
    assert answer.tokens_out < 1000


def test_a_prompt_without_room_is_told_with_the_setting_to_change(
    minicpm: AskingCommentator,
) -> None:
    with pytest.raises(PromptRefused, match=r"prompt is too long.*MAX_NEW_TOKENS lower"):
        minicpm.comment(window(1), Prompt(2048, asked()), None, Draft())


@pytest.mark.parametrize("letters", ["a dog ", "🐕狗"])
def test_a_long_comment_before_leaves_room_for_the_longest_answer(
    minicpm: AskingCommentator, letters: str
) -> None:
    def tokens_in(previous: str) -> int:
        prompt = Prompt(1024, asked(system_prompt="Say it."), time_limit_s=0.01)
        answer = minicpm._answerer.answer(window(1, count=1), prompt, previous, Draft())
        assert answer.notes == ()
        assert answer.tokens_in is not None
        return answer.tokens_in

    assert 200 < tokens_in(letters * 5000) - tokens_in("x") <= 260


def test_numbers_that_overflow_are_the_commentators_failure() -> None:
    commentator = open_minicpm(settings_for(TINY))
    engine = engine_of(commentator)
    engine.network.llm.model.norm.weight.data.fill_(torch.inf)
    with pytest.raises(CommentatorFailed, match="use bfloat16"):
        commentator.comment(window(1), Prompt(12, asked()), None, Draft())
    commentator.close()


def engine_of(commentator: AskingCommentator) -> Engine:
    assert isinstance(commentator._answerer, MiniCPMAnswerer)
    return commentator._answerer._engine


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_ends_is_a_lost_commentator() -> None:
    commentator = open_minicpm(settings_for(TINY))
    engine_of(commentator).network.llm.model.norm.weight.data = torch.zeros(3)
    for _ in range(2):
        with pytest.raises(CommentatorLost, match="runtime ended"):
            commentator.comment(window(1), Prompt(12, asked()), None, Draft())
    commentator.close()


@pytest.mark.parametrize(("checkpoint", "kind"), [(TINY, "not quantised"), (TINY_AWQ, "AWQ INT4")])
def test_the_network_is_named_by_its_tensors_whatever_the_config_says(
    tmp_path: Path, checkpoint: Path, kind: str
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "weights")
    config = json.loads((folder / "config.json").read_text())
    awq = {"quant_method": "awq", "bits": 4} if checkpoint == TINY else None
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": awq}))
    commentator = open_minicpm(settings_for(folder))
    commentator.close()
    assert commentator.network is not None
    assert commentator.network["name"] == f"MiniCPM-o 4.5, {kind}"


def test_a_fingerprint_tells_weights_apart(tmp_path: Path) -> None:
    other = write_endless(tmp_path / "other")
    assert fingerprint(other) == fingerprint(other) != fingerprint(TINY)


def test_a_summary_needs_no_picture_and_no_text_is_too_long_for_it(
    minicpm: AskingCommentator,
) -> None:
    short = minicpm.tell(Matter(("A dog runs.", "It rests."), 2, 1), Prompt(12, asked()), Draft())
    assert short.tokens_out in range(12, 25)
    assert short.timings.prefill_ms > 0
    rare = "\U0001242e" * 400  # cuneiform: several tokens a character
    prompt = Prompt(12, asked())
    long = minicpm.tell(Matter((rare,) * 9, 2, 2), prompt, Draft())
    assert (long.tokens_in or 0) > (short.tokens_in or 0)


def test_where_few_tokens_fit_a_summary_is_told_from_some_of_the_comments() -> None:
    opened = open_minicpm(replace(settings_for(TINY), window_tokens=1000))
    texts = tuple(f"A dog runs past house {n} of the long street." for n in range(40))
    told = opened.tell(Matter(texts, 2, 1), Prompt(192, asked()), Draft())
    opened.close()
    assert (told.tokens_in or 0) > 500


def test_a_summary_without_any_room_is_refused(minicpm: AskingCommentator) -> None:
    with pytest.raises(PromptRefused, match="MAX_NEW_TOKENS"):
        minicpm.tell(Matter(("A dog runs.",), 2, 1), Prompt(2040, asked()), Draft())


def test_a_job_without_a_prompt_is_told(minicpm: AskingCommentator) -> None:
    with pytest.raises(CommentatorFailed, match="no prompt"):
        minicpm.tell(Matter(("A dog runs.",), 2, 1), Prompt(12, None), Draft())
    with pytest.raises(CommentatorFailed, match="no prompt"):
        minicpm.comment(window(1), Prompt(12, None), None, Draft())
