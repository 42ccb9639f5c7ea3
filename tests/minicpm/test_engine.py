"""Many threads, one network."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import numpy as np
import torch
from torch import Tensor, nn

from worker.minicpm import (
    Cancelled,
    Engine,
    EngineStopped,
    Message,
    NumbersOverflowed,
    OutOfDeviceMemory,
    PromptStyle,
    PromptTooLong,
    Request,
    Sampling,
    sentence_loss,
)
from worker.minicpm.batch import Batch, Row
from worker.minicpm.cache import KVCache
from worker.minicpm.config import read_config
from worker.minicpm.network import Network
from worker.minicpm.preprocess import Picture, View
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.text import TextStream
from worker.minicpm.tokenizer import TextTokenizer
from worker.minicpm.weights import load_network

Paint = Callable[..., Picture]


@pytest.fixture
def engine(network: Network, tokenizer: TextTokenizer) -> Iterator[Engine]:
    with Engine(network, tokenizer, slots=3, room=512) as engine:
        yield engine


def ask(*parts: str | Picture, tokens: int = 12, seed: int = 1, stop: bool = True) -> Request:
    rule = Sampling(max_new_tokens=tokens, min_new_tokens=0 if stop else tokens, temperature=0.8,
                    top_k=50, repetition_penalty=1.1, seed=seed)  # fmt: skip
    return Request([Message("user", parts)], rule)


def test_many_threads_get_what_each_gets_alone(
    network: Network, tokenizer: TextTokenizer, picture: Paint
) -> None:
    """Ten windows of different lengths over three slots."""
    requests = [
        ask(*(picture(i) for i in range(1 + n % 3)), "What now?" * n, tokens=3 + n, seed=n)
        for n in range(10)
    ]
    with Engine(network, tokenizer, slots=1, room=512) as engine:
        alone = [engine.comment(request) for request in requests]
    with (
        Engine(network, tokenizer, slots=3, room=512) as engine,
        ThreadPoolExecutor(10) as pool,
    ):
        together = list(pool.map(engine.comment, requests))
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert [reply.tokens_out for reply in together] == [reply.tokens_out for reply in alone]
    assert any(reply.text for reply in together)


def test_text_is_told_as_it_grows(
    engine: Engine, picture: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.minicpm.engine.LISTEN_S", 0.001)
    texts: list[str] = []
    reply = engine.comment(ask(picture(1), "What?", tokens=60, stop=False), texts.append)
    assert len(texts) > 1
    assert texts[-1] == reply.text.rstrip("�")
    assert all(later.startswith(text) for text, later in pairwise(texts))


def test_a_reply_tells_what_it_took(engine: Engine, picture: Paint) -> None:
    reply = engine.comment(ask(picture(1), "What?", tokens=5, stop=False))
    assert (reply.stopped_by, reply.tokens_out) == ("length", 5)
    assert reply.tokens_in > 64
    times = (reply.waiting_ms, reply.vision_ms, reply.prefill_ms, reply.generate_ms)
    assert all(time >= 0 for time in times)
    assert reply.vision_ms > 0


def test_the_engine_says_which_size_it_wants(engine: Engine) -> None:
    assert engine.view_size(1920, 1080) == (602, 336)
    assert engine.view_size(1920, 1080, max_slices=9) == (4 * 420, 2 * 476)


def test_a_note_says_which_frames_are_missing(engine: Engine, picture: Paint) -> None:
    reply = engine.comment(ask(*(picture(i) for i in range(9)), "What?"))
    assert reply.notes == ("2 of 9 pictures were left out to fit 500 tokens",)


def test_a_prompt_without_room_is_refused(engine: Engine) -> None:
    with pytest.raises(PromptTooLong, match="with text alone has"):
        engine.comment(ask("word " * 600))
    with pytest.raises(PromptTooLong, match="leaves no room"):
        engine.comment(ask("word", tokens=512))


def test_a_running_answer_is_cancelled(engine: Engine) -> None:
    stop = threading.Event()
    with pytest.raises(Cancelled, match="while it was answered"):
        engine.comment(ask("Go", tokens=400, stop=False), lambda _: stop.set(), stop)
    assert engine.comment(ask("Next")).tokens_out > 0


def test_a_waiting_request_is_cancelled(engine: Engine) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled, match="while it waited"):
        engine.comment(ask("Go"), cancelled=stop)


def test_a_listener_that_fails_ends_its_own_answer_only(engine: Engine) -> None:
    def fail(_: str) -> None:
        raise ConnectionError("the page is gone")

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(engine.comment, ask("Other", tokens=40, stop=False))
        with pytest.raises(ConnectionError, match="the page is gone"):
            engine.comment(ask("Go", tokens=400, stop=False), fail)
        assert other.result().tokens_out == 40


def test_a_time_limit_returns_what_is_there(engine: Engine) -> None:
    request = ask("Go", tokens=400, stop=False)
    limited = Request(request.messages, request.sampling, time_limit_s=0.0)
    reply = engine.comment(limited)
    assert reply.stopped_by == "time"
    assert 0 < reply.tokens_out < 400


def test_closing_ends_requests_on_their_way(network: Network, tokenizer: TextTokenizer) -> None:
    engine = Engine(network, tokenizer, slots=1, room=512)
    started = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(
            engine.comment, ask("Go", tokens=480, stop=False), lambda _: started.set()
        )
        assert started.wait(20)
        waiting = pool.submit(engine.comment, ask("Wait"))
        engine.close()
        for request in (running, waiting):
            with pytest.raises(EngineStopped):
                request.result()
    with pytest.raises(EngineStopped, match="the engine has ended"):
        engine.comment(ask("Late"))


def test_closing_takes_no_answer_away_that_is_written(
    network: Network, tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.minicpm.engine.LISTEN_S", 60)  # it hears of the whole answer only
    engine = Engine(network, tokenizer, slots=1, room=512)
    hearing, closed = threading.Event(), threading.Event()

    def listen(_: str) -> None:
        hearing.set()
        assert closed.wait(20)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine.comment, ask("Go", tokens=12, stop=False), listen)
        assert hearing.wait(20)
        engine.close()
        closed.set()
        assert answer.result().tokens_out == 12


def test_one_event_may_cancel_many_and_is_never_set_here(engine: Engine) -> None:
    def fail(_: str) -> None:
        raise ConnectionError

    shared = threading.Event()
    with pytest.raises(ConnectionError):
        engine.comment(ask("Go", tokens=400, stop=False), fail, shared)
    assert not shared.is_set()


def test_an_overflow_ends_its_own_answer_only(fixtures: Path, tokenizer: TextTokenizer) -> None:
    path = fixtures / "bf16"
    network = load_network(path, read_config(path), torch.device("cpu"), torch.float32)
    (poison,) = tokenizer.encode("Z")
    network.llm.model.embed_tokens.weight[poison] = torch.inf
    with Engine(network, tokenizer, slots=2, room=512) as engine, ThreadPoolExecutor(1) as pool:
        other = pool.submit(engine.comment, ask("Other", tokens=20, stop=False))
        with pytest.raises(NumbersOverflowed, match="use bfloat16"):
            engine.comment(ask("Z", tokens=20, stop=False))
        assert other.result().tokens_out == 20


def test_the_loss_of_a_sentence_is_that_of_its_tokens(
    network: Network, tokenizer: TextTokenizer
) -> None:
    """Against one prefill per prefix."""
    ids = [tokenizer.token("<|endoftext|>"), *tokenizer.encode("in the pan")]
    loss = 0.0
    with torch.inference_mode():
        for count in range(1, len(ids)):
            prompt = EncodedPrompt(tuple(ids[:count]), ())
            cache = network.new_cache(1, count)
            scores = network.prefill([prompt], network.look([]), cache, [0])
            loss -= float(scores.log_softmax(-1)[0, ids[count]])
    wanted = pytest.approx(loss / (len(ids) - 1), abs=1e-4)
    assert sentence_loss(network, tokenizer, "in the pan") == wanted


class SmallDevice(Network):
    """The network on a device that holds the pictures of one window only."""

    most_views = 2

    def look(self, views: Sequence[View]) -> Tensor:
        if len(views) > self.most_views:
            raise torch.OutOfMemoryError("too many views")
        return super().look(views)


@pytest.fixture
def small_device(network: Network) -> Network:
    with torch.device("meta"):
        small = SmallDevice(network.config)
    modules: dict[str, nn.Module] = dict(network.named_children())
    for name, module in modules.items():
        setattr(small, name, module)
    return small


def test_a_batch_beyond_the_memory_is_halved(
    small_device: Network, tokenizer: TextTokenizer, picture: Paint
) -> None:
    with (
        Engine(small_device, tokenizer, slots=4, room=512) as engine,
        ThreadPoolExecutor(4) as pool,
    ):
        requests = [ask(picture(2 * n), picture(2 * n + 1), "What?", seed=n) for n in range(4)]
        replies = list(pool.map(engine.comment, requests))
        assert all(reply.tokens_out for reply in replies)
        with pytest.raises(OutOfDeviceMemory, match="too little memory for 3 views"):
            engine.comment(ask(picture(11), picture(12), picture(13), "What?"))
        assert engine.comment(ask(picture(1), "Next")).tokens_out


class Fragile(SmallDevice):
    """A small device whose second half of a batch breaks for good."""

    def look(self, views: Sequence[View]) -> Tensor:
        if len(views) == 1 and views[0].pixels.shape[0] > views[0].pixels.shape[1]:
            raise ArithmeticError("broken")
        return super().look(views)

    most_views = 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_half_of_a_batch_is_told_to_everyone(
    network: Network, tokenizer: TextTokenizer, picture: Paint
) -> None:
    with torch.device("meta"):
        fragile = Fragile(network.config)
    for name, module in network.named_children():
        setattr(fragile, name, module)
    engine = Engine(fragile, tokenizer, slots=4, room=512)
    with ThreadPoolExecutor(4) as pool:
        requests = [
            ask(picture(n, 40, 60 if n == 3 else 30), "What?", tokens=300) for n in range(4)
        ]
        answers = [pool.submit(engine.comment, request) for request in requests]
        errors = [answer.exception(timeout=60) for answer in answers]
    assert isinstance(errors[3], EngineStopped)
    engine.close()


@pytest.mark.parametrize(
    "shortage",
    [
        torch.OutOfMemoryError("too little left to choose"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        torch.AcceleratorError("CUDA error: out of memory", 2),
        RuntimeError("CUDA said <CUresult.CUDA_ERROR_OUT_OF_MEMORY: 2>"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ],
    ids=["allocator", "triton", "cuda", "driver", "cublas"],
)
def test_a_shortage_while_choosing_changes_no_answer(
    network: Network,
    tokenizer: TextTokenizer,
    monkeypatch: pytest.MonkeyPatch,
    shortage: RuntimeError,
) -> None:
    """The step has stored keys and rolled dice by then."""
    requests = [ask(f"What is {n}?", tokens=30, seed=n, stop=False) for n in range(2)]
    with Engine(network, tokenizer, slots=1, room=512) as engine:
        wanted = [engine.comment(request).text for request in requests]
    choose, calls = Batch._choose, []

    def short_once(self: Batch, rows: Sequence[Row], *rest: Tensor) -> Tensor:
        chosen = choose(self, rows, *rest)
        calls.append(len(rows))
        if len(rows) == 2 and calls.count(2) == 5:
            raise shortage
        return chosen

    monkeypatch.setattr(Batch, "_choose", short_once)
    with Engine(network, tokenizer, slots=2, room=512) as engine, ThreadPoolExecutor(2) as pool:
        assert [reply.text for reply in pool.map(engine.comment, requests)] == wanted
    assert calls.count(2) >= 5


@pytest.mark.parametrize("most", [1, 2, 4, 9])
@pytest.mark.parametrize("size", [(320, 180), (720, 576), (1920, 804), (1920, 1080), (1920, 800)])
def test_a_scaled_frame_is_shown_as_the_whole_one(
    engine: Engine, size: tuple[int, int], most: int
) -> None:
    def views(width: int, height: int) -> list[tuple[int, ...]]:
        style = PromptStyle(max_slices=most, source_size=size)
        picture = np.zeros((height, width, 3), dtype=np.uint8)
        prompt = engine.encoder.encode([Message("user", (picture, "?"))], style, 9000)
        return [view.pixels.shape for view in prompt.views]

    assert views(*engine.view_size(*size, most)) == views(*size)


def test_patience_begins_with_the_window_that_waits(
    network: Network, tokenizer: TextTokenizer
) -> None:
    with Engine(network, tokenizer, slots=1, room=512) as engine:
        for _ in range(9):
            assert engine._take_waiting() == []
        assert engine._waited == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("CUDA error: an illegal memory access was encountered", EngineStopped),
        ("CUDA error: out of memory", OutOfDeviceMemory),
    ],
)
def test_pictures_that_can_t_be_sent_are_told_as_what_they_are(
    network: Network,
    tokenizer: TextTokenizer,
    picture: Paint,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    told: type[Exception],
) -> None:
    """As on a GPU that is lost, or a host whose memory can't be locked."""

    def pinned(prompt: EncodedPrompt) -> EncodedPrompt:
        raise RuntimeError(fault)

    with Engine(network, tokenizer, slots=1, room=512) as engine:
        engine.comment(ask("What?"))  # by now its thread has looked where it runs
        monkeypatch.setattr(engine, "network", SimpleNamespace(device=torch.device("cuda:0")))
        monkeypatch.setattr(EncodedPrompt, "pinned", pinned)
        with pytest.raises(told):
            engine.comment(ask(picture(1), "What?"))


