"""The decoder with its cache, and batches of answers."""

import copy
import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from worker.minicpm import Message, NumbersOverflowed, PromptStyle, PromptTooLong, Sampling
from worker.minicpm.batch import Batch, generate, passes
from worker.minicpm.cache import cache_bytes
from worker.minicpm.cuda_graphs import captured_rows
from worker.minicpm.language import LanguageModel
from worker.minicpm.memory_plan import FAST
from worker.minicpm.network import Network
from worker.minicpm.prefix_cache import shared_length
from worker.minicpm.preprocess import Picture, View
from worker.minicpm.prompt import EncodedPrompt, PromptEncoder
from worker.minicpm.slot_state import SlotState
from worker.minicpm.tokenizer import TextTokenizer
from worker.minicpm.vision_cache import VisionCache
from worker.minicpm.vision_graphs import portions

Paint = Callable[..., Picture]
NEVER: frozenset[int] = frozenset()


def text_prompt(*ids: int) -> EncodedPrompt:
    return EncodedPrompt(ids, ())


@pytest.fixture
def windows(encoder: PromptEncoder, picture: Paint) -> list[EncodedPrompt]:
    """Three windows of 1, 3 and 2 frames, the last ones of other shapes."""
    frames = [[picture(1)], [picture(2), picture(3), picture(4)],
              [picture(5, 40, 60), picture(6, 64, 64)]]  # fmt: skip
    style = PromptStyle()
    return [
        encoder.encode([Message("user", (*some, "What is new? " * count))], style, 2000)
        for count, some in enumerate(frames, start=1)
    ]


def test_the_memory_of_a_cache_is_known_beforehand(network: Network) -> None:
    cache = network.new_cache(3, 50)
    size = cache_bytes(network.config.language, 3, 50, torch.float32)
    assert cache.keys.nbytes + cache.values.nbytes == size


def test_cached_and_uncached_scores_agree(network: Network) -> None:
    ids = [5, 9, 300, 41, 7, 7, 250]
    with torch.inference_mode():
        cache = network.new_cache(2, 16)
        nothing = network.look([])
        network.prefill([text_prompt(*ids[:3])] * 2, nothing, cache, [0, 1])
        for length in range(3, len(ids)):
            tokens, lengths = torch.tensor([ids[length]] * 2), torch.tensor([length] * 2)
            step = network.decode_step(tokens, torch.tensor([0, 1]), lengths, cache)
            whole = network.prefill(
                [text_prompt(*ids[: length + 1])], nothing, network.new_cache(1, 16), [0]
            )
            torch.testing.assert_close(step, whole.expand(2, -1), atol=2e-5, rtol=0)


def test_a_batch_gives_each_window_what_it_gets_alone(
    network: Network, windows: list[EncodedPrompt]
) -> None:
    with torch.inference_mode():
        seen = network.look([view for window in windows for view in window.views])
        together = network.prefill(windows, seen, network.new_cache(3, 400), [2, 0, 1])
        for row, window in enumerate(windows):
            alone = network.prefill(
                [window], network.look(window.views), network.new_cache(1, 400), [0]
            )
            torch.testing.assert_close(together[row], alone[0], atol=2e-5, rtol=0)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_every_window_of_a_batch_is_answered_as_alone(
    network: Network, windows: list[EncodedPrompt], temperature: float
) -> None:
    """Also with penalties, seeds and lengths of their own."""
    rules = [
        Sampling(max_new_tokens=4 + row, temperature=temperature, top_k=20, top_p=0.9,
                 repetition_penalty=1.0 + row / 5, seed=row)
        for row in range(3)
    ]  # fmt: skip
    together = generate(network, windows, rules, NEVER)
    alone = [generate(network, [w], [r], NEVER)[0] for w, r in zip(windows, rules, strict=True)]
    assert together == alone
    assert [len(answer) for answer in together] == [4, 5, 6]


def test_a_penalty_counts_for_rows_that_are_drawn_too(network: Network) -> None:
    """With one candidate a drawn row writes what a greedy one writes."""
    prompt, greedy = text_prompt(1, 2, 3), Sampling(max_new_tokens=20, repetition_penalty=3.0)
    drawn = replace(greedy, temperature=1.0, top_k=1, seed=1)
    unpunished = replace(greedy, repetition_penalty=1.0)
    (right,), (got,), (other,) = (
        generate(network, [prompt], [rule], NEVER) for rule in (greedy, drawn, unpunished)
    )
    assert got == right != other


