"""What the tests of a run measured, for its end and for a file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Figures:
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def tell(self, name: str, **figures: Any) -> None:
        self.told[name] = figures

    def lines(self) -> list[str]:
        return [f"{name}: {json.dumps(figures)}" for name, figures in self.told.items()]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.told, indent=1) + "\n")
