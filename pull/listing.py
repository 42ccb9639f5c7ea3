"""What a repository holds, as the hub lists it, and which of it the runtime needs.

The listing comes from the network: names, sizes and hashes are checked here.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pull.errors import PullFailed

REVISION = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_ID = re.compile(r"[0-9a-f]{40}")

# Weights, configuration, tokenizer, chat template and licence, all in the top folder. Never code: none from there is run.
NEEDED = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|json|txt|jinja)|LICENSE[A-Za-z0-9._-]*"
)
OURS = "pulled.json"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository and the hash by which it is known."""

    name: str
    size: int  # bytes
    digest: str  # sha256 of a large file; git's blob id of a small one

    def new_hash(self) -> "hashlib._Hash":
        if SHA256.fullmatch(self.digest):
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """The needed files of one revision of a repository."""

    repository: str
    revision: str  # the commit: what it names never changes
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def parse_listing(raw: Any, repository: str) -> Listing:
    """Read the hub's answer; raise PullFailed if it is no listing or holds no weights."""
    try:
        revision = _matching(REVISION, raw["sha"])
        files = tuple(
            _parse_file(entry) for entry in raw["siblings"] if _is_needed(entry["rfilename"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PullFailed(
            f"The hub's list of {repository} can't be read ({error!r}). Check HUB_URL."
        ) from error
    names = {file.name for file in files}
    if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
        raise PullFailed(
            f"{repository} holds no config.json with safetensors beside it, so nothing that can "
            "be run here. Check the name."
        )
    return Listing(repository, revision, files)


def _is_needed(name: str) -> bool:
    return NEEDED.fullmatch(name) is not None and name != OURS


def _parse_file(entry: Mapping[str, Any]) -> HubFile:
    lfs = entry.get("lfs")
    digest = _matching(SHA256, lfs["sha256"]) if lfs else _matching(GIT_ID, entry["blobId"])
    size = lfs["size"] if lfs else entry["size"]
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"size {size!r}")
    return HubFile(entry["rfilename"], size, digest)


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"not a hash: {text[:80]!r}")
    return text
