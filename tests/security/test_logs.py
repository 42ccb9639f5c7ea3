"""A log line is one line, names no secret, and can't be forged by what it quotes."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from client import Client
from models import tokens
from models.log import Blots, JsonLines, Lines
from settings import BadSetting, Settings
from tests.journey.stack import running_stack
from tests.packaging.processes import wait_for
from tests.security.nasty import NASTY
from tests.web.server import ROOT, running_server


def line_of(message: str, *fields: object, secrets: tuple[str, ...] = ()) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines(secrets))
    handler.handle(logging.LogRecord("a", logging.INFO, "", 0, message, fields, None))
    return out.getvalue()


@pytest.mark.parametrize("text", NASTY)
def test_a_record_is_one_printable_line(text: str) -> None:
    written = line_of("upload refused name=%s", text)
    assert written.count("\n") == 1
    assert written[:-1].isprintable()


def test_a_tracebacks_lines_are_set_in() -> None:
    forged = "boom\n2026-01-01 00:00:00,000 INFO web signed in user=root"
    try:
        raise RuntimeError(forged)
    except RuntimeError as error:
        record = logging.LogRecord(
            "a", logging.ERROR, "", 0, "it failed", (), (type(error), error, None)
        )
    first, *rest = Lines().format(record).split("\n")
    assert first.endswith("ERROR a it failed")
    assert rest
    assert all(line.startswith("    | ") for line in rest)


def test_secrets_are_blotted_out() -> None:
    settings = Settings(
        password="open sesame",
        database_url="postgresql://u:db%2Fsecret@host/n",
        redis_url="redis://:queue-secret@host/0",
    )
    for secret in ("open sesame", "db/secret", "queue-secret"):
        assert secret in settings.secrets
        assert secret not in line_of("can't connect reason=%s", secret, secrets=settings.secrets)


def test_every_spelling_of_a_secret_is_blotted_out() -> None:
    settings = Settings(
        database_url="postgresql://u:db%2Fsecret@host/n?sslpassword=key-secret",
        hub_token="hf_hub-secret",
        hub_url="https://me:mirror-secret@mirror",
    )
    text = "db%2Fsecret db/secret key-secret hf_hub-secret mirror-secret"
    assert line_of(text, secrets=settings.secrets).split("a ", 1)[1] == "*** *** *** *** ***\n"
    for unknown in ("redis://:pw@host/0", "postgresql://u:p@ss/w@host/n", "'amqp://u:x@h//'"):
        assert "***@h" in Blots()(f"can't reach {unknown} just now")
    plain = "GET http://127.0.0.1:8000/x?to=a@b, see https://host/a:b"
    assert Blots()(plain) == plain


@pytest.mark.parametrize("name", [field.name for field in fields(Settings) if not field.repr])
def test_no_setting_that_is_secret_is_forgotten(name: str) -> None:
    value = "scheme://me:a-new-secret@host/x" if name.endswith("_url") else "a-new-secret"
    assert "a-new-secret" in replace(Settings(), **{name: value}).secrets  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
@pytest.mark.parametrize("password", ["hunter2/x", "pass:hunter2/", "a[hunter2]/"])
def test_an_address_that_cannot_be_read_is_refused_without_its_password(
    name: str, password: str
) -> None:
    with pytest.raises(BadSetting, match=f"{name} can't be read") as refusal:
        Settings.from_env({name: f"scheme://me:{password}@host/n"})
    assert "hunter2" not in str(refusal.value)


def record_of(message: str, *fields: object) -> dict[str, Any]:
    line = JsonLines().format(logging.LogRecord("a", logging.INFO, "", 0, message, fields, None))
    assert "\n" not in line
    assert line.isascii()
    told: dict[str, Any] = json.loads(line)
    return told


@pytest.mark.parametrize("text", NASTY)
def test_a_json_record_holds_what_it_quotes_in_its_own_field(text: str) -> None:
    told = record_of("upload refused name=%s ms=%.1f windows=%d-%d why=%r", text, 1.5, 3, 7, text)
    assert (told["event"], told["level"], told["logger"]) == ("upload refused", "info", "a")
    assert (told["name"], told["ms"], told["windows"]) == (text, 1.5, "3-7")
    assert record_of(f"forged {text.replace('%', '%%')} event=%s", "mine")["event"] != "mine"


def test_json_lines_hold_tracebacks_and_no_secrets() -> None:
    try:
        raise RuntimeError("can't reach redis://:open-sesame@host/0 with open sesame")
    except RuntimeError as error:
        record = logging.LogRecord(
            "a", logging.ERROR, "", 0, "it failed why=%s", ("open sesame",),
            (type(error), error, error.__traceback__),
        )  # fmt: skip
    line = JsonLines(["open sesame"]).format(record)
    told = json.loads(line)
    assert (told["event"], told["why"]) == ("it failed", "***")
    assert told["traceback"].splitlines()[0].startswith("Traceback")
    assert "sesame" not in line


def test_all_processes_log_json_with_ids_and_without_secrets(clip: Path, tmp_path: Path) -> None:
    hidden = {"PASSWORD": "open sesame", "TOKEN": "rn_private-token", "HUB_TOKEN": "hf_private"}
    with running_stack(tmp_path, LOG_FORMAT="json", ACCESS_LOG="1", **hidden) as stack:
        with Client(stack.url, hidden["PASSWORD"]) as client:
            job_id = client.submit(clip, {})["id"]
            wait_for(lambda: client.job(job_id)["state"] == "done", "the job's end")
        broker = (tmp_path / "run" / "broker.conf").read_text()
        answering = [one for web in stack.program("web") for one in web.children()]
        answering[0].send_signal(signal.SIGKILL)  # gunicorn tells of it
        stack.kill("beat")
        wait_for(lambda: "beat ended" in "".join(stack.log), "the supervisor's word of it")
        wait_for(lambda: "was sent SIGKILL" in "".join(stack.log), "gunicorn's word of it")
    told = [json.loads(line) for line in stack.log]
    for record in told:
        assert {"time", "level", "program", "event"} <= set(record)
    assert {record["program"] for record in told} >= {"reelnotes", "web", "worker"}
    assert "gunicorn.error" in {record.get("logger") for record in told}
    (queued,) = [record for record in told if record["event"] == "job queued"]
    begun, ended = (
        [record for record in told if record["event"] == event]
        for event in ("chunk begins", "chunk ends")
    )
    assert {r["job_id"] for r in (queued, *begun, *ended)} == {job_id}
    assert {r["chunk_id"] for r in begun} == {r["chunk_id"] for r in ended}
    assert ended[-1]["job_state"] == "done"
    password = broker.partition("requirepass ")[2].split()[0]
    for secret in (*hidden.values(), password):
        assert secret not in "".join(stack.log)


@pytest.mark.parametrize(
    ("program", "log_format"), [("beat", "json"), ("worker", "text"), ("migrate", "text")]
)
def test_a_program_that_cannot_reach_what_it_needs_names_no_password(
    program: str, log_format: str, tmp_path: Path
) -> None:
    away = {
        "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
        "DATABASE_URL": "postgresql://me:hunter3@127.0.0.1:1/none",
        "PASSWORD": "hunter4-and-more",
        "DATA_DIR": str(tmp_path),
        "LOG_FORMAT": log_format,
    }
    with (tmp_path / "log").open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", program],
            env={**os.environ, **away}, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT,
        )  # fmt: skip
        try:
            wait_for(
                lambda: (tmp_path / "log").stat().st_size or process.poll() is not None, "words"
            )
        finally:
            psutil.Process(process.pid).kill()
            process.wait()
        out.seek(0)
        said = out.read()
    assert "Traceback" not in said
    assert not [secret for secret in ("hunter2", "hunter3", "hunter4") if secret in said], said


def test_the_servers_own_log_tells_requests_but_no_secrets(
    tmp_path: Path, shared_broker_url: str
) -> None:
    env = {"PASSWORD": "open sesame", "REDIS_URL": shared_broker_url, "ACCESS_LOG": "1"}
    with running_server(tmp_path, env) as server:
        with server.store.write() as session:
            secret = tokens.add_token(session, "nightly")
        for given in (secret, "rn_wrong-but-private", "open sesame"):
            headers = {"Authorization": f"Bearer {given}"}
            httpx.get(f"{server.url}/api/jobs?state=query-text", headers=headers)
        httpx.post(f"{server.url}/sign-in", data={"password": "open sesame"})
        httpx.get(f"{server.url}/api/jobs/%0A2026-01-01%20INFO%20forged")
    log = (tmp_path / "web.log").read_text()
    assert "request method=GET path=/api/jobs status=400" in log
    assert "visitor='token nightly'" in log
    assert "status=401" in log
    for hidden in (secret, "rn_wrong-but-private", "open sesame", "query-text"):
        assert hidden not in log
    assert not any(line.startswith("2026-01-01") for line in log.splitlines())
