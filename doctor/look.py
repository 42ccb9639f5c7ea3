"""Gathers the facts. Any part may be broken: that is a fact too, and stops nothing."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from doctor.commentators import look_at_endpoint, look_at_network
from doctor.facts import Facts
from doctor.parts import (
    look_at_broker,
    look_at_bucket,
    look_at_clock,
    look_at_gpu_decoding,
    look_at_gpus,
    look_at_place,
    look_at_python,
    look_at_running,
    look_at_store,
    look_at_torch,
)
from doctor.weights import find_weights
from settings import BadSetting, Settings, read_settings

ROOT = Path(__file__).parents[1]

T = TypeVar("T")


def look() -> tuple[Settings, Facts]:
    """Look at everything; raise nothing. Returns the settings that were looked by."""
    broken: dict[str, str] = {}

    def attempt(part: str, look_at: Callable[[], T]) -> T | None:
        try:
            return look_at()
        except Exception as error:  # noqa: BLE001 - what is broken is what we are here to tell
            broken[part] = f"{type(error).__name__}: {_without_secrets(str(error))}"
            return None

    settings, bad_setting = _settings()
    commentators = tuple(name.strip() for name in settings.commentator.split(",") if name.strip())
    known = attempt("commentators", _known_commentators) or commentators
    facts = Facts(
        command=_command(),
        in_image=not (ROOT / "Makefile").exists(),  # .dockerignore leaves it out
        commentators=commentators,
        unknown_commentators=tuple(name for name in commentators if name not in known),
        known_commentators=known,
        model_path=settings.model_path,
        window_tokens=settings.window_tokens,
        decoder_bytes=attempt("GPU decoding", lambda: _decoder_bytes(settings)) or 0,
        bad_setting=bad_setting,
        broken=broken,
        python=attempt("python", look_at_python),
        data=attempt("data", lambda: look_at_place(settings.data_dir)),
        store=attempt("store", lambda: look_at_store(settings)),
        broker=attempt("broker", lambda: look_at_broker(settings)),
        running=None
        if "broker" in broken
        else attempt("running", lambda: look_at_running(settings)),
        media=attempt("media", lambda: look_at_place(settings.data_dir / "media")),
        bucket=attempt("object storage", lambda: look_at_bucket(settings)),
        clock=attempt("clock", look_at_clock),
        gpus=attempt("GPU", look_at_gpus),
        gpu_decoding=attempt("GPU decoding", lambda: look_at_gpu_decoding(settings)),
        torch=attempt("torch", look_at_torch),
        weights=attempt(
            "weights", lambda: find_weights(settings.model_folder, settings.data_dir / "models")
        ),
        network=attempt("network", lambda: look_at_network(settings))
        if "transformers" in commentators
        else None,
        endpoint=attempt("endpoint", lambda: look_at_endpoint(settings))
        if "openai" in commentators
        else None,
    )
    return settings, facts


def _settings() -> tuple[Settings, str]:
    try:
        return read_settings(), ""
    except BadSetting as error:
        return Settings(), str(error)


def _decoder_bytes(settings: Settings) -> int:
    if not settings.gpu_decoders:
        return 0
    from worker.video.gpu import reserved_bytes

    return reserved_bytes(settings)


def _command() -> str:
    program = Path(sys.executable).with_name("reelnotes")
    if not program.exists():
        return f"{sys.executable} -m cli"
    try:
        return str(program.relative_to(Path.cwd()))
    except ValueError:
        return "reelnotes" if shutil.which("reelnotes") == str(program) else str(program)


def _known_commentators() -> tuple[str, ...]:
    from models.commentators import COMMENTATORS

    return tuple(COMMENTATORS)


def _without_secrets(text: str) -> str:
    """Take passwords out of the URLs that libraries quote, and keep the first line."""
    return re.sub(r"://[^@\s]*@", "://…@", text.strip().partition("\n")[0])[:300]