def test_rows_join_and_leave_without_disturbing_others(network: Network) -> None:
    """Slot 0 is left, taken again, and slot 1 does not notice. What was written there is forgotten."""
    rule = Sampling(max_new_tokens=20, repetition_penalty=3.0)
    first, second = text_prompt(1, 2, 3), text_prompt(7, 8)
    batch = Batch(network, NEVER, slots=3, room=64)
    left, stayed = batch.admit([first, second], [rule, rule])
    for _ in range(3):
        batch.step()
    batch.release(left)
    batch.step()
    (joined,) = batch.admit([first], [rule])
    assert joined.slot == left.slot
    for _ in range(4):
        batch.step()
    batch.collect()
    assert stayed.tokens == generate(network, [second], [rule], NEVER)[0][:9]
    assert joined.tokens == generate(network, [first], [rule], NEVER)[0][:5]
    assert batch.free == [2]


def test_tokens_are_collected_as_far_behind_as_asked(network: Network) -> None:
    batch = Batch(network, NEVER, slots=1, room=64)
    (row,) = batch.admit([text_prompt(1, 2, 3)], [Sampling(max_new_tokens=4)])
    assert [batch.step() for _ in range(4)] == [True, True, True, False]
    assert batch.collect(ahead=3) == [row]
    assert (len(row.tokens), row.asked) == (1, 4)
    assert batch.collect() == [row] * 3
    assert row.tokens == generate(network, [text_prompt(1, 2, 3)], [row.sampling], NEVER)[0]


def test_what_arrives_for_a_row_that_left_is_dropped(network: Network) -> None:
    batch = Batch(network, NEVER, slots=1, room=64)
    (row,) = batch.admit([text_prompt(1, 2, 3)], [Sampling(max_new_tokens=5)])
    batch.step()
    batch.release(row)
    assert batch.collect() == []
    assert (row.tokens, batch.busy) == ([], False)


