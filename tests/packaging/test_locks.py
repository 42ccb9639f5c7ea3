"""The locked requirements: hashed, without a host, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = (
    *("requirements.txt", "requirements-postgres.txt"),
    *("requirements-s3.txt", "requirements-dev.txt"),
)
EXTRAS: dict[str, tuple[str, ...]] = {
    "requirements.txt": (),
    "requirements-postgres.txt": ("postgres",),
    "requirements-s3.txt": ("s3",),
    "requirements-dev.txt": ("postgres", "dev"),
}


def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return content


def pins(lock: str) -> dict[str, set[str]]:
    """Return each package's locked versions: several where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / lock).read_text(), re.M):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_hashes_every_package(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^--(index|extra-index|find-links)", text, re.M)
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.M)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    asked = list(project()["dependencies"])
    for extra in EXTRAS[lock]:
        asked += project()["optional-dependencies"][extra]
    locked = pins(lock)
    for requirement in map(Requirement, asked):
        versions = locked.get(requirement.name, set())
        assert versions, f"{requirement.name} is not in {lock}: run `make lock`"
        assert all(map(requirement.specifier.contains, versions)), requirement


def test_the_locks_agree() -> None:
    base, postgres, s3, dev = map(pins, LOCKS)
    assert base.items() <= postgres.items() <= dev.items()
    assert base.items() <= s3.items() <= dev.items()


def test_the_base_installation_has_neither_torch_nor_postgres() -> None:
    assert (
        not {"torch", "transformers", "psycopg", "psycopg-binary"} & pins("requirements.txt").keys()
    )