class Tight(SmallDevice):
    """A network whose device runs out of memory when it writes more than two answers at once."""

    most_rows = 2
    rows: Sequence[int] = ()  # of each step that came through

    def new_cache(self, slots: int, room: int) -> KVCache:
        cache = super().new_cache(slots, room)
        step, self.rows = self.llm.decode_step, []

        def decode_step(x: Tensor, *rest: Any) -> Tensor:
            if len(x) > self.most_rows:
                raise torch.OutOfMemoryError("too many rows")
            self.rows = [*self.rows, len(x)]
            return step(x, *rest)

        self.llm.decode_step = decode_step  # type: ignore[method-assign,assignment]
        return cache


@pytest.fixture
def tight(network: Network) -> Iterator[Tight]:
    with torch.device("meta"):
        tight = Tight(network.config)
    modules: dict[str, nn.Module] = dict(network.named_children())
    for name, module in modules.items():
        setattr(tight, name, module)
    yield tight
    del network.llm.__dict__["decode_step"]


def test_more_is_written_at_once_again_when_no_memory_was_short_for_a_while(
    tight: Tight, tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.minicpm.engine.CALM_STEPS", 60)  # more than an answer takes
    requests = [ask(f"What is {n}?", tokens=40, seed=n, stop=False) for n in range(4)]
    with Engine(tight, tokenizer, slots=4, room=512) as engine, ThreadPoolExecutor(4) as pool:
        list(pool.map(engine.comment, requests))
        tight.most_rows = 4
        list(pool.map(engine.comment, requests))
        assert max(tight.rows) == 4


def test_a_single_answer_beyond_the_memory_is_told_and_leaves_its_slot(
    tight: Tight, tokenizer: TextTokenizer
) -> None:
    tight.most_rows = 0
    with Engine(tight, tokenizer, slots=1, room=512) as engine:
        with pytest.raises(OutOfDeviceMemory, match="out of memory while it answered"):
            engine.comment(ask("Go"))
        tight.most_rows = 1
        assert engine.comment(ask("Next", tokens=12, stop=False)).tokens_out == 12


def test_answers_beyond_the_memory_are_written_later(
    tight: Tight, tokenizer: TextTokenizer
) -> None:
    """To the same words; none is lost."""
    requests = [ask(f"What is {n}?", tokens=40, seed=n, stop=False) for n in range(5)]
    with Engine(tight, tokenizer, slots=5, room=512) as engine, ThreadPoolExecutor(5) as pool:
        replies = list(pool.map(engine.comment, requests))
    tight.most_rows = 5
    with Engine(tight, tokenizer, slots=1, room=512) as engine:
        assert [reply.text for reply in replies] == [engine.comment(r).text for r in requests]


class Faulty(SmallDevice):
    """A network that breaks at its first picture."""

    def look(self, views: Sequence[View]) -> Tensor:
        raise ArithmeticError("broken")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_is_told_to_everyone(network: Network, tokenizer: TextTokenizer) -> None:
    with torch.device("meta"):
        faulty = Faulty(network.config)
    for name, module in network.named_children():
        setattr(faulty, name, module)
    engine = Engine(faulty, tokenizer, slots=1, room=64)
    with pytest.raises(EngineStopped) as first:
        engine.comment(ask("Go"))
    assert isinstance(first.value.__cause__, ArithmeticError)
    with pytest.raises(EngineStopped):
        engine.comment(ask("Again"))
    engine.close()


def test_thoughts_and_special_tokens_are_not_shown(tokenizer: TextTokenizer) -> None:
    stream = TextStream(tokenizer)
    ids = [
        tokenizer.token("<think>"), *tokenizer.encode("\nhm\n"), tokenizer.token("</think>"),
        *tokenizer.encode("\n\nA dog!"), tokenizer.token("<|im_end|>"),
    ]  # fmt: skip
    assert [stream.push([number]) for number in ids][-1] == "A dog!"
    assert stream.text() == "A dog!"


def test_half_a_character_waits_for_the_rest(tokenizer: TextTokenizer) -> None:
    stream = TextStream(tokenizer)
    texts = [stream.push([number]) for number in tokenizer.encode("a 👍 b")]
    assert texts[-1] == "a 👍 b"
    assert not any("�" in text for text in texts)
