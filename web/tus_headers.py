"""The headers of the tus protocol 1.0.0: read strictly, told plainly. Source: https://tus.io/protocols/resumable-upload"""

import hashlib
import hmac
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from werkzeug.datastructures import Headers

from models.errors import InvalidRequest
from web.errors import ChecksumMismatch, WrongVersion

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS = ("sha1", "sha256", "md5")
BODY_TYPE = "application/offset+octet-stream"

_LARGEST = 2**62  # a number of bytes that the store can hold


def check_version(headers: Headers) -> None:
    """Raise WrongVersion for a request of another version of the protocol, or of none."""
    given = headers.get("Tus-Resumable", "")
    if given != VERSION:
        raise WrongVersion(
            f"Send the header `Tus-Resumable: {VERSION}`; {given[:20] or 'none'!r} is not spoken here."
        )


def read_bytes(headers: Headers, name: str) -> int:
    """Read a number of bytes. Raises InvalidRequest."""
    text = headers.get(name, "")
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > _LARGEST:
        raise InvalidRequest(f"The header `{name}` must be a number of bytes, not {text[:40]!r}.")
    return int(text)


def read_metadata(text: str) -> dict[str, str]:
    """Read Upload-Metadata: pairs of a name and a text in Base64. Raises InvalidRequest."""
    fields: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = pair.partition(" ")
        if name in fields:
            raise InvalidRequest(f"Upload-Metadata holds {name[:40]!r} twice.")
        try:
            fields[name] = b64decode(value, validate=True).decode(errors="replace")
        except ValueError:
            raise InvalidRequest(f"Upload-Metadata holds no Base64 at {name[:40]!r}.") from None
    return fields


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a request's body must hash to."""

    algorithm: str
    digest: bytes

    def check(self, body: "hashlib._Hash") -> None:
        """Raise ChecksumMismatch."""
        if not hmac.compare_digest(body.digest(), self.digest):
            raise ChecksumMismatch("This piece was damaged on its way: send it again.")


def read_checksum(text: str) -> Checksum:
    """Read Upload-Checksum. Raises InvalidRequest."""
    algorithm, _, value = text.partition(" ")
    if algorithm not in ALGORITHMS:
        raise InvalidRequest(
            f"Upload-Checksum can't be of {algorithm[:20]!r}; choose one of {', '.join(ALGORITHMS)}."
        )
    try:
        return Checksum(algorithm, b64decode(value, validate=True))
    except ValueError:
        raise InvalidRequest(
            "Upload-Checksum must be the algorithm and the digest in Base64."
        ) from None


def http_date(ms: int) -> str:
    """Write a time of day as HTTP does."""
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC), usegmt=True)
