"""The commentator `minicpm`: the native runtime of MiniCPM-o 4.5 behind the words of a job."""

from collections.abc import Sequence
from pathlib import Path

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
from worker.minicpm import (
    Cancelled,
    CheckpointError,
    Engine,
    EngineStopped,
    Message,
    MiniCPMError,
    OutOfDeviceMemory,
    PromptStyle,
    PromptTooLong,
    Reply,
    Request,
    Sampling,
    load,
    warm_up,
)
from worker.minicpm.awq import AwqLinear
from worker.network_identity import network_of
from worker.video.gpu import reserved_bytes
from worker.wording import question, shortened, system_text, telling_question, telling_system

_LONGEST_QUOTE = 256  # tokens of the previous comment: its end is what the new one follows


def open_minicpm(settings: Settings) -> AskingCommentator:
    """Load the weights; raise BadSetting if they are no whole MiniCPM-o 4.5, or OutOfMemory."""
    folder = settings.model_folder
    try:
        engine = load(
            folder,
            slots=settings.worker_threads or None,
            room=settings.window_tokens,
            reserved=reserved_bytes(settings),
        )
    except CheckpointError as error:
        raise BadSetting(
            f"The weights that MODEL_PATH names can't be used: {error}. Get them again with "
            f"`reelnotes pull {settings.model_path}`, or name another folder."
        ) from error
    except OutOfDeviceMemory as error:
        decoders = f"GPU_DECODERS (which keeps {reserved_bytes(settings) / 1e9:.1f} GB free), "
        raise OutOfMemory(
            f"The network can't be loaded: {error}. Free memory on the GPU, choose the smaller AWQ "
            f"weights, or set {decoders if settings.gpu_decoders else ''}WORKER_THREADS or "
            "WINDOW_TOKENS lower."
        ) from error
    warm_up(engine)
    network = network_of(_name(engine), _checkpoint(settings), folder)
    return AskingCommentator(MiniCPMAnswerer(engine, network))


class MiniCPMAnswerer:
    """Shared by all threads, as the engine is."""

    name = "minicpm"

    def __init__(self, engine: Engine, network: dict[str, str]) -> None:
        self._engine, self.streams = engine, engine.slots
        self.network: dict[str, str] | None = network

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        """Return what the engine resizes pictures to, so that the decoder does it."""
        return self._engine.view_size(width, height, _asked(prompt).max_slice_nums)

    def answer(self, window: Window, prompt: Prompt, previous: str | None, draft: Draft) -> Answer:
        """Ask once; see worker.commentator.Commentator for what is raised."""
        asked = _asked(prompt)
        request = Request(
            messages=_messages(window, asked, self._quote(previous)),
            sampling=_sampling(window.index, prompt, asked),
            style=PromptStyle(max_slices=asked.max_slice_nums, source_size=window.source_size),
            time_limit_s=prompt.time_limit_s,
        )
        return _answer(self._ask(request, draft))

    def write(self, matter: Matter, prompt: Prompt, draft: Draft) -> Answer:
        """Ask once, in words alone; of texts that take too many tokens, as much as has room."""
        asked = _asked(prompt)
        for texts in shortened(matter.texts):
            request = Request(
                messages=_telling(matter, texts),
                sampling=_sampling(matter.number, prompt, asked),
                time_limit_s=prompt.time_limit_s,
            )
            try:
                return _answer(self._ask(request, draft))
            except PromptRefused as error:
                refused = error
        raise refused

    def accelerator(self) -> Accelerator | None:
        memory = self._engine.device_memory()
        return None if memory is None else Accelerator(*memory)

    def close(self) -> None:
        self._engine.close()

    def _quote(self, previous: str | None) -> str | None:
        """Return what of the previous comment leaves room for pictures and an answer."""
        ids = self._engine.tokenizer.encode(previous or "")
        if len(ids) <= _LONGEST_QUOTE:
            return previous
        cut = self._engine.tokenizer.decode(ids[-_LONGEST_QUOTE:])
        return cut.lstrip("\ufffd")  # half a character

    def _ask(self, request: Request, draft: Draft) -> Reply:
        try:
            return self._engine.comment(request, draft.show, draft.unwanted)
        except Cancelled as error:
            raise Unwanted from error
        except EngineStopped as error:
            why = error.__cause__ or error
            raise CommentatorLost(f"The network's runtime ended ({why}).") from error
        except OutOfDeviceMemory as error:
            raise OutOfMemory(
                f"The network ran out of memory: {error}. Set FRAMES_PER_INFERENCE or MAX_SLICE_NUMS "
                "lower for the job, or WORKER_THREADS for the worker."
            ) from error
        except PromptTooLong as error:
            raise PromptRefused(
                f"The prompt is too long: {error}. Shorten the system prompt or the instruction, or set "
                "MAX_SLICE_NUMS or MAX_NEW_TOKENS lower; WINDOW_TOKENS is what the worker has room for."
            ) from error
        except MiniCPMError as error:
            raise CommentatorFailed(f"The network failed: {error}.") from error


def _messages(window: Window, asked: Prompting, previous: str | None) -> list[Message]:
    pictures = [frame.picture for frame in window.frames]
    return [
        Message("system", (system_text(asked),)),
        Message("user", (*pictures, question(previous, window.heard))),
    ]


def _telling(matter: Matter, texts: Sequence[str]) -> list[Message]:
    return [
        Message("system", (telling_system(matter.sentences),)),
        Message("user", (telling_question(texts),)),
    ]


def _sampling(number: int, prompt: Prompt, asked: Prompting) -> Sampling:
    return Sampling(
        max_new_tokens=prompt.max_new_tokens,
        temperature=asked.temperature,
        top_k=asked.top_k,
        top_p=asked.top_p,
        repetition_penalty=asked.repetition_penalty,
        seed=asked.seed + number,
    )


def _answer(reply: Reply) -> Answer:
    timings = Timings(reply.waiting_ms, reply.vision_ms, reply.prefill_ms, reply.generate_ms)
    notes = tuple(f"{note[:1].upper()}{note[1:]}." for note in reply.notes)
    return Answer(reply.text, reply.stopped_by, timings, reply.tokens_in, reply.tokens_out, notes)


def _asked(prompt: Prompt) -> Prompting:
    if prompt.prompting is None:
        raise CommentatorFailed("This job has no prompt: submit the video anew.")
    return prompt.prompting


def _name(engine: Engine) -> str:
    quantised = any(isinstance(module, AwqLinear) for module in engine.network.modules())
    return f"MiniCPM-o 4.5, {'AWQ INT4' if quantised else 'not quantised'}"


def _checkpoint(settings: Settings) -> str:
    """Name the checkpoint without telling people where a server keeps its files."""
    named = Path(settings.model_path).expanduser()
    return named.resolve().name if named.is_dir() else settings.model_path
