"""Put the locked packages and the project into .venv; do nothing if they are there.

Run by `make` with any Python 3.11-3.13, before anything is installed: standard library only.
Usage: python install.py [dev] [postgres] [torch | torch-if-light]

torch            PyTorch as well: a CUDA build where a GPU is seen, else the CPU build
torch-if-light   only the CPU build, and only where it is had without gigabytes, else a warning
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
PROJECT = "pyproject.toml"
# Bytecode is made for what is imported, when it is: a fifth less disk, and less waiting.
PIP = (PYTHON, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check")

NO_TORCH = """\
WARNING: no CPU build of PyTorch is to be had on this machine without downloading gigabytes, so the
WARNING: tests of MiniCPM-o's runtime will be SKIPPED. The reasons stand above.
"""


class Failed(Exception):
    """A step went wrong; the text says which and what to do."""


def main(wishes: Sequence[str]) -> None:
    install_locked([wish for wish in wishes if not wish.startswith("torch")])
    if "torch" in wishes:
        install_torch("CUDA" if has_gpu() else "CPU")
    if "torch-if-light" in wishes:
        try:
            install_torch("CPU")
        except Failed as failure:
            print(f"{failure}\n\n{NO_TORCH}", file=sys.stderr, flush=True)


def install_locked(extras: Sequence[str]) -> None:
    """Install what the locks of the extras name, and the project."""
    locks = ["requirements.txt", *(f"requirements-{extra}.txt" for extra in extras)]
    wanted = {name: digest(ROOT / name) for name in [*locks, PROJECT]}
    done = read_stamp()
    if all(done.get(name) == value for name, value in wanted.items()):
        return
    STAMP.unlink(missing_ok=True)  # until the last step has succeeded
    make_venv()
    missing = [name for name in locks if done.get(name) != wanted[name]]
    for lock in missing:
        say(f"Installing what {lock} names (once; a few hundred megabytes) ...")
        install("--require-hashes", "--requirement", str(ROOT / lock), step=f"installing {lock}")
    install(
        "--no-deps", "--no-build-isolation", "--editable", str(ROOT), step="installing Reelnotes"
    )
    STAMP.write_text(json.dumps({**done, **wanted}))


def install_torch(build: str) -> None:
    """Install the extra `torch` with a "CUDA" or a "CPU" build; leave alone what fits already.

    Raises Failed, for a CPU build also where only builds of gigabytes are to be had.
    """
    wanted = torch_requirements()
    mark = f"{build} {' '.join(wanted)}"
    done = read_stamp()
    if done.get("torch") == mark:
        return
    if not fits(build, wanted):
        with locked_versions() as constraints:
            arguments = [*wanted, "--constraint", constraints]
            install_cuda(arguments) if build == "CUDA" else install_cpu(arguments)
    STAMP.write_text(json.dumps({**read_stamp(), "torch": mark}))


def torch_requirements() -> list[str]:
    project = tomllib.loads((ROOT / PROJECT).read_text())["project"]
    wanted: list[str] = project["optional-dependencies"]["torch"]
    return wanted


def fits(build: str, wanted: Sequence[str]) -> bool:
    """Tell whether all is there: a CUDA build serves for both, a CPU build not for a GPU."""
    look = ["--no-index", "--no-deps", "--dry-run", "--quiet", "--report", "-"]
    report = ask(PYTHON, "-m", "pip", "install", *look, *wanted)
    if not report or json.loads(report)["install"]:
        return False
    return build == "CPU" or not installed_torch().endswith("+cpu")


def installed_torch() -> str:
    return ask(PYTHON, "-c", "import importlib.metadata as m; print(m.version('torch'))").strip()


def install_cuda(arguments: Sequence[str]) -> None:
    say(
        "A GPU is there: installing PyTorch with CUDA (once; about 3 GB to fetch, 8 GB on disk; "
        "COMMENTATOR=builtin does without it) ..."
    )
    if installed_torch().endswith("+cpu"):
        subprocess.run([PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", "torch"])
    if try_uv("auto", arguments):
        return
    say("uv could not do it: trying pip.")
    install_with_pip(arguments, step="installing PyTorch")


def install_cpu(arguments: Sequence[str]) -> None:
    """Take a CPU build that pip knows of, else the one uv knows of; never one with CUDA."""
    say("Installing the CPU build of PyTorch (once; about 200 MB to fetch, 1 GB on disk) ...")
    for version in cpu_builds():
        if subprocess.run([*PIP, "--quiet", f"torch=={version}", *arguments]).returncode == 0:
            say(f"PyTorch {version} was found by pip.")
            return
    say("pip knows no CPU build of PyTorch that fits: trying uv.")
    if try_uv("cpu", arguments):
        say("PyTorch's CPU build was found by uv.")
        return
    raise Failed(
        "installing PyTorch's CPU build failed. Install one by hand, any of 2.11 or newer, then run "
        f"the same command again: {VENV.name}/bin/python -m pip install torch"
    )


def cpu_builds() -> list[str]:
    """List the CPU builds that pip finds, newest first; nothing is fetched.

    They bear the label +cpu, so none with CUDA can be meant.
    """
    found = ask(PYTHON, "-m", "pip", "index", "versions", "torch")
    listed = re.search(r"^Available versions: (.*)$", found, re.MULTILINE)
    return [v for v in (listed[1].split(", ") if listed else []) if v.endswith("+cpu")]


def try_uv(backend: str, arguments: Sequence[str]) -> bool:
    """Install with uv, which knows where PyTorch's builds lie; get uv itself first if need be."""
    uv = shutil.which("uv") or VENV / "bin" / "uv"
    if not Path(uv).exists() and subprocess.run([*PIP, "--quiet", "uv"]).returncode != 0:
        return False
    command = [uv, "pip", "install", "--quiet", "--python", PYTHON]
    return subprocess.run([*command, f"--torch-backend={backend}", *arguments]).returncode == 0


