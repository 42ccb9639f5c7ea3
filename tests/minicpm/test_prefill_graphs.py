"""Prefill as it is captured on a GPU: padded to few sizes, from the same memory each time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.minicpm.interpreter import run_interpreted
from tests.minicpm.test_attention import PIECES, scene
from worker.minicpm import Message, PromptStyle, Sampling, attention
from worker.minicpm.batch import Batch
from worker.minicpm.memory_plan import FAST, FRUGAL
from worker.minicpm.network import Network
from worker.minicpm.packing import PackedPrompts, Padding, Size
from worker.minicpm.prefill_graphs import TOKENS, PrefillGraphs, most_prompts
from worker.minicpm.preprocess import Picture
from worker.minicpm.prompt import EncodedPrompt, PromptEncoder

Paint = Callable[..., Picture]
NEVER: frozenset[int] = frozenset()
SPARE, ROOM = 4, 300


@dataclass
class Replayed:
    """Stands in for a graph: does the work again, on the same memory; all results share theirs."""

    work: Callable[[Tensor], Tensor]
    given: Tensor
    result: Tensor
    others: "list[Replayed]"

    @property
    def graph(self) -> "Replayed":
        return self

    def replay(self) -> None:
        for other in self.others:
            other.result.fill_(torch.nan)
        self.result.copy_(self.work(self.given))


@pytest.fixture(autouse=True)
def captured(network: Network) -> Iterator[list[int]]:
    """Tokens of each graph made."""
    sizes: list[int] = []
    made: list[Replayed] = []

    class Capturer:
        def capture(self, work: Callable[[Tensor], Tensor], given: Tensor) -> Replayed:
            sizes.append(len(given))
            made.append(Replayed(work, given, work(given).clone(), made))
            return made[-1]

    network.__dict__["capturer"] = Capturer()
    yield sizes
    del network.__dict__["capturer"]


@pytest.fixture
def windows(encoder: PromptEncoder, picture: Paint) -> list[EncodedPrompt]:
    """Windows of one and two pictures, one of words alone; the first two begin alike."""
    contents: list[tuple[str | Picture, ...]] = [
        (picture(1), "What is new?"),
        (picture(2), picture(3, 40, 60), "Before: nothing. What is new?"),
        ("Tell me what was new. " * 3,),
    ]
    system = Message("system", ("Say what is new in one sentence, and nothing else.",))
    return [
        encoder.encode([system, Message("user", parts)], PromptStyle(), 2000) for parts in contents
    ]


def test_a_padded_prefill_is_the_same_prefill(
    network: Network, windows: list[EncodedPrompt], captured: list[int]
) -> None:
    """The same scores and the same cache, and no other slot is touched; also behind a known beginning."""
    with torch.inference_mode():
        seen = network.look([view for window in windows for view in window.views])
        for known in ([0, 0, 0], [20, 0, 5]):
            direct, padded = (network.new_cache(SPARE + 1, ROOM) for _ in range(2))
            for cache in (direct, padded):
                cache.both.copy_(torch.randn(cache.both.shape, generator=torch.Generator()))
            untouched = padded.both[:, :, 3].clone()
            for skip, window, slot in zip(known, windows, (2, 0, 1), strict=True):
                if skip:
                    start = EncodedPrompt(window.ids[:skip], ())
                    for cache in (direct, padded):
                        network.prefill([start], network.look([]), cache, [slot])
            prefill = PrefillGraphs(network, padded, SPARE, 512)
            wanted = network.prefill(windows, seen, direct, [2, 0, 1], known)
            for _ in range(3):  # directly, captured, replayed
                prefill._x.fill_(torch.nan)
                scores = prefill(windows, seen, [2, 0, 1], known)
                torch.testing.assert_close(scores, wanted, atol=2e-5, rtol=0)
            held = [len(window.ids) for window in windows]
            for slot, length in zip((2, 0, 1), held, strict=True):
                ours, theirs = (cache.both[:, :, slot] for cache in (padded, direct))
                torch.testing.assert_close(
                    ours[..., :length, :], theirs[..., :length, :], atol=2e-5, rtol=0
                )
                assert torch.equal(ours[..., length:, :], theirs[..., length:, :])
            assert torch.equal(padded.both[:, :, 3], untouched)
    assert captured[0] == 512  # the largest, whatever is read first


def test_a_graph_serves_other_prompts_of_its_size(
    network: Network, windows: list[EncodedPrompt], captured: list[int]
) -> None:
    """More or fewer of them, in other slots, longer and shorter than before; room for few tokens."""
    few = [EncodedPrompt(tuple(range(1, n)), ()) for n in (30, 9, 3)]
    with torch.inference_mode():
        cache = network.new_cache(SPARE + 1, 40)
        prefill = PrefillGraphs(network, cache, SPARE, 512)
        while prefill.prepare():
            pass
        assert captured == [size for size in reversed(TOKENS) if size <= 512]
        for prompts, slots in (([few[0]], [3]), ([few[2]], [0]), ([few[1]], [3]), ([few[0]], [1])):
            scores = prefill(prompts, network.look([]), slots, [0])
            alone = network.prefill(prompts, network.look([]), network.new_cache(1, 40), [0])
            torch.testing.assert_close(scores, alone, atol=2e-5, rtol=0)
        long = [few[0]] * 4 + few[1:]
        seen = network.look([])
        scores = prefill(long * 2, seen, [0] * 12, [0] * 12).clone()  # too many: directly
        some = prefill([*long[:2]], seen, [0, 1], [0, 0])  # too many for 64 tokens
        torch.testing.assert_close(some, scores[:2], atol=2e-5, rtol=0)
    assert len(captured) == 7 + 1


def test_padding_goes_round_in_the_spare_slot() -> None:
    prompts = [EncodedPrompt((7, 8, 9, 10), (1,)), EncodedPrompt((5, 6), ())]
    padding = Padding(Size(3, 12), spare=9, room=4)
    packed = PackedPrompts.pack(prompts, [3, 1], [0, 1], 2, padding)
    pieces, plan = packed.read(packed.numbers)
    assert pieces.slots.tolist() == [3, 1, 9]
    assert pieces.before.tolist() == [0, 1, 0]
    assert pieces.starts.tolist() == [0, 4, 5, 5]
    assert pieces.ends.tolist() == [3, 4, 4]
    assert pieces.token_slots.tolist() == [3, 3, 3, 3, 1, *[9] * 7]
    assert pieces.positions.tolist() == [0, 1, 2, 3, 1, 0, 1, 2, 3, 0, 1, 2]
    assert (plan.ids.tolist(), plan.words.tolist()) == ([7, 10, 6], [0, 3, 4])
    assert plan.places.tolist() == [1, 2]
    assert len(packed.numbers) <= padding.size.most_numbers
    for part in (pieces.before, pieces.token_slots, pieces.positions, pieces.starts):
        assert part.storage_offset() % 2 == 0


def check_padded_attention(module: ModuleType, device: str, dtype: torch.dtype) -> None:
    """Empty pieces and tokens that belong to none change no bit of the others."""
    given = scene(PIECES, dtype).to(device)
    plain = given.attend_prompts(module)
    more = torch.full((10, *given.q.shape[1:]), torch.nan, dtype=dtype, device=device)
    padded = module.attend_prompts(
        torch.cat([given.q, more]), given.keys, given.values,
        F.pad(given.slots, (0, 3), value=1), F.pad(given.starts, (0, 3), value=len(plain)),
        F.pad(given.before, (0, 3)), len(plain) + len(more),
    )  # fmt: skip
    assert torch.equal(padded[: len(plain)], plain)


def test_padding_changes_no_bit_of_what_is_mixed() -> None:
    check_padded_attention(attention, "cpu", torch.float32)


def test_padding_changes_no_bit_of_what_is_mixed_in_the_interpreter() -> None:
    run_interpreted(
        "import torch; from tests.minicpm.test_prefill_graphs import *;"
        "from worker.minicpm import attention_triton;"
        "check_padded_attention(attention_triton, 'cpu', torch.float16)"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_padding_changes_no_bit_of_what_is_mixed_on_a_gpu() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        check_padded_attention(attention, "cuda", dtype)


def test_sizes_take_usual_windows() -> None:
    assert [tokens for tokens in TOKENS if tokens > 400] == [448, 512, *range(640, 2049, 128)]
    sizes = {64: 1, 128: 1, 384: 3, 512: 4, 1024: 8, 2048: 8}
    assert {tokens: most_prompts(tokens) for tokens in sizes} == sizes
    assert max(TOKENS) == FAST.captured_tokens
    assert FRUGAL.captured_tokens in TOKENS


def answers(batch: Batch, windows: list[EncodedPrompt], rule: Sampling) -> list[list[int]]:
    rows = batch.admit(windows, [rule] * len(windows))
    while batch.step():
        pass
    batch.collect()
    for row in rows:
        batch.release(row)
    return [row.tokens for row in rows]


@pytest.mark.parametrize("tokens", [150, 8192])  # in three passes, the last two of one size; in one
def test_what_was_read_padded_is_answered_as_if_read_plainly(
    network: Network, windows: list[EncodedPrompt], captured: list[int], tokens: int
) -> None:
    """Three times: directly or captured, and behind beginnings that are known by then."""
    rule = Sampling(max_new_tokens=5)
    limits = replace(FAST, tokens=tokens)
    wanted = answers(Batch(network, NEVER, SPARE, ROOM, limits), windows, rule)
    batch = Batch(network, NEVER, SPARE, ROOM, limits)
    assert not batch.prepare()  # nothing is captured on a CPU
    batch._prefill_graphs = PrefillGraphs(network, batch.cache, SPARE, 512)
    for _ in range(3):
        assert answers(batch, windows, rule) == wanted
    assert captured


@pytest.mark.parametrize("part", ["capture", "_lay_out"])
def test_without_memory_for_graphs_prompts_are_read_directly(
    network: Network, windows: list[EncodedPrompt], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("CUDA error: out of memory")

    owner = PrefillGraphs if part == "_lay_out" else network.capturer
    monkeypatch.setattr(owner, part, fail)
    with torch.inference_mode():
        seen = network.look(windows[0].views)
        cache = network.new_cache(SPARE + 1, ROOM)
        wanted = network.prefill(windows[:1], seen, network.new_cache(1, ROOM), [0])
        prefill = PrefillGraphs(network, cache, SPARE, 512)
        for _ in range(3):
            scores = prefill(windows[:1], seen, [0], [0])
            torch.testing.assert_close(scores, wanted, atol=2e-5, rtol=0)
        assert not prefill.prepare()
