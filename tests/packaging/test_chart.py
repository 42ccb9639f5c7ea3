"""The Helm chart: rendered by Go's template engine, then held against Kubernetes' own schemas.

What only a cluster shows isn't shown here: that the images start, the hook's order, KEDA's scaling.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from sqlalchemy import text

from models import jobs
from models.store import Store
from models.tables import Chunk
from settings import Settings
from tests.store.rows import make_job

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "reelnotes"
KUBERNETES = (
    "1.27.0",
    "1.37.0",
)  # the oldest that Chart.yaml names, and the newest we have schemas of
EVERYTHING = {
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
    "autoscaling": {"enabled": True},
    "workers": {"gpu": {"enabled": True}},
    "pullSecrets": [{"name": "registry"}],
    "persistence": {"storageClass": "nfs"},
}
OBJECT_STORE = {"persistence": {"enabled": False}}

# The library ends its process on an error of a template.
_RENDER = """
import json, sys
from pathlib import Path
from go_template import render
sys.stdout.buffer.write(render(Path(sys.argv[1]), json.loads(sys.argv[2])))
"""


def values(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the chart's values with changes, as helm merges them."""
    return _merged(yaml.safe_load((CHART / "values.yaml").read_text()), changes or {})


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = isinstance(value, Mapping) and isinstance(base.get(key), dict)
        merged[key] = _merged(base[key], value) if inner else value
    return merged


