"""Prompts, drafts, limits and want of memory, on one tiny network."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the commentator transformers needs PyTorch")
pytest.importorskip("transformers", reason="the commentator transformers needs that package")
import torch
from PIL import Image

from models.errors import CommentatorFailed, OutOfMemory, PromptRefused
from tests.transformers.asking import answer, asked, full_batches, prompt, watching, window
from tests.transformers.conftest import open_answerer, settings_for
from tests.transformers.tiny import NO_SYSTEM, TEMPLATE, write_network
from worker.commentator import CommentatorLost, Draft, Matter, Prompt, Unwanted
from worker.transformers.commentator import TransformersAnswerer, open_transformers
from worker.transformers.errors import PromptRefusedHere
from worker.transformers.prompts import Prompts
from worker.transformers.rows import Sampling


def test_tokens_and_times_are_counted(answerer: TransformersAnswerer) -> None:
    told = answer(answerer, tokens=16)
    assert told.tokens_out == 16
    assert told.stopped_by == "length"
    assert told.tokens_in
    assert told.tokens_in > 2 * 5 * 4  # the pieces of two pictures
    assert min(told.timings.prefill_ms, told.timings.generate_ms) > 0
    assert told.timings.vision_ms == 0  # which can't be told apart


def test_an_answer_ends_where_the_network_ends_it(tmp_path: Path) -> None:
    opened = open_answerer(write_network(tmp_path / "tiny", "gemma3", ends=True))
    told = opened.answer(
        window(1), prompt(1000, wish={"temperature": "2", "top_p": "1"}), None, Draft()
    )
    opened.close()
    assert told.stopped_by == "end"
    assert "<" not in told.text


def test_the_network_s_own_template_lays_the_prompt_out(answerer: TransformersAnswerer) -> None:
    read = answerer._engine.prompts.ask("Be brief.", "What now?", asked(2), 8)
    assert read.text == (
        "<|begin|><|system|>Be brief.<|end|><|user|><image><image>What now?<|end|><|assistant|>"
    )


def test_a_template_without_a_system_turn_gets_its_words_before_the_pictures(
    tmp_path: Path,
) -> None:
    opened = open_answerer(write_network(tmp_path / "tiny", "idefics3", NO_SYSTEM))
    read = opened._engine.prompts.ask("Be brief.", "What now?", asked(1), 8)
    opened.close()
    assert read.text == "<|begin|><|user|>Be brief.\n\n<image>What now?<|end|><|assistant|>"


def test_thoughts_that_the_template_begins_are_not_told(tmp_path: Path) -> None:
    thinking = TEMPLATE.replace("<|assistant|>'", "<|assistant|><think>'")
    opened = open_answerer(write_network(tmp_path / "tiny", "idefics3", thinking))
    prompts = opened._engine.prompts
    read = prompts.ask("x", "x", asked(1), 8)
    spelt = prompts._processor.tokenizer.encode("secret</think>open", add_special_tokens=False)
    assert prompts.spell(read, spelt[:3]) == ""
    assert prompts.spell(read, spelt) == "open"
    opened.close()


def test_what_is_written_is_shown_meanwhile(answerer: TransformersAnswerer) -> None:
    draft, seen = Draft(), set()
    with ThreadPoolExecutor(1) as thread:
        telling = thread.submit(answerer.answer, window(1), prompt(400), None, draft)
        while not telling.done():
            seen.add(draft.text)
            time.sleep(0.01)
    text = telling.result().text
    assert len(seen) > 2
    assert all(text.startswith(part) for part in seen)


def test_what_nobody_wants_ends_soon_and_leaves_the_others_alone(
    answerer: TransformersAnswerer,
) -> None:
    alone = answer(answerer, tokens=40).text
    draft = Draft()
    with ThreadPoolExecutor(2) as threads:
        unwanted = threads.submit(answerer.answer, window(2), prompt(1024), None, draft)
        wanted = threads.submit(answer, answerer, tokens=40)
        threading.Timer(0.3, draft.unwanted.set).start()
        with pytest.raises(Unwanted):
            unwanted.result()
        assert wanted.result().text == alone


def test_writing_ends_at_its_time_limit(answerer: TransformersAnswerer) -> None:
    told = answerer.answer(window(1), prompt(1024, limit_s=0.5), None, Draft())
    assert told.stopped_by == "time"
    assert 0 < (told.tokens_out or 0) < 1024


def test_pictures_without_room_are_left_out_and_noted(answerer: TransformersAnswerer) -> None:
    told = answer(answerer, count=40, tokens=64)
    assert told.tokens_in
    assert 1700 < told.tokens_in <= 2048 - 64
    (note,) = told.notes
    assert note.endswith("of 40 pictures were left out to fit 2048 tokens.")
    kept = 40 - int(note.split()[0])
    assert answer(answerer, count=kept, tokens=64).notes == ()
    assert answer(answerer, count=kept + 1, tokens=64).notes != ()


def test_a_prompt_without_room_is_refused(answerer: TransformersAnswerer) -> None:
    with pytest.raises(PromptRefused, match=r"with 1 picture has .* tokens, and there is room for"):
        answer(answerer, count=3, tokens=2040)


def test_no_text_is_too_long_for_a_summary_unless_there_is_no_room_at_all(
    answerer: TransformersAnswerer,
) -> None:
    rare = "\U0001242e" * 400  # cuneiform: several tokens a character
    long = Matter((rare,) * 9, 2, 1)
    told = answerer.write(long, prompt(12), Draft())
    assert 9 * 20 < (told.tokens_in or 0) <= 2048 - 12
    with pytest.raises(PromptRefused, match="there is room for"):
        answerer.write(long, prompt(2040), Draft())


def test_a_job_without_a_prompt_is_told(answerer: TransformersAnswerer) -> None:
    with pytest.raises(CommentatorFailed, match="no prompt"):
        answerer.write(Matter(("A dog runs.",), 2, 1), Prompt(12, None), Draft())
    with pytest.raises(CommentatorFailed, match="no prompt"):
        answerer.answer(window(1), Prompt(12, None), None, Draft())


def ask_four(answerer: TransformersAnswerer) -> list[str]:
    def ask(number: int) -> str:
        return answerer.answer(window(number), prompt(12), None, Draft()).text

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(ask, range(4)))


@pytest.mark.parametrize(
    "shortage",
    [
        torch.OutOfMemoryError("full"),
        torch.AcceleratorError("CUDA error: out of memory", 2),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ],
    ids=["allocator", "cuda", "cublas"],
)
def test_want_of_memory_makes_batches_smaller_and_loses_nothing(
    folder: Path, shortage: RuntimeError
) -> None:
    opened = open_answerer(folder)
    whole = ask_four(opened)

    def full(rows: int) -> Exception | None:
        return shortage if rows > 1 else None

    with watching(opened, full) as rows:
        with full_batches():
            assert ask_four(opened) == whole
        assert rows[0] == 4
        assert opened._engine.most_rows == 1
        rows.clear()
        assert ask_four(opened) == whole
        assert rows == [1, 1, 1, 1]
    opened.close()


def test_want_of_memory_for_a_single_window_is_told(folder: Path) -> None:
    opened = open_answerer(folder)
    with (
        watching(opened, lambda rows: torch.OutOfMemoryError("full")),
        pytest.raises(OutOfMemory, match="TRANSFORMERS_LONGEST_SIDE"),
    ):
        answer(opened)
    assert answer(opened).tokens_out == 16
    opened.close()


def test_a_window_at_which_the_network_fails_costs_no_other(folder: Path) -> None:
    opened = open_answerer(folder)
    with (
        watching(opened, lambda rows: ValueError("odd shapes")),
        pytest.raises(CommentatorFailed, match="failed at this window: ValueError: odd shapes"),
    ):
        answer(opened)
    assert answer(opened).tokens_out == 16
    opened.close()


def test_a_lost_device_takes_no_answer_away_that_is_written(folder: Path) -> None:
    """Pictures are read first, then what has none."""
    opened = open_answerer(folder)
    opened._engine.most_rows = 2
    batches = iter([None, torch.AcceleratorError("an illegal memory access", 700)])
    with (
        watching(opened, lambda rows: next(batches)),
        full_batches(),
        ThreadPoolExecutor(2) as threads,
    ):
        window_told = threads.submit(answer, opened)
        words = Matter(("A dog runs.",), 2, 1)
        lost = threads.submit(opened.write, words, prompt(16), Draft())
        assert window_told.result().tokens_out == 16
        with pytest.raises(CommentatorLost):
            lost.result()
    opened.close()


def test_what_nobody_wants_when_its_turn_comes_is_not_read(
    answerer: TransformersAnswerer,
) -> None:
    draft = Draft()
    draft.unwanted.set()
    with watching(answerer) as batches:
        with pytest.raises(Unwanted):
            answerer.answer(window(1), prompt(16), None, draft)
        answer(answerer)
    assert batches == [1]


def test_closing_ends_who_waits(folder: Path) -> None:
    opened = open_answerer(folder)
    opened._engine.most_rows = 1
    begun = threading.Event()
    with (
        watching(opened, lambda rows: begun.set()),
        ThreadPoolExecutor(2) as threads,
    ):
        running = threads.submit(answer, opened, tokens=200)
        assert begun.wait(20)
        waiting = threads.submit(answer, opened)
        while not opened._engine._waiting:
            time.sleep(0.001)
        opened.close()
        assert running.result().tokens_out == 200
        with pytest.raises(CommentatorLost, match="it was closed"):
            waiting.result()


def test_an_answer_that_has_no_room_is_refused(answerer: TransformersAnswerer) -> None:
    engine = answerer._engine
    asking = engine.prompts.ask("x", "x", asked(1), 8)
    with pytest.raises(PromptRefusedHere, match=r"has \d+ tokens of 2048, the answer not counted"):
        engine.ask(asking, Sampling(2048), 60, lambda text: None, threading.Event())


def test_a_network_that_tells_no_limit_gets_all_pictures(answerer: TransformersAnswerer) -> None:
    prompts = Prompts(replace(answerer._engine.network, context=None))
    assert len(prompts.ask("x", "x", asked(40), 8).pictures) == 40


def test_sizes_that_are_forgotten_are_found_out_anew(
    answerer: TransformersAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.transformers.prompts._REMEMBERED", 3)
    prompts = Prompts(answerer._engine.network)
    sizes = [(64, 48), (48, 64), (30, 30), (64, 48)]
    read = [prompts.ask("x", "x", [Image.new("RGB", size)], 8).controls for size in sizes]
    assert read[0] == read[3]
    assert len(prompts._shapes) <= 3


def test_frames_are_asked_of_the_decoder_no_larger_than_they_are_read(folder: Path) -> None:
    opened = open_transformers(settings_for(folder, transformers_longest_side=500))
    assert opened.frame_size(1920, 1080, prompt()) == (500, 281)
    assert opened.frame_size(1080, 1920, prompt()) == (281, 500)
    assert opened.frame_size(320, 240, prompt()) == (320, 240)
    opened.close()


def test_a_device_that_is_lost_ends_the_commentator(folder: Path) -> None:
    opened = open_answerer(folder)
    with (
        watching(opened, lambda rows: torch.AcceleratorError("an illegal memory access", 700)),
        pytest.raises(CommentatorLost, match="illegal memory access"),
    ):
        answer(opened)
    with pytest.raises(CommentatorLost):
        answer(opened)
    opened.close()
