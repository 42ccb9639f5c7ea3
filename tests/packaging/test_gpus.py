"""Each worker process of a network gets a GPU of its own. A script stands in for the driver's program."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from serve.programs import plan_programs
from settings import Settings

TWO_GPUS = """#!/bin/sh
[ "$1" = -L ] || exit 1
echo "GPU 0: some card (UUID: GPU-a)"
echo "  MIG 1g.10gb Device 0: (UUID: MIG-a)"
echo "GPU 1: some card (UUID: GPU-b)"
"""
BROKEN = "#!/bin/sh\necho GPU 0: no\nexit 9\n"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the only nvidia-smi there may be."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "nvidia-smi"


def write_driver(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def planned(
    tmp_path: Path,
    processes: int,
    commentator: str = "minicpm",
    variable: str = "CUDA_VISIBLE_DEVICES",
    **more: object,
) -> Mapping[str, str | None]:
    """Return what each worker is told of GPUs."""
    settings = Settings(commentator=commentator, worker_processes=processes, **more)  # type: ignore[arg-type]
    with socket.socket() as listener:
        programs = plan_programs(settings, {"DATA_DIR": "data"}, listener, tmp_path)
    assert all(program.env["DATA_DIR"] == "data" for program in programs)
    return {
        program.name: program.env.get(variable)
        for program in programs
        if program.name.startswith("worker")
    }


def test_gpus_are_dealt_out_in_turn(tmp_path: Path, driver: Path) -> None:
    write_driver(driver, TWO_GPUS)
    assert planned(tmp_path, 3) == {"worker-1": "0", "worker-2": "1", "worker-3": "0"}
    assert planned(tmp_path, 2, "builtin,minicpm") == {
        "worker-builtin-1": None,
        "worker-builtin-2": None,
        "worker-minicpm-1": "0",
        "worker-minicpm-2": "1",
    }
    assert planned(tmp_path, 1) == {"worker": None}


@pytest.mark.parametrize(
    ("named", "dealt"),
    [
        ("3, GPU-b", ("3", "GPU-b", "3")),
        ("2,-1,1", ("2", "2", "2")),
        ("-1", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_only_gpus_that_may_be_seen_are_dealt_out(
    tmp_path: Path,
    driver: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    dealt: tuple[str | None],
) -> None:
    write_driver(driver, TWO_GPUS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert tuple(planned(tmp_path, 3).values()) == dealt


def test_without_a_gpu_nothing_is_set(tmp_path: Path, driver: Path) -> None:
    assert planned(tmp_path, 2) == {"worker-1": None, "worker-2": None}
    write_driver(driver, BROKEN)
    assert planned(tmp_path, 2) == {"worker-1": None, "worker-2": None}


def test_who_takes_no_gpu_decodes_on_none_that_another_takes(tmp_path: Path) -> None:
    def decoders(commentators: str, **more: object) -> Mapping[str, str | None]:
        return planned(tmp_path, 1, commentators, "GPU_DECODERS", **more)

    assert decoders("builtin,minicpm") == {"worker-builtin": "0", "worker-minicpm": None}
    assert decoders("openai") == {"worker": None}
    on_cpu = decoders("builtin,transformers", transformers_device="cpu")
    assert set(on_cpu.values()) == {None}
