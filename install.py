"""Put the locked packages and the project into .venv; do nothing if they are there.

Run by `make` with any Python 3.11-3.13, before anything is installed: standard library only.
Usage: python install.py [dev] [postgres]
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
PROJECT = "pyproject.toml"


class Failed(Exception):
    """A step went wrong; the text says which and what to do."""


def main(extras: Sequence[str]) -> None:
    locks = ["requirements.txt", *(f"requirements-{extra}.txt" for extra in extras)]
    wanted = {name: digest(ROOT / name) for name in [*locks, PROJECT]}
    done = read_stamp()
    if all(done.get(name) == value for name, value in wanted.items()):
        return
    STAMP.unlink(missing_ok=True)  # until the last step has succeeded
    make_venv()
    missing = [name for name in locks if done.get(name) != wanted[name]]
    for lock in missing:
        print(
            f"Installing what {lock} names (once; a few hundred megabytes) ...",
            file=sys.stderr,
            flush=True,
        )
        install("--require-hashes", "--requirement", str(ROOT / lock), step=f"installing {lock}")
    install(
        "--no-deps", "--no-build-isolation", "--editable", str(ROOT), step="installing Reelnotes"
    )
    STAMP.write_text(json.dumps({**done, **wanted}))


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
    print(f"Making a virtual environment in {VENV} ...", file=sys.stderr, flush=True)
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
        print("uv could not do it: trying pip.", file=sys.stderr, flush=True)
    advice = (
        "pip's own words stand above. If the network was lost, run the same command again: it "
        "goes on where it stopped. Behind a mirror or a proxy, set PIP_INDEX_URL or HTTPS_PROXY"
    )
    # Bytecode is made for what is imported, when it is: a fifth less disk, and less waiting.
    pip = [str(PYTHON), "-m", "pip", "install", "--no-compile", "--disable-pip-version-check"]
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    run([*pip, *quiet, *arguments], step=step, advice=advice)


def run(command: Sequence[str], step: str, advice: str) -> None:
    if subprocess.run(command).returncode != 0:
        raise Failed(f"{step} failed. {advice}.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        sys.exit(f"\nReelnotes could not be installed: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
