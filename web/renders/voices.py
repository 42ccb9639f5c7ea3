"""What can be spoken here, as a child process tells that looks for a synthesiser."""

import threading
from dataclasses import dataclass, field
from time import monotonic

from web.child import Died, ask

PROGRAM = "worker.render.voices"
DEFAULT_VOICE = "en-us"
_SECONDS = 30
_BELIEVED_SECONDS = 300  # then it is looked for again


@dataclass(slots=True)
class Voices:
    """`offer` asks a child at most every few minutes."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: float = float("-inf")
    _voices: dict[str, str] = field(default_factory=dict)
    _missing: str | None = None

    def offer(self) -> tuple[dict[str, str], str | None]:
        """Return the voices' names by language, and why there is none."""
        with self._lock:
            if monotonic() - self._asked > _BELIEVED_SECONDS:
                self._voices, self._missing = _ask()
                self._asked = monotonic()
            return self._voices, self._missing


def _ask() -> tuple[dict[str, str], str | None]:
    try:
        offer = ask(PROGRAM, {}, {}, _SECONDS)
    except (TimeoutError, Died):
        offer = {}
    if not offer:
        return {}, "The speech synthesiser on this server doesn't work."
    return dict(offer.get("voices", [])), offer.get("missing")
