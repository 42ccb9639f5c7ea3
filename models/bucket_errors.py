"""What object storage answers, told to a person: what is wrong, and what whoever runs the server does."""

from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from models.errors import MediaAway

_MISSING = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
_CREDENTIALS = "see S3_ACCESS_KEY and S3_SECRET_KEY"

_ANSWERS = {
    "NoSuchBucket": ("there is no such bucket", "make the bucket, or correct MEDIA_URL"),
    "InvalidAccessKeyId": ("it doesn't know the access key", _CREDENTIALS),
    "SignatureDoesNotMatch": ("the secret key is not that of the access key", _CREDENTIALS),
    "ExpiredToken": ("the credentials have expired", _CREDENTIALS),
    "InvalidToken": ("the credentials are not valid", _CREDENTIALS),
    "AccessDenied": (
        "it denies access",
        "let the key read, write, list and delete below MEDIA_URL, multipart uploads included",
    ),
    "403": (
        "it denies access",
        "let the key read, write, list and delete below MEDIA_URL, multipart uploads included",
    ),
    "RequestTimeTooSkewed": (
        "this machine's clock is too far from its own",
        "timedatectl set-ntp true, on both",
    ),
    "PermanentRedirect": ("the bucket is in another region", "set S3_REGION"),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", "set S3_REGION"),
    "IllegalLocationConstraintException": ("the bucket is in another region", "set S3_REGION"),
    "QuotaExceeded": ("it is full", "make room there"),
    "XMinioStorageFull": ("it is full", "make room there"),
}
"""By the code of its answer."""


@contextmanager
def told(name: str = "") -> Iterator[None]:
    """Turn the library's errors into FileNotFoundError, where nothing has the name, and MediaAway."""
    try:
        yield
    except ClientError as error:
        if _code(error) in _MISSING:
            raise FileNotFoundError(name) from None
        raise explain(error) from error
    except (BotoCoreError, Boto3Error, HTTPClientError) as error:
        raise explain(error) from error


def is_code(error: ClientError, *codes: str) -> bool:
    return _code(error) in codes


def explain(error: Exception) -> MediaAway:
    """Say what went wrong, and the next step."""
    if isinstance(error, Boto3Error) and isinstance(error.__context__, ClientError):
        error = error.__context__  # which it only quotes
    if isinstance(error, ClientError):
        code = _code(error)
        reason, step = _ANSWERS.get(code, (f"it answers {code[:40]}", "see its own log"))
    elif isinstance(error, NoCredentialsError | PartialCredentialsError):
        reason, step = "no key to it was found", "set S3_ACCESS_KEY and S3_SECRET_KEY"
    elif isinstance(error, ConnectionError | HTTPClientError):
        reason = "it doesn't answer"
        step = "see that the server of S3_ENDPOINT runs and can be reached from here"
    else:
        reason, step = f"it fails ({type(error).__name__})", "see its own log"
    return MediaAway(f"The object storage can't be used: {reason}. Try again later.", step)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
