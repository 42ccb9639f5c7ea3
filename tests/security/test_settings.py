"""What a server that others can reach may not be started with."""

import pytest

from settings import BadSetting, Settings


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"WEB_HOST": "0.0.0.0"}, "set PASSWORD"),
        ({"WEB_HOST": "::"}, "set PASSWORD"),
        ({"WEB_HOST": "192.168.1.5", "PASSWORD": "seven77"}, "too short"),
        ({"PROXIES": "1"}, "set PASSWORD"),
        ({"PROXIES": "-1", "PASSWORD": "x"}, "PROXIES must be 0 to 100, not -1"),
        ({"ACCESS_LOG": "2"}, "ACCESS_LOG must be 0 to 1"),
        ({"UPLOADS_AT_ONCE": "0"}, "must be 1 to"),
        ({"REQUESTS_PER_MINUTE": "0"}, "must be 1 to"),
        ({"UPLOAD_HOURS": "99999999"}, "must be 1 to 87840"),
        ({"KEEP_MEDIA_DAYS": "1000000000000"}, "must be 0 to 36600"),
        ({"OPENAI_PRICE_IN": "nan"}, "OPENAI_PRICE_IN must be"),
        ({"PASSWORD": " long enough"}, "begins or ends with a space"),
        ({"OPENAI_KEY": "sk-schlüssel"}, "OPENAI_KEY holds what no key does"),
        ({"TRANSCRIBE_KEY": "sk-1\n"}, "TRANSCRIBE_KEY holds what no key does"),
    ],
)
def test_is_refused(environ: dict[str, str], told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        Settings.from_env(environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_password(host: str) -> None:
    assert Settings.from_env({"WEB_HOST": host}).password == ""


def test_a_home_folder_is_found_without_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert str(Settings.from_env({"DATA_DIR": "~/videos"}).data_dir) == "/home/ann/videos"


def test_no_refusal_shows_the_password() -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.from_env({"WEB_HOST": "0.0.0.0", "PASSWORD": "hunter2"})
    assert "hunter2" not in str(caught.value)
    address = "scheme://:hunter2@host/x"
    settings = Settings(
        password="hunter2", token="hunter2", database_url=address, redis_url=address
    )
    assert "hunter2" not in repr(settings)
