"""What can be spoken here, as a child process tells that looks for a synthesiser."""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from time import monotonic

from web.renders.child import ENVIRONMENT, ROOT

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
        told = subprocess.run(
            [sys.executable, "-m", PROGRAM],
            capture_output=True,
            check=True,
            cwd=ROOT,
            env=ENVIRONMENT,
            timeout=_SECONDS,
        )
        offer = json.loads(told.stdout)
    except (subprocess.SubprocessError, ValueError):
        return {}, "The speech synthesiser on this server doesn't work."
    return dict(offer.get("voices", [])), offer.get("missing")
