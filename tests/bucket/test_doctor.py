"""What the doctor says of object storage that works, and of each way in which it doesn't."""

from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from doctor.advice import advise
from doctor.lines import Line
from doctor.parts import look_at_bucket
from models.bucket import Bucket
from models.bucket_errors import explain
from settings import Settings
from tests.bucket.conftest import bucket_of, keys_in
from tests.bucket.server import Line as Connection
from tests.bucket.server import s3_server
from tests.doctor.test_advice import WELL


def line_about(settings: Settings) -> Line:
    facts = replace(WELL, bucket=look_at_bucket(settings))
    return next(line for line in advise(facts) if line.subject == "object storage")


def test_storage_that_works_is_left_as_it_was(settings: Settings, bucket: Bucket) -> None:
    assert line_about(settings).level == "ok"
    assert keys_in(bucket) == []


def test_a_folder_needs_no_line() -> None:
    assert look_at_bucket(Settings()) is None


def test_a_missing_bucket_is_named(settings: Settings) -> None:
    line = line_about(replace(settings, media_url="s3://there-is-none"))
    assert (line.level, line.next_step) == ("problem", "make the bucket, or correct MEDIA_URL")


def test_a_server_that_is_away_is_named(settings: Settings, line: Connection) -> None:
    line.cut()
    told = line_about(settings)
    assert told.level == "problem"
    assert "doesn't answer" in told.text
    assert "S3_ENDPOINT" in told.next_step


def test_a_wrong_key_is_named(settings: Settings, tmp_path: Path) -> None:
    with s3_server(tmp_path / "log", {"INITIAL_NO_AUTH_ACTION_COUNT": "1"}) as port:
        strict = replace(settings, s3_endpoint=f"http://127.0.0.1:{port}")
        bucket_of(strict).client.create_bucket(Bucket=bucket_of(strict).bucket)  # is let in still
        line = line_about(strict)
    assert line.level == "problem"
    assert "doesn't know the access key" in line.text
    assert "S3_ACCESS_KEY" in line.next_step


@pytest.mark.parametrize(
    ("code", "words", "step"),
    [
        ("RequestTimeTooSkewed", "clock", "set-ntp"),
        ("SignatureDoesNotMatch", "secret key", "S3_SECRET_KEY"),
        ("AccessDenied", "denies", "let the key"),
        ("PermanentRedirect", "region", "S3_REGION"),
        ("SlowDown", "SlowDown", "log"),
    ],
)
def test_what_the_server_answers_is_told(code: str, words: str, step: str) -> None:
    """These answers this test's server never gives."""
    away = explain(ClientError({"Error": {"Code": code}}, "PutObject"))
    assert words in str(away)
    assert step in away.next_step
