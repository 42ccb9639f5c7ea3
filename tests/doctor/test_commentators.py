"""What the doctor says of a hub's network and of an endpoint, each whole and in want of something."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from doctor.advice import advise
from doctor.commentators import look_at_endpoint, look_at_network
from doctor.lines import Line
from settings import BadSetting, Settings
from tests.doctor.test_advice import WELL
from tests.openai.endpoint import running_endpoint
from tests.openai.server import KEY

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_endpoint() as address:
        yield address


def line(subject: str, **facts: Any) -> Line:
    (found,) = [line for line in advise(replace(WELL, **facts)) if line.subject == subject]
    return found


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "ok", "answers and lists painter, and OPENAI_KEY was not refused"),
        ({"openai_model": "unknown"}, "problem", "doesn't list 'unknown'; it lists painter"),
        ({"openai_key": "wrong-key"}, "problem", "refuses OPENAI_KEY: it answered 401"),
        ({"openai_key": ""}, "problem", "refuses a request without OPENAI_KEY"),
        ({"openai_url": "http://127.0.0.1:9/v1"}, "problem", "can't be asked: nobody answers"),
    ],
)
def test_an_endpoint_is_asked(url: str, changes: dict[str, str], level: str, words: str) -> None:
    whole = {"openai_url": url, "openai_model": "painter", "openai_key": KEY}
    told = line("endpoint", endpoint=look_at_endpoint(Settings(**whole | changes)))  # type: ignore[arg-type]
    assert told.level == level
    assert words in told.text
    assert (told.next_step == "") == (level == "ok")


def test_an_address_that_has_no_list_is_a_note() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:  # 501, and HTML
        threading.Thread(target=other.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{other.server_port}"
        found = look_at_endpoint(Settings(openai_url=there, openai_model="painter"))
        other.shutdown()
    told = line("endpoint", endpoint=found)
    assert (told.level, "tells no networks" in told.text) == ("note", True)


def test_an_endpoint_that_is_not_named_is_asked_for() -> None:
    with pytest.raises(BadSetting, match="set it to an address"):
        look_at_endpoint(Settings())


def test_the_command_shows_both_and_never_the_key(tmp_path: Path, url: str) -> None:
    env = {"COMMENTATOR": "openai,transformers", "OPENAI_URL": url, "OPENAI_MODEL": "painter"}
    done = subprocess.run(
        [sys.executable, "-m", "doctor", "--json"],
        cwd=ROOT,
        env={**os.environ, **env, "OPENAI_KEY": "s3cret-k3y", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert '"subject": "endpoint"' in done.stdout
    assert '"subject": "network"' in done.stdout
    assert "s3cret-k3y" not in done.stdout + done.stderr


def test_a_network_of_the_hub_is_looked_for(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, transformers_model="some/network")
    told = line("network", network=look_at_network(settings))
    assert (told.level, "there is no such folder" in told.text) == ("problem", True)
    assert "pull some/network" in told.next_step
    folder = settings.transformers_folder
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "x", "architectures": ["XForPictures"]}')
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    (folder / "preprocessor_config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(3_000_000))
    told = line("network", network=look_at_network(settings))
    assert (told.level, told.text.split(" of weights")[0]) == ("ok", "XForPictures, 0.003 GB")


def test_a_network_that_is_not_named_is_asked_for() -> None:
    told = line("network", network=look_at_network(Settings()))
    assert told.text == "TRANSFORMERS_MODEL names none; transformers needs it"
    assert told.next_step.startswith("set TRANSFORMERS_MODEL")


def test_on_the_cpu_a_network_of_the_hub_is_slow_and_no_problem() -> None:
    on_cpu = replace(WELL, gpus=(), torch=None, commentators=("transformers",))
    gpu, torch = (
        next(one for one in advise(on_cpu) if one.subject == subject)
        for subject in ("GPU", "PyTorch")
    )
    assert (gpu.level, "slowly" in gpu.text) == ("note", True)
    assert (torch.level, torch.next_step) == ("problem", "COMMENTATOR=transformers make run")
