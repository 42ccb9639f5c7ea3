"""The checkpoint's own tokenizer files: a byte-level BPE and the tokens added to it.

Text is encoded without the added tokens, so whatever a person writes stays text: only `token`
hands out the id of a special token.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from worker.minicpm.errors import CheckpointError

WORDS = (  # how Qwen2 splits text before merging
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
STOPS = ("<|im_end|>", "<|endoftext|>", "<|tts_eos|>")
NEEDED = ("<unk>", "<image>", "</image>", "<slice>", "</slice>", "<image_id>", "</image_id>",
          "<|im_start|>", "<think>", "</think>", "<|tts_bos|>", *STOPS)  # fmt: skip


class TextTokenizer:
    """Text ↔ ids. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the files are missing or of another form."""
        try:
            vocabulary, merges = _read_bpe(folder)
            self._added = _read_added(folder)
            self._bpe = _build_bpe(vocabulary, merges, self._added)
        except CheckpointError:
            raise
        except Exception as error:  # the library raises no class of its own
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise CheckpointError(f"the tokenizer in {folder} can't be used: {reason}") from error
        self._names = {number: text for text, number in self._added.items()}
        self.size = len(vocabulary.keys() | self._added.keys())
        missing = [text for text in NEEDED if text not in self._added]
        if missing:
            raise CheckpointError(f"the tokenizer in {folder} lacks {', '.join(missing)}")
        self.stop_ids = frozenset(self._added[text] for text in STOPS)

    def token(self, text: str) -> int:
        """The id of an added token; KeyError if there is none of this name."""
        return self._added[text]

    def encode(self, text: str) -> list[int]:
        """Ids of text; never those of added tokens."""
        ids: list[int] = self._bpe.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Iterable[int], keep_added: bool = False) -> str:
        """Text of ids; bytes that are no UTF-8 become U+FFFD. Added tokens are left out or named."""
        parts: list[str] = []
        run: list[int] = []
        for number in ids:
            name = self._names.get(number)
            if name is None:
                run.append(number)
            elif keep_added:
                parts += [self._bpe.decode(run), name]
                run = []
        return "".join([*parts, self._bpe.decode(run)])

    @property
    def added_tokens(self) -> frozenset[str]:
        return frozenset(self._added)

    def is_added(self, number: int) -> bool:
        return number in self._names


def _build_bpe(
    vocabulary: dict[str, int], merges: Sequence[tuple[str, str]], added: dict[str, int]
) -> Tokenizer:
    """Build the BPE; a word of the vocabulary that was made special can no longer be spelt."""
    pairs = [pair for pair in merges if not {*pair, "".join(pair)} & added.keys()]
    bpe = Tokenizer(BPE(vocab=vocabulary, merges=pairs))
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    return bpe


def _read_bpe(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Read vocab.json and merges.txt, or what tokenizer.json says of both."""
    if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        lines = _read(folder / "merges.txt").splitlines()
        pairs = [line for line in lines if line and not line.startswith("#version")]
        return _read_json(folder / "vocab.json"), [_pair(line) for line in pairs]
    model = _read_json(folder / "tokenizer.json")["model"]
    return model["vocab"], [_pair(merge) for merge in model["merges"]]


def _pair(merge: str | list[str]) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def _read_added(folder: Path) -> dict[str, int]:
    """Read the added tokens of tokenizer_config.json: text → id."""
    listed = _read_json(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
    return {entry["content"]: int(number) for number, entry in listed.items()}


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error
