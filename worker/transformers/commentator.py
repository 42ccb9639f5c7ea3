"""A job's words and pictures → a request to the engine; the reply → words, times and tokens."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
from PIL import Image

from models.errors import CommentatorFailed, OutOfMemory, PromptRefused
from models.prompting import Prompting
from settings import BadSetting, Settings
from worker.asking import Answer, AskingCommentator
from worker.commentator import (
    Accelerator,
    CommentatorLost,
    Draft,
    Matter,
    Prompt,
    Timings,
    Unwanted,
    Window,
)
from worker.network_identity import network_of
from worker.transformers.engine import Engine
from worker.transformers.errors import (
    Cancelled,
    CannotLoad,
    EngineStopped,
    NetworkError,
    OutOfDeviceMemory,
    PromptRefusedHere,
)
from worker.transformers.network import load
from worker.transformers.prompts import Asking
from worker.transformers.rows import Reply, Sampling
from worker.wording import question, shortened, system_text, telling_question, telling_system

_STREAMS_ON_GPU, _STREAMS_ON_CPU = 8, 2
_LONGEST_QUOTE = 1000  # characters of the previous comment: its end is what the new one follows
_PATIENCE_S = 40.0  # where a job sets no limit


def open_transformers(settings: Settings) -> AskingCommentator:
    """Load the network; raise BadSetting if the folder holds none that serves, or OutOfMemory."""
    folder = settings.transformers_folder
    try:
        network = load(folder, settings.transformers_dtype, settings.transformers_device)
        on_gpu = network.device.type != "cpu"
        streams = settings.worker_threads or (_STREAMS_ON_GPU if on_gpu else _STREAMS_ON_CPU)
        engine = Engine(network, streams)
    except CannotLoad as error:
        raise BadSetting(
            f"The network that TRANSFORMERS_MODEL names ({folder}) can't be used: {error}. Name another, or "
            "get it again with `reelnotes pull`; docs/transformers.md says which fit."
        ) from error
    except OutOfDeviceMemory as error:
        raise OutOfMemory(
            f"The network can't be loaded: {error}. Free memory, set TRANSFORMERS_DTYPE=bfloat16, or choose "
            "a smaller one."
        ) from error
    identity = network_of(network.description, _checkpoint(settings), folder)
    return AskingCommentator(
        TransformersAnswerer(engine, identity, settings.transformers_longest_side)
    )


class TransformersAnswerer:
    """Shared by all threads, as the engine is."""

    name = "transformers"

    def __init__(self, engine: Engine, network: dict[str, str], longest_side: int) -> None:
        self._engine, self._longest_side = engine, longest_side
        self.streams = engine.streams
        self.network: dict[str, str] | None = network

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        """Return the size at which the network's processor gets pictures: no larger than they are."""
        shrink = min(Fraction(1), Fraction(self._longest_side, max(width, height)))
        return max(1, round(width * shrink)), max(1, round(height * shrink))

    def answer(self, window: Window, prompt: Prompt, previous: str | None, draft: Draft) -> Answer:
        """Ask once; see worker.commentator.Commentator for what is raised."""
        if prompt.prompting is None:
            raise CommentatorFailed("This job has no prompt: submit the video anew.")
        return self._ask(
            system_text(prompt.prompting),
            question(previous and previous[-_LONGEST_QUOTE:]),
            [Image.fromarray(frame.picture) for frame in window.frames],
            _sampling(window.index, prompt, prompt.prompting),
            prompt,
            draft,
        )

    def write(self, matter: Matter, prompt: Prompt, draft: Draft) -> Answer:
        """Ask once, in words alone; of texts that take too many tokens, as much as has room."""
        if prompt.prompting is None:
            raise CommentatorFailed("This job has no prompt: submit the video anew.")
        sampling = _sampling(matter.number, prompt, prompt.prompting)
        system = telling_system(matter.sentences)
        for texts in shortened(matter.texts):
            try:
                return self._ask(system, telling_question(texts), (), sampling, prompt, draft)
            except PromptRefused as error:
                refused = error
        raise refused

    def _ask(
        self,
        system: str,
        user: str,
        pictures: Sequence[Image.Image],
        sampling: Sampling,
        prompt: Prompt,
        draft: Draft,
    ) -> Answer:
        limit_s = prompt.time_limit_s or _PATIENCE_S
        try:
            asking = self._engine.prompts.ask(system, user, pictures, prompt.max_new_tokens)
            text, reply = self._engine.ask(asking, sampling, limit_s, draft.show, draft.unwanted)
        except Cancelled as error:
            raise Unwanted from error
        except NetworkError as error:
            raise _told(error) from error
        return _answer(asking, text, reply)

    def accelerator(self) -> Accelerator | None:
        device = self._engine.network.device
        if device.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info(device)
        facts = torch.cuda.get_device_properties(device)
        return Accelerator(f"GPU-{facts.uuid}", facts.name, total - free, total)

    def close(self) -> None:
        self._engine.close()


def _sampling(number: int, prompt: Prompt, asked: Prompting) -> Sampling:
    return Sampling(
        max_new_tokens=prompt.max_new_tokens,
        temperature=asked.temperature,
        top_k=asked.top_k,
        top_p=asked.top_p,
        repetition_penalty=asked.repetition_penalty,
        seed=asked.seed + number,
    )


def _answer(asking: Asking, text: str, reply: Reply) -> Answer:
    return Answer(
        text=text,
        stopped_by=reply.stopped_by,
        # The library looks at pictures and reads words in one go, so both count as reading.
        timings=Timings(reply.waiting_ms, 0.0, reply.reading_ms, reply.writing_ms),
        tokens_in=reply.tokens_in,
        tokens_out=len(reply.tokens),
        notes=asking.notes,
    )


def _told(error: NetworkError) -> Exception:
    """Say to people what went wrong and what to do."""
    if isinstance(error, EngineStopped):
        return CommentatorLost(f"The network ended ({error}).")
    if isinstance(error, OutOfDeviceMemory):
        return OutOfMemory(
            f"The network ran out of memory at one window: {error}. Set FRAMES_PER_INFERENCE lower for the "
            "job, or TRANSFORMERS_LONGEST_SIDE for the worker."
        )
    if isinstance(error, PromptRefusedHere):
        return PromptRefused(
            f"The network can't be asked this: {error}. Shorten or change the system prompt or the "
            "instruction, or lower FRAMES_PER_INFERENCE, MAX_NEW_TOKENS or TRANSFORMERS_LONGEST_SIDE."
        )
    return CommentatorFailed(f"The network failed at this window: {error}. See the worker's log.")


def _checkpoint(settings: Settings) -> str:
    """Name the checkpoint without telling people where a server keeps its files."""
    named = Path(settings.transformers_model).expanduser()
    return named.resolve().name if named.is_dir() else settings.transformers_model
