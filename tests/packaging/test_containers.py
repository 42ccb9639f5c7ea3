"""docker-compose.yml and Dockerfile, as far as it can be told without starting them."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
OURS = {"web", "worker", "beat", "migrate"}

ONE_MACHINE_ONLY = {"worker_processes", "server_url"}
"""Settings of `serve`, which starts workers, and of the command line: no business of a container."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return content


def test_the_compose_file_keeps_to_the_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run([*check, str(COMPOSE)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_each_dependency_is_a_service(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == OURS | {"redis", "postgres"}
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services, f"{name} depends on {other}, which is no service"
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{other} can't be found healthy"


def test_our_services_share_image_settings_and_data(compose: dict[str, Any]) -> None:
    own = [compose["services"][name] for name in OURS]
    for key in ("image", "build", "environment", "volumes"):
        assert all(service[key] == own[0][key] for service in own), key


def test_every_setting_reaches_the_containers(compose: dict[str, Any]) -> None:
    given = set(compose["services"]["web"]["environment"])
    wanted = {
        field.name.upper() for field in fields(Settings) if field.name not in ONE_MACHINE_ONLY
    }
    assert given == wanted


def test_only_the_page_is_published_and_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert published == {"web": ["${WEB_HOST:-127.0.0.1}:${WEB_PORT:-8000}:8000"]}


def test_the_compose_file_is_refused_without_a_password() -> None:
    if not shutil.which("podman-compose"):
        pytest.skip("needs podman-compose, which is not on this machine")
    command = ["podman-compose", "--file", str(COMPOSE), "config"]
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    refused = subprocess.run(command, env=path, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "PASSWORD" in refused.stderr + refused.stdout
    accepted = subprocess.run(
        command, env={**path, "PASSWORD": "x"}, capture_output=True, text=True, check=False
    )
    assert accepted.returncode == 0, accepted.stderr


def test_the_image_holds_every_part_and_not_the_data() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    parts = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert lines[0] == "*"
    assert parts <= kept
    assert {"*.py", "pyproject.toml", "requirements*.txt", "samples"} <= kept


def test_the_image_runs_as_a_plain_user_from_the_hashed_lock() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER (?!root)\w+$", dockerfile, re.MULTILINE)
    assert "--require-hashes --requirement requirements-postgres.txt" in dockerfile
    assert "torch" not in (ROOT / "requirements-postgres.txt").read_text()
