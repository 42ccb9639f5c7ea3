"""The ids of what people and programs name: jobs, videos, uploads."""

import re
import secrets
from base64 import b32encode


def new_id() -> str:
    """Return 16 letters and digits that can't be guessed: 80 random bits."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def is_id(text: str) -> bool:
    """Tell whether new_id() could have made it."""
    return re.fullmatch("[a-z2-7]{16}", text) is not None
