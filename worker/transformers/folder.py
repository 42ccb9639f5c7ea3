"""What a folder lacks to be a network that comments: told from its files alone, without PyTorch."""

import json
from pathlib import Path
from typing import Any

_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")


def trouble(folder: Path) -> str:
    """Return a clause that says why the folder's network can't comment; empty if nothing is missing."""
    if not folder.is_dir():
        return "there is no such folder"
    try:
        config = _object(folder / "config.json")
        tokenizer = _object(folder / "tokenizer_config.json")
    except ValueError as error:
        return str(error)
    if "auto_map" in config and "model_type" not in config:
        return "it needs code of its own, and no code from a folder is run"
    if "model_type" not in config:
        return "its config.json names no model_type"
    if not any(folder.glob("*.safetensors")):
        return "it holds no *.safetensors (weights in other forms are not read)"
    if not any((folder / name).is_file() for name in _PROCESSORS):
        return f"it holds neither {' nor '.join(_PROCESSORS)}, so its network takes no pictures"
    if "chat_template" not in tokenizer and not _has_template(folder):
        return (
            "it holds no chat template (chat_template.jinja): it was not taught to be asked, "
            "take the variant that is called Instruct, it or chat"
        )
    return ""


def architecture(folder: Path) -> str:
    """Return what config.json says the network is, for people; empty if it says nothing."""
    try:
        config = _object(folder / "config.json")
    except ValueError:
        return ""
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else config.get("model_type", "")
    return str(first)[:100]


def _has_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in _TEMPLATES):
        return True
    processor = folder / "processor_config.json"
    return processor.is_file() and "chat_template" in _object(processor)


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"its {path.name} can't be read ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise ValueError(f"its {path.name} is no JSON object")
    return found