def has_gpu() -> bool:
    """Tell whether NVIDIA's driver lists a GPU."""
    smi = shutil.which("nvidia-smi")
    return smi is not None and ask(smi, "--list-gpus").strip() != ""


@contextmanager
def locked_versions() -> Iterator[str]:
    """Yield a file of constraints that hold the lock's packages at their versions.

    The lock itself would not do: its hashes would be asked of PyTorch too.
    """
    lock = (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"^[a-z0-9-]+==[^\\\n]+", lock, re.MULTILINE)
    with tempfile.NamedTemporaryFile("w", prefix="reelnotes-", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        yield file.name


def ask(*command: str | Path) -> str:
    """Return what a command says on its standard output; nothing if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return result.stdout if result.returncode == 0 else ""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp() -> dict[str, str]:
    """Return the digests of what is installed; nothing if the environment can't be used."""
    if not STAMP.is_file() or not PYTHON.exists():
        return {}
    done: dict[str, str] = json.loads(STAMP.read_text())
    return done


def make_venv() -> None:
    if PYTHON.exists():  # False also where the Python that it links to is gone
        return
    shutil.rmtree(VENV, ignore_errors=True)
    say(f"Making a virtual environment in {VENV} ...")
    advice = (
        "Python's venv module is needed: on Debian and Ubuntu it is a package of its own, "
        f"`apt-get install python{sys.version_info.major}.{sys.version_info.minor}-venv`"
    )
    run([sys.executable, "-m", "venv", str(VENV)], step="making .venv", advice=advice)


def install(*arguments: str, step: str) -> None:
    """Install with uv where it is found and works, else with pip."""
    if uv := shutil.which("uv"):
        found = subprocess.run([uv, "pip", "install", "--quiet", "--python", PYTHON, *arguments])
        if found.returncode == 0:
            return
        say("uv could not do it: trying pip.")
    install_with_pip(arguments, step)


def install_with_pip(arguments: Sequence[str], step: str) -> None:
    advice = (
        "pip's own words stand above. If the network was lost, run the same command again: it "
        "goes on where it stopped. Behind a mirror or a proxy, set PIP_INDEX_URL or HTTPS_PROXY"
    )
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    run([*PIP, *quiet, *arguments], step=step, advice=advice)


def run(command: Sequence[str | Path], step: str, advice: str) -> None:
    if subprocess.run(command).returncode != 0:
        raise Failed(f"{step} failed. {advice}.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        sys.exit(f"\nReelnotes could not be installed: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