@pytest.fixture
def briefed(encoder: PromptEncoder, picture: Paint) -> Callable[..., EncodedPrompt]:
    """A window under a system prompt that all share."""

    def encode(seed: int, system: str = "Say what is new in one sentence.") -> EncodedPrompt:
        messages = [Message("system", (system,)),
                    Message("user", (picture(seed), f"Before: {seed}"))]  # fmt: skip
        return encoder.encode(messages, PromptStyle(), 2000)

    return encode


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each prefill reads."""
    counts: list[int] = []
    prefill = LanguageModel.prefill

    def counting(self: LanguageModel, x: Tensor, *rest: Any) -> Tensor:
        counts.append(len(x))
        return prefill(self, x, *rest)

    monkeypatch.setattr(LanguageModel, "prefill", counting)
    return counts


def test_the_beginning_that_was_not_used_for_longest_is_read_again(
    network: Network, briefed: Callable[..., EncodedPrompt], read: list[int]
) -> None:
    a, b, c = (briefed(1, f"Say what is new in one sentence, {name}.") for name in "abc")
    limits = replace(FAST, kept_tokens=2 * max(window.view_starts[0] for window in (a, b, c)))
    batch = Batch(network, NEVER, slots=7, room=400, limits=limits)
    for window in (a, b, a, c, a, b):
        batch.admit([window], [Sampling(max_new_tokens=1)])
    rest = len(a.ids) - a.view_starts[0]
    assert read == [len(a.ids), len(b.ids), rest, len(c.ids), rest, len(b.ids)]


def test_a_shared_beginning_is_read_once_and_changes_nothing(
    network: Network, briefed: Callable[..., EncodedPrompt], read: list[int]
) -> None:
    rule = Sampling(max_new_tokens=6)
    batch = Batch(network, NEVER, slots=2, room=400)
    rows = [*batch.admit([briefed(1)], [rule]), *batch.admit([briefed(2)], [rule])]
    shared = briefed(1).view_starts[0]
    assert read == [len(briefed(1).ids), len(briefed(2).ids) - shared]
    while batch.step():
        pass
    batch.collect()
    alone = [generate(network, [briefed(seed)], [rule], NEVER)[0] for seed in (1, 2)]
    assert [row.tokens for row in rows] == alone


def test_a_short_or_missing_beginning_is_not_kept(encoder: PromptEncoder, picture: Paint) -> None:
    short = encoder.encode([Message("user", (picture(1), "What?"))], PromptStyle(), 2000)
    assert shared_length(short) == shared_length(text_prompt(*range(300))) == 0


def test_rows_that_only_fill_up_a_step_read_nothing() -> None:
    """However many steps they have been in: what a slot holds, attention reads in each."""
    state = SlotState(3, vocabulary=9, stop_ids=[1], device=torch.device("cpu"))
    for _ in range(5):
        state.grow(torch.tensor([0, 2, 2]))
    assert state.lengths.tolist() == [5, 0, 0]


def test_a_view_is_looked_at_once(network: Network, picture: Paint, encoder: PromptEncoder) -> None:
    views = [
        encoder.encode([Message("user", (picture(seed), "?"))], PromptStyle(), 2000).views[0]
        for seed in (1, 2, 1, 3)
    ]
    looked: list[int] = []

    def look(some: Sequence[View]) -> Tensor:
        looked.append(len(some))
        return network.look(some)

    with torch.inference_mode():
        vision = VisionCache(look, most=256)
        first, again = vision.look(views[:3]), vision.look(views[1:])
        torch.testing.assert_close(first, network.look(views[:3]), atol=1e-5, rtol=0)
        torch.testing.assert_close(again, network.look(views[1:]), atol=1e-5, rtol=0)
    assert looked == [2, 1]


def test_the_view_that_was_not_used_for_longest_is_forgotten(
    network: Network, picture: Paint, encoder: PromptEncoder
) -> None:
    a, b, c = (
        encoder.encode([Message("user", (picture(seed), "?"))], PromptStyle(), 2000).views[0]
        for seed in (1, 2, 3)
    )
    looked: list[int] = []

    def look(some: Sequence[View]) -> Tensor:
        looked.append(len(some))
        return torch.zeros(len(some), 1, 1)

    vision = VisionCache(look, most=2)
    for views in ([a, b], [a], [c], [a], [b]):
        vision.look(views)
    assert looked == [2, 0, 1, 0, 1]


def test_an_answer_ends_at_its_stopping_token(network: Network) -> None:
    rule = Sampling(max_new_tokens=8)
    whole = generate(network, [text_prompt(1, 2, 3)], [rule], NEVER)[0]
    stop = whole[3]
    ended = generate(network, [text_prompt(1, 2, 3)], [rule], frozenset({stop}))[0]
    assert ended == whole[: whole.index(stop) + 1]


def test_numbers_that_overflow_end_all_answers_of_a_batch(network: Network) -> None:
    poisoned = copy.deepcopy(network)
    poisoned.llm.model.embed_tokens.weight[7] = torch.inf
    rule = Sampling(max_new_tokens=8)
    with pytest.raises(NumbersOverflowed):
        generate(poisoned, [text_prompt(1, 2), text_prompt(7)], [rule, rule], NEVER)


def test_min_new_tokens_puts_the_stop_off(network: Network) -> None:
    prompt, rule = text_prompt(1, 2, 3), Sampling(max_new_tokens=8)
    first = generate(network, [prompt], [rule], NEVER)[0][0]
    rule = Sampling(max_new_tokens=8, min_new_tokens=8)
    assert first not in generate(network, [prompt], [rule], frozenset({first}))[0]


def test_a_prompt_that_leaves_no_room_is_refused(network: Network) -> None:
    batch = Batch(network, NEVER, slots=1, room=8)
    with pytest.raises(PromptTooLong, match="need 9 of 8 places"):
        batch.admit([text_prompt(*range(6))], [Sampling(max_new_tokens=3)])
    assert batch.free == [0]


def test_no_hidden_state_is_kept_while_writing(network: Network) -> None:
    batch = Batch(network, NEVER, slots=1, room=64)
    batch.admit([text_prompt(1, 2)], [Sampling(max_new_tokens=60)])

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    batch.step()
    batch.collect()
    before = tensors()
    for _ in range(20):
        batch.step()
        batch.collect()
    assert tensors() == before


def test_long_prompts_are_read_in_passes() -> None:
    assert passes([10, 50, 40, 20, 200, 50], 100) == [(0, 3), (3, 4), (4, 5), (5, 6)]


def test_views_are_split_into_few_sizes() -> None:
    assert list(portions(37, 16)) == [16, 16, 4, 1]
    assert list(portions(3, 4)) == [2, 1]
    assert list(portions(0, 16)) == []


def test_a_graph_takes_as_many_rows_or_more() -> None:
    assert [captured_rows(rows) for rows in (1, 3, 8, 17, 33, 64, 65)] == [1, 4, 8, 24, 48, 64, 128]


def test_passes_change_nothing(network: Network, windows: list[EncodedPrompt]) -> None:
    rule = Sampling(max_new_tokens=5)
    together = generate(network, windows, [rule] * 3, NEVER)
    batch = Batch(network, NEVER, slots=3, room=400, limits=replace(FAST, tokens=1))
    rows = batch.admit(windows, [rule] * 3)
    while batch.step():
        pass
    batch.collect()
    assert [row.tokens for row in rows] == together


def test_looking_in_passes_changes_nothing(
    network: Network, windows: list[EncodedPrompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [view for window in windows for view in window.views]
    with torch.inference_mode():
        together = network.look(views)
        monkeypatch.setattr(network, "views_per_pass", 1)
        torch.testing.assert_close(network.look(views), together, atol=1e-5, rtol=0)


def test_speech_ends_an_answer(tokenizer: TextTokenizer) -> None:
    names = ("<|im_end|>", "<|endoftext|>", "<|tts_eos|>")
    assert tokenizer.stop_ids == {tokenizer.token(name) for name in names}