def render(changes: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Return the objects that the chart makes of its values."""
    pytest.importorskip("go_template", reason="needs py-go-template")
    parts = (CHART / "templates" / "_parts.tpl").read_text()
    context = {"Values": values(changes), "Release": {"Name": "notes"}}
    objects = []
    for template in sorted((CHART / "templates").glob("*.yaml")):
        whole = folder / template.name
        whole.write_text(parts + template.read_text())
        command = [sys.executable, "-c", _RENDER, str(whole), json.dumps(context)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        objects += [one for one in yaml.safe_load_all(done.stdout) if one]
    return objects


def named(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def containers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in objects:
        if "template" in one.get("spec", {}):
            for container in one["spec"]["template"]["spec"]["containers"]:
                yield one["metadata"]["name"], container


@pytest.mark.parametrize("changes", [{}, EVERYTHING, OBJECT_STORE], ids=["plain", "all", "objects"])
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_would_take_every_object(
    changes: Mapping[str, Any], version: str, tmp_path: Path
) -> None:
    schemas = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    objects = render(changes, tmp_path)
    core = [one for one in objects if not one["apiVersion"].startswith("keda.sh/")]
    for one in core:
        schemas.validate(one, version, strict=True)  # strict: no unknown field
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)


def test_each_pod_is_of_a_plain_user_and_writes_only_where_it_may(tmp_path: Path) -> None:
    objects = render(EVERYTHING, tmp_path)
    assert {name for name, _ in containers(objects)} == {
        *("notes-web", "notes-beat", "notes-migrate", "notes-worker-cpu", "notes-worker-gpu")
    }
    for one in objects:
        if "template" in one.get("spec", {}):
            assert one["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    for _, container in containers(objects):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_every_variable_is_a_setting_and_no_secret_stands_in_one(tmp_path: Path) -> None:
    known = {field.name.upper(): field for field in fields(Settings)}
    for _, container in containers(render(EVERYTHING, tmp_path)):
        given = {variable["name"]: variable["value"] for variable in container["env"]}
        assert {name.removesuffix("_FILE") for name in given} <= {*known}
        secret = {name for name in given if name in known and not known[name].repr}
        assert secret == set()
        assert {"DATABASE_URL_FILE", "REDIS_URL_FILE", "PASSWORD_FILE"} <= {*given}


def test_selectors_find_their_pods_and_the_service_its_port(tmp_path: Path) -> None:
    objects = render(EVERYTHING, tmp_path)
    deployments = named(objects, "Deployment")
    for name, budget in named(objects, "PodDisruptionBudget").items():
        pod = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"] == pod
    for deployment in deployments.values():
        spec = deployment["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    (service,) = named(objects, "Service").values()
    web = deployments["notes-web"]["spec"]["template"]
    assert service["spec"]["selector"] == web["metadata"]["labels"]
    assert service["spec"]["ports"][0]["targetPort"] in {
        port["name"] for port in web["spec"]["containers"][0]["ports"]
    }


def test_a_worker_is_given_longer_to_end_than_a_call_may_take(tmp_path: Path) -> None:
    deployments = named(render(EVERYTHING, tmp_path), "Deployment")
    call_s = int(values()["settings"]["CALL_TIMEOUT_SECONDS"])
    for kind in ("cpu", "gpu"):
        worker = deployments[f"notes-worker-{kind}"]["spec"]["template"]["spec"]
        assert worker["terminationGracePeriodSeconds"] > call_s
        gpus = worker["containers"][0]["resources"]["limits"].get("nvidia.com/gpu", 0)
        assert gpus == (1 if kind == "gpu" else 0)


def test_workers_are_scaled_by_the_windows_that_the_store_has_open(
    tmp_path: Path, store: Store
) -> None:
    objects = render(EVERYTHING, tmp_path)
    scaled = named(objects, "ScaledObject")
    assert set(scaled) == {"notes-worker-cpu", "notes-worker-gpu"}
    trigger = scaled["notes-worker-cpu"]["spec"]["triggers"][0]
    assert trigger["authenticationRef"]["name"] in named(objects, "TriggerAuthentication")
    with store.write() as session:
        job_id, other_id = make_job(session).id, make_job(session, seconds=12).id
        jobs.pause(session, other_id)
    with store.read() as session:
        open_windows = session.scalar(text(trigger["metadata"]["query"]))
        chunks = session.query(Chunk).where(Chunk.job_id == job_id)
        assert open_windows == sum(chunk.stop - chunk.cursor for chunk in chunks) > 0


def test_values_keep_to_their_schema_and_mistakes_are_refused() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    check = Draft7Validator(schema)
    for changes in ({}, EVERYTHING, OBJECT_STORE):
        assert [*check.iter_errors(values(changes))] == []
    for mistake in (
        {"web": {"replica": 3}},
        {"settings": {"PASSWORD": "in plain sight"}},
        {"settings": {"WORKER_THREADS": 4}},
        {"workers": {"gpu": {"commentator": "nobody"}}},
    ):
        assert [*check.iter_errors(values(mistake))], mistake


def test_templates_name_only_values_that_there_are() -> None:
    given = values()
    for template in (CHART / "templates").iterdir():
        for path in re.findall(r"\.Values\.([A-Za-z.]+)", template.read_text()):
            found: Any = given
            for key in path.split("."):
                assert key in found, f"{template.name}: {path}"
                found = found[key]


@pytest.mark.parametrize("changes", [{}, EVERYTHING, OBJECT_STORE], ids=["plain", "all", "objects"])
def test_helm_itself_makes_the_same_objects_and_finds_nothing_to_object_to(
    changes: Mapping[str, Any], tmp_path: Path
) -> None:
    helm = pytest.importorskip("helm_python", reason="needs helm-python-sdk")
    assert helm.lint(CHART, changes, strict=True)["errors"] == []
    made = helm.Chart.load(CHART).render(changes, name="notes")
    notes = made.pop("reelnotes/templates/NOTES.txt")
    assert notes.strip()
    objects = [one for text in made.values() for one in yaml.safe_load_all(text) if one]
    assert sorted(objects, key=str) == sorted(render(changes, tmp_path), key=str)


def test_helm_refuses_a_mistake_in_the_values() -> None:
    helm = pytest.importorskip("helm_python", reason="needs helm-python-sdk")
    assert helm.lint(CHART, {"web": {"replica": 3}}, strict=True)["errors"] != []
