"""Imports go one way, one place reads the environment, and README names every setting."""

import ast
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from settings import Settings

ROOT = Path(__file__).parents[1]

ARROWS: dict[str, set[str]] = {
    "settings": set(),
    "telemetry": {"settings"},
    "models": {"settings", "telemetry"},
    "migrations": {"models", "settings"},
    "web": {"models", "settings", "telemetry"},
    "worker": {"models", "settings", "telemetry"},
    "worker.minicpm": set(),
    "serve": {"models", "settings"},
    "pull": set(),
    "doctor": {"migrations", "models", "pull", "serve", "settings", "worker", "worker.minicpm"},
    "backup": {"models", "settings"},
    "client": set(),
    "submission": {"client", "models"},
    "cli": {
        "backup",
        "client",
        "doctor",
        "migrations",
        "models",
        "pull",
        "serve",
        "settings",
        "submission",
        "worker",
    },
    "install": set(),
    "bench": {
        "client",
        "migrations",
        "models",
        "serve",
        "settings",
        "web",
        "worker",
        "worker.minicpm",
    },
}
"""What each part may import of ours, beside itself."""

TYPES_ONLY = {"client": {"web"}, "submission": {"web"}, "cli": {"web"}}
"""What it may name besides, in annotations: the shapes of the API's answers."""

BELOW_MODELS = {"models/errors.py", "models/windows.py"}
"""Files that import nothing of ours at all."""

READS_ENVIRONMENT = {
    "settings.py",
    "serve/child.py",
    "serve/gpus.py",
    "backup.py",
    "worker/__init__.py",
    "worker/video/gpu.py",
    "bench/load.py",
    "bench/pipeline.py",
    "bench/replay.py",
    "bench/store.py",
}
"""All but the first hand it on to their children unread, or set what a library reads of it."""


def sources() -> list[Path]:
    parts = {name.split(".")[0] for name in ARROWS}
    files = [ROOT / f"{part}.py" for part in parts if (ROOT / f"{part}.py").exists()]
    for part in parts:
        files += (ROOT / part).rglob("*.py")
    return sorted(files)


def part_of(module: str) -> str:
    """Return the part to which a module of ours belongs, "" if it is not ours."""
    own = [part for part in ARROWS if module == part or module.startswith(f"{part}.")]
    return max(own, key=len, default="")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST, for_types: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each imported module, and whether only annotations use it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from ((f"{node.module}.{alias.name}", for_types) for alias in node.names)
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        yield from imports(node, for_types or guarded)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    part = part_of(module_of(path))
    for module, for_types in imports(ast.parse(path.read_text())):
        target = part_of(module)
        allowed = ARROWS[part] | {part} | (TYPES_ONLY.get(part, set()) if for_types else set())
        if part == "worker" and target == "worker.minicpm":
            continue
        assert not target or target in allowed, f"{part} must not import {module}"


@pytest.mark.parametrize("name", sorted(BELOW_MODELS))
def test_what_lies_below_all_imports_nothing_of_ours(name: str) -> None:
    modules = [module for module, _ in imports(ast.parse((ROOT / name).read_text()))]
    assert [module for module in modules if part_of(module)] == []


def test_one_place_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    assert readers == READS_ENVIRONMENT


def test_every_part_that_is_installed_has_its_arrows() -> None:
    parts = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert parts | modules == {name for name in ARROWS if "." not in name}


def test_every_setting_is_in_the_readme_with_its_default_unit_and_meaning() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [row for row in map(readme_row, fields(Settings)) if row not in lines] == []


def readme_row(setting: "Field[Any]") -> str:
    default = f"`{setting.default}`" if setting.default != "" else ""
    unit, meaning = setting.metadata["unit"], setting.metadata["meaning"]
    return f"| `{setting.name.upper()}` | {default} | {unit} | {meaning} |"
