"""Opens the commentator of a worker by the name that jobs and the setting COMMENTATOR use."""

from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from models.commentators import check_known, is_added, load_added
from settings import BadSetting, Settings
from worker.transformers.folder import trouble

if TYPE_CHECKING:
    from worker.commentator import Commentator

_NEEDED = {
    "minicpm": ("torch", "safetensors", "tokenizers"),
    "transformers": ("torch", "safetensors", "tokenizers", "transformers"),
}


def check_commentators(settings: Settings) -> None:
    """Raise BadSetting, with what to do, for a commentator that is unknown or lacks what it needs."""
    check_known(settings)
    checks = {
        "minicpm": _check_minicpm,
        "transformers": _check_transformers,
        "openai": check_openai,
    }
    for name in settings.commentators:
        if name in _NEEDED:
            _check_packages(name)
        if name in checks:
            checks[name](settings)


def open_commentator(settings: Settings, name: str) -> "Commentator":
    """Load its networks, once per process; raise BadSetting where that can't be."""
    if name not in settings.commentators:
        raise BadSetting(
            f"This worker is asked to comment as {name}, but COMMENTATOR is {settings.commentator}."
        )
    check_commentators(settings)
    if name == "minicpm":
        from worker.minicpm_commentator import open_minicpm  # needs PyTorch

        return open_minicpm(settings)
    if name == "transformers":
        from worker.transformers.commentator import open_transformers  # needs PyTorch

        return open_transformers(settings)
    if name == "openai":
        from worker.openai import open_openai

        return open_openai(settings)
    if is_added(name):
        commentator: Commentator = load_added(name)(settings)
        return commentator
    from worker.builtin import open_builtin  # slow to import, and of no use to beat

    return open_builtin(settings.worker_threads)


def _check_packages(name: str) -> None:
    missing = [package for package in _NEEDED[name] if find_spec(package) is None]
    if missing:
        raise BadSetting(
            f"COMMENTATOR names {name}, which needs the package {missing[0]}, and it is not installed. "
            "`make run` with this setting installs it, as does: .venv/bin/pip install --editable '.[torch]'"
        )


def _check_minicpm(settings: Settings) -> None:
    if not (settings.model_folder / "config.json").is_file():
        raise BadSetting(
            f"COMMENTATOR names minicpm, but there are no weights in {settings.model_folder} (setting "
            f"MODEL_PATH). Get them with `reelnotes pull {settings.model_path}`, or name a folder that has them."
        )


def _check_transformers(settings: Settings) -> None:
    if not settings.transformers_model:
        raise BadSetting(
            "COMMENTATOR names transformers, and TRANSFORMERS_MODEL doesn't say which network is to comment: "
            "set it to a folder, or to a hub name that `reelnotes pull` has fetched."
        )
    if reason := trouble(settings.transformers_folder):
        raise BadSetting(
            f"COMMENTATOR names transformers, but {settings.transformers_folder} (setting TRANSFORMERS_MODEL) "
            f"can't comment: {reason}. Get a network with `reelnotes pull {settings.transformers_model}`, or "
            "name a folder that has one."
        )


def check_openai(settings: Settings) -> None:
    """Raise BadSetting where an endpoint can't even be asked."""
    address = urlsplit(settings.openai_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise BadSetting(
            "COMMENTATOR names openai, which asks the endpoint in OPENAI_URL: set it to an address such as "
            f"http://127.0.0.1:8000/v1, not {settings.openai_url[:80]!r}."
        )
    if not settings.openai_model:
        raise BadSetting(
            "COMMENTATOR names openai, and OPENAI_MODEL doesn't say which network of "
            f"{address.hostname} is to comment: set its name."
        )
