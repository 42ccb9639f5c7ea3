"""The decoder with its cache, and batches of answers."""

import gc
from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from worker.minicpm import Message, PromptStyle, PromptTooLong, Sampling
from worker.minicpm.batch import Batch, generate, passes, round_span
from worker.minicpm.cache import cache_bytes
from worker.minicpm.network import Network
from worker.minicpm.preprocess import Picture
from worker.minicpm.prompt import EncodedPrompt, PromptEncoder
from worker.minicpm.tokenizer import TextTokenizer

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
            step = network.decode_step(tokens, lengths, cache, 16)
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


def test_rows_join_and_leave_without_disturbing_others(network: Network) -> None:
    """Slot 0 is left, taken again, and slot 1 does not notice. What was written there is forgotten."""
    rule = Sampling(max_new_tokens=20, repetition_penalty=3.0)
    first, second = text_prompt(1, 2, 3), text_prompt(7, 8)
    batch = Batch(network, NEVER, slots=3, room=64)
    batch.admit([0, 1], [first, second], [rule, rule])
    for _ in range(3):
        batch.step()
    batch.release(0)
    batch.step()
    batch.admit([0], [first], [rule])
    for _ in range(4):
        batch.step()
    assert batch.row(1).tokens == generate(network, [second], [rule], NEVER)[0][:9]
    assert batch.row(0).tokens == generate(network, [first], [rule], NEVER)[0][:5]
    assert batch.free == [2]


def test_an_answer_ends_at_its_stopping_token(network: Network) -> None:
    rule = Sampling(max_new_tokens=8)
    whole = generate(network, [text_prompt(1, 2, 3)], [rule], NEVER)[0]
    stop = whole[3]
    ended = generate(network, [text_prompt(1, 2, 3)], [rule], frozenset({stop}))[0]
    assert ended == whole[: whole.index(stop) + 1]


def test_min_new_tokens_puts_the_stop_off(network: Network) -> None:
    prompt, rule = text_prompt(1, 2, 3), Sampling(max_new_tokens=8)
    first = generate(network, [prompt], [rule], NEVER)[0][0]
    rule = Sampling(max_new_tokens=8, min_new_tokens=8)
    assert first not in generate(network, [prompt], [rule], frozenset({first}))[0]


def test_a_prompt_that_leaves_no_room_is_refused(network: Network) -> None:
    batch = Batch(network, NEVER, slots=1, room=8)
    with pytest.raises(PromptTooLong, match="need 9 of 8 places"):
        batch.admit([0], [text_prompt(*range(6))], [Sampling(max_new_tokens=3)])
    assert batch.free == [0]


def test_no_hidden_state_is_kept_while_writing(network: Network) -> None:
    batch = Batch(network, NEVER, slots=1, room=64)
    batch.admit([0], [text_prompt(1, 2)], [Sampling(max_new_tokens=60)])

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    batch.step()
    before = tensors()
    for _ in range(20):
        batch.step()
    assert tensors() == before


def test_spans_cover_all_positions_in_few_sizes() -> None:
    spans = [round_span(positions) for positions in range(1, 4097)]
    assert all(p <= span <= max(p + 127, p * 1.25 + 1) for p, span in enumerate(spans, start=1))
    assert len(set(spans)) == 16


def test_long_prompts_are_read_in_passes() -> None:
    assert passes([10, 50, 20, 50, 200], 100) == [[4], [1, 3], [2, 0]]


def test_passes_change_nothing(network: Network, windows: list[EncodedPrompt],
                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    rule = Sampling(max_new_tokens=5)
    together = generate(network, windows, [rule] * 3, NEVER)
    monkeypatch.setattr("worker.minicpm.batch.PREFILL_TOKENS", 1)
    assert generate(network, windows, [rule] * 3, NEVER) == together


def test_looking_in_passes_changes_nothing(
    network: Network, windows: list[EncodedPrompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [view for window in windows for view in window.views]
    with torch.inference_mode():
        together = network.look(views)
        monkeypatch.setattr("worker.minicpm.network.VIEWS_PER_PASS", 1)
        torch.testing.assert_close(network.look(views), together, atol=1e-5, rtol=0)


def test_speech_ends_an_answer(tokenizer: TextTokenizer) -> None:
    names = ("<|im_end|>", "<|endoftext|>", "<|tts_eos|>")
    assert tokenizer.stop_ids == {tokenizer.token(name) for name in names}
