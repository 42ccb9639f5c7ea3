"""A secret may stand in a file, as containers are given it."""

from pathlib import Path

import pytest

from settings import BadSetting, Settings


def test_a_secret_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    settings = Settings.from_env({"PASSWORD_FILE": str(tmp_path / "password")})
    assert settings.password == "open sesame"
    assert "open sesame" in settings.secrets


def test_a_secret_in_two_places_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one")
    with pytest.raises(BadSetting, match="OPENAI_KEY and OPENAI_KEY_FILE are both set"):
        Settings.from_env({"OPENAI_KEY_FILE": str(tmp_path / "key"), "OPENAI_KEY": "another"})


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"DATABASE_URL_FILE names .*nowhere.*No such file"):
        Settings.from_env({"DATABASE_URL_FILE": str(tmp_path / "nowhere")})


def test_what_is_no_secret_is_read_from_no_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("1")
    assert Settings.from_env({"WEB_PORT_FILE": str(tmp_path / "port")}).web_port == 8000
