"""JSON as requests bring it and answers tell it."""

from typing import Any

from flask.json.provider import DefaultJSONProvider


class Json(DefaultJSONProvider):
    """Keeps the order of keys; what is nested too deeply to be read is no JSON."""

    sort_keys = False

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Raises ValueError."""
        try:
            return super().loads(s, **options)
        except RecursionError:
            raise ValueError("It is nested too deeply.") from None
