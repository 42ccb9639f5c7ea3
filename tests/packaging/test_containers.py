"""docker-compose.yml and Dockerfile, as far as it can be told without starting them."""

import os
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
OURS = {"web", "worker-cpu", "worker-gpu", "beat", "migrate"}
OTHERS = {"redis", "postgres", "minio"}
BY_FILE = {
    "database_url": "DATABASE_URL_FILE",
    "metrics_token": "METRICS_TOKEN_FILE",
    "password": "PASSWORD_FILE",
}
"""Settings that are secrets, and the variables that name their files."""

WHERE_WANTED = {
    "hub_token": "HUB_TOKEN_FILE",
    "openai_key": "OPENAI_KEY_FILE",
    "s3_secret_key": "S3_SECRET_KEY_FILE",
    "transcribe_key": "TRANSCRIBE_KEY_FILE",
}
"""Those that not everybody has: their files are named by the same variables outside."""

OBSERVERS = {"prometheus", "grafana"}
"""Services of the profile `observability`."""

ONE_MACHINE_ONLY = {"worker_processes", "server_url", "token"}
"""Settings of `serve`, which starts workers, and of the command line: no business of a container."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return content


def test_the_compose_file_keeps_to_the_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run([*check, str(COMPOSE)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_broker_answers_the_other_services_whoever_built_it(compose: dict[str, Any]) -> None:
    """Redis as its makers ship it refuses all but its own machine as long as it has no password."""
    command = compose["services"]["redis"]["command"]
    assert command[command.index("--protected-mode") + 1] == "no"
    assert "ports" not in compose["services"]["redis"]


def test_each_dependency_is_a_service(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == OURS | OTHERS | OBSERVERS
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services, f"{name} depends on {other}, which is no service"
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{other} can't be found healthy"


def test_our_services_share_settings_data_and_their_confinement(compose: dict[str, Any]) -> None:
    own = {name: compose["services"][name] for name in OURS}
    web = own["web"]
    for name, service in own.items():
        for key in ("volumes", "secrets", "user", "read_only", "cap_drop", "security_opt", "init"):
            assert service[key] == web[key], f"{name}: {key}"
        assert web["environment"].items() >= service["environment"].items(), name
    assert web["read_only"] is True
    assert web["cap_drop"] == ["ALL"]
    assert not web["user"].startswith("0")


def test_only_the_worker_on_a_gpu_has_the_image_with_pytorch(compose: dict[str, Any]) -> None:
    images = {name: compose["services"][name]["image"] for name in OURS}
    assert {name for name, image in images.items() if image == "reelnotes-gpu"} == {"worker-gpu"}
    stages = set(re.findall(r"^FROM .+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert {compose["services"][name]["build"]["target"] for name in OURS} <= stages
    assert compose["services"]["worker-gpu"]["profiles"] == ["gpu"]


def test_every_service_is_bounded_and_what_serves_is_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["deploy"]["resources"]["limits"].keys() >= {"memory", "pids"}, name
        assert service["restart"] in ("unless-stopped", "on-failure"), name
        assert name == "migrate" or "healthcheck" in service, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_a_worker_is_given_longer_to_end_than_a_call_may_take(compose: dict[str, Any]) -> None:
    for name in ("worker-cpu", "worker-gpu"):
        patience = compose["services"][name]["stop_grace_period"]
        assert int(patience.removesuffix("s")) > Settings().call_timeout_seconds


def test_secrets_are_files(compose: dict[str, Any]) -> None:
    assert compose["secrets"] == {
        **{name: {"file": f"./secrets/{name}"} for name in (*BY_FILE, "postgres_password")},
        **{name: {"file": f"${{{it}:-./deploy/no-secret}}"} for name, it in WHERE_WANTED.items()},
    }
    for service in compose["services"].values():
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
    environment = compose["services"]["web"]["environment"]
    for secret, variable in {**BY_FILE, **WHERE_WANTED}.items():
        assert environment[variable] == f"/run/secrets/{secret}"
    assert (ROOT / "deploy" / "no-secret").read_text() == ""
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_setting_reaches_the_containers(compose: dict[str, Any]) -> None:
    given = set(compose["services"]["worker-cpu"]["environment"])
    wanted = {
        {**BY_FILE, **WHERE_WANTED}.get(field.name, field.name.upper())
        for field in fields(Settings)
        if field.name not in ONE_MACHINE_ONLY
    }
    assert given == wanted


def test_only_the_page_is_published_and_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert published == {
        "web": ["${PUBLISH:-127.0.0.1:8000}:8000"],
        "grafana": ["${PUBLISH_GRAFANA:-127.0.0.1:3000}:3000"],
    }


def test_what_not_everybody_needs_is_started_only_when_asked_for(compose: dict[str, Any]) -> None:
    asked = {name: s["profiles"] for name, s in compose["services"].items() if "profiles" in s}
    assert asked == {
        "minio": ["s3"],
        "worker-gpu": ["gpu"],
        **{name: ["observability"] for name in OBSERVERS},
    }


def test_prometheus_looks_for_our_services_at_their_ports(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    targets = {
        name: (found["port"], job["authorization"]["credentials_file"])
        for job in config["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }
    token = "/run/secrets/metrics_token"
    ports = {"web": 8000, "worker-cpu": 9101, "worker-gpu": 9101, "beat": 9101}
    assert targets == {name: (port, token) for name, port in ports.items()}
    assert set(targets) <= OURS
    assert compose["services"]["prometheus"]["secrets"] == ["metrics_token"]


def test_what_the_observers_read_is_there(compose: dict[str, Any]) -> None:
    mounts = [mount for name in OBSERVERS for mount in compose["services"][name]["volumes"]]
    folders = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)
    inside = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/dashboards/reelnotes.yml").read_text()
    )
    kept = inside["providers"][0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{kept}:ro" in mounts


def test_another_reader_takes_the_compose_file() -> None:
    if not shutil.which("podman-compose"):
        pytest.skip("needs podman-compose, which is not on this machine")
    command = ["podman-compose", "--file", str(COMPOSE), "config"]
    path = {"PATH": os.environ["PATH"]}
    accepted = subprocess.run(command, env=path, capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stderr
    assert "127.0.0.1:8000:8000" in accepted.stdout


def test_the_image_holds_every_part_and_not_the_data() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    parts = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert lines[0] == "*"
    assert parts <= kept
    assert {"*.py", "pyproject.toml", "requirements*.txt", "samples"} <= kept


def test_the_images_run_as_a_plain_user_from_the_hashed_lock() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    stages = dockerfile.split("\nFROM ")
    for name in ("gpu", "web"):
        (stage,) = [stage for stage in stages if stage.startswith(f"base AS {name}\n")]
        assert "\nUSER 1000:1000\n" in stage
        assert "\nHEALTHCHECK " in stage
        assert ("packages-gpu" in stage) == (name == "gpu")
    assert "--require-hashes --requirement /requirements-postgres.txt" in dockerfile
    assert "torch" not in (ROOT / "requirements-postgres.txt").read_text()
