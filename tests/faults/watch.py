"""Watches for the moment at which the chunks of a dead owner are free again."""

import threading
import time
from dataclasses import dataclass, field
from typing import Self

from models.errors import StoreBusy
from tests.faults.installation import Held, Installation


@dataclass
class Watch:
    installation: Installation
    freed: dict[str, float] = field(default_factory=dict)  # owner → seconds since 1970
    _awaited: set[str] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def wait_for(self, held: list[Held]) -> None:
        self._awaited |= {chunk.owner for chunk in held}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join(60)

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            awaited = self._awaited - {*self.freed}
            try:
                free = awaited and awaited - self.installation.owners()
            except StoreBusy:
                continue
            self.freed |= dict.fromkeys(free, time.time())
