"""Numbers that a person may choose, and the sentence that refuses the others."""

from dataclasses import dataclass
from typing import Any

from models.errors import InvalidRequest
from settings import read_number


@dataclass(frozen=True, slots=True)
class Range:
    """The values a number may take, both ends included."""

    low: float
    high: float
    what: str  # how a person calls it

    def read(self, text: str, default: Any) -> Any:
        """Read a number of the default's type, or take the default; raise InvalidRequest."""
        try:
            value = read_number(text, type(default)) if text else default
        except (ValueError, ZeroDivisionError):
            value = None
        if value is None or not self.low <= value <= self.high:
            raise InvalidRequest(
                f"{self.what} must be {'a whole number' if isinstance(default, int) else 'a number'} "
                f"from {self.low:.15g} to {self.high:.15g}, not {text[:40] or str(value)!r}."
            )
        return value
