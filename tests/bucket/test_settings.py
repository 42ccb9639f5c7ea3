"""The settings of object storage, and secrets that stand in files."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.bucket import Bucket
from models.media import open_media
from settings import BadSetting, Settings


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    path = str(tmp_path / "key")
    files = {"S3_SECRET_KEY_FILE": path, "PASSWORD_FILE": path, "MODEL_PATH_FILE": path}
    settings = Settings.from_env({**files, "S3_ACCESS_KEY": "name"})
    assert (settings.s3_secret_key, settings.password) == ("from a file", "from a file")
    assert settings.model_path == Settings().model_path  # is no secret
    assert {"from a file", "name"} <= set(settings.secrets)
    with pytest.raises(BadSetting, match="take one of them"):
        Settings.from_env({**files, "PASSWORD": "set itself"})
    with pytest.raises(BadSetting, match="PASSWORD_FILE"):
        Settings.from_env({"PASSWORD_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEDIA_URL", "s3://"),
        ("MEDIA_URL", "s3://Bucket"),
        ("MEDIA_URL", "s3://bucket/a b"),
        ("MEDIA_URL", "https://bucket"),
        ("S3_ENDPOINT", "minio:9000"),
        ("S3_ADDRESSING", "host"),
        ("S3_ACCESS_KEY", "alone"),
        ("MEDIA_CACHE_BYTES", "0"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        Settings.from_env({name: value})


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://videos.s3.amazonaws.com/ours/stills/a"),
        ({"s3_endpoint": "http://minio:9000"}, "http://minio:9000/videos/ours/stills/a"),
        (
            {"s3_endpoint": "https://minio.example", "s3_addressing": "virtual"},
            "https://videos.minio.example/ours/stills/a",
        ),
    ],
)
def test_the_bucket_is_addressed_as_said(changes: dict[str, str], url: str) -> None:
    given = Settings(media_url="s3://videos/ours/", s3_access_key="a", s3_secret_key="b")
    storage = open_media(replace(given, **changes)).storage  # type: ignore[arg-type]
    assert isinstance(storage, Bucket)
    asked = storage.client.generate_presigned_url(
        "get_object", Params={"Bucket": storage.bucket, "Key": storage.key("stills/a")}
    )
    assert asked.partition("?")[0] == url
