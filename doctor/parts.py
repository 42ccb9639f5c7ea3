"""How each part of the machine is looked at. What goes wrong is raised: `look` tells it."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doctor.facts import (
    BrokerFacts,
    BucketFacts,
    ClockFacts,
    Gpu,
    Place,
    Python,
    RunningFacts,
    StoreFacts,
    TorchFacts,
)
from settings import BadSetting, Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROOT = Path(__file__).parents[1]
ANSWER_S = 2.0  # for processes that listen; their number isn't known, so all of it is waited
PATIENCE_S = 5  # for a server that doesn't answer
CHILD_S = 120  # for a program that imports PyTorch from a cold disk


def look_at_python() -> Python:
    asked = re.findall(r"^    \"([a-z0-9-]+)([^\";]*)", _dependencies(), re.MULTILINE)
    found = {name: _version(name) for name, _ in asked}
    unfit = {
        name: wanted for name, wanted in asked if found[name] and not fits(found[name], wanted)
    }
    return Python(sys.version_info[:3], found, unfit)


def fits(version: str, wanted: str) -> bool:
    """Tell whether "18.1.0" is among ">=18,<20": what an old .venv under new code may fail."""
    for bound in filter(None, wanted.replace(" ", "").split(",")):
        sign, limit = re.match(r"([<>=!~]*)(.*)", bound).groups()  # type: ignore[union-attr]
        low, high = _numbers(limit), _numbers(version)
        if (sign == ">=" and high < low) or (sign == "<" and high >= low):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _dependencies() -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return text.partition("\ndependencies = [\n")[2].partition("\n]")[0]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def look_at_place(path: Path) -> Place:
    """Try to write into a folder, or where it would be made; nothing is left behind."""
    if path.is_dir():
        return Place(path, _can_write(path), shutil.disk_usage(path).free)
    above = next(parent for parent in path.absolute().parents if parent.exists())
    writable = above.is_dir() and not path.exists() and _can_write(above)
    return Place(path, writable, shutil.disk_usage(above).free)


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def look_at_bucket(settings: Settings) -> BucketFacts | None:
    """Write, read and remove a small file in the object storage, if there is one."""
    if not settings.media_url:
        return None
    from models.errors import MediaAway
    from models.media import open_media

    try:
        open_media(settings).storage.check()
    except MediaAway as error:
        return BucketFacts(settings.media_url, str(error), error.next_step)
    except BadSetting as error:
        return BucketFacts(settings.media_url, str(error))
    return BucketFacts(settings.media_url)


def look_at_store(settings: Settings) -> StoreFacts:
    from sqlalchemy import make_url

    from migrations import revision, standing
    from models.store import Store

    url = make_url(settings.store_url)
    if url.get_backend_name() == "sqlite":
        if not Path(str(url.database)).exists():
            return StoreFacts("SQLite", "none", None)
    else:
        url = url.update_query_dict({"connect_timeout": str(PATIENCE_S)})
    store = Store.open(url.render_as_string(hide_password=False))
    try:
        with store.engine.connect() as connection:
            sqlite = url.get_backend_name() == "sqlite"
            offset = None if sqlite else _clock_of(connection)
            stands = standing(connection)
            return StoreFacts(
                "SQLite" if sqlite else "Postgres",
                stands,
                offset,
                ".".join(map(str, connection.dialect.server_version_info or ())),
                revision(connection),
                _overdue(connection) if stands == "current" else 0.0,
            )
    finally:
        store.engine.dispose()


def _overdue(connection: "Connection") -> float:
    oldest = connection.exec_driver_sql("SELECT min(lease_until_ms) FROM chunks").scalar_one()
    return max(0.0, time.time() - oldest / 1000) if oldest else 0.0


def _clock_of(connection: "Connection") -> float:
    asked = time.time()
    theirs = connection.exec_driver_sql("SELECT extract(epoch from clock_timestamp())").scalar_one()
    return float(theirs) - (asked + time.time()) / 2


def look_at_broker(settings: Settings) -> BrokerFacts:
    if not settings.redis_url:
        from serve.broker import find_server

        return BrokerFacts(True, find_server(), None)
    import redis

    with redis.Redis.from_url(
        settings.redis_url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S
    ) as client:
        version = str(client.info("server")["redis_version"])
        asked = time.time()
        seconds, microseconds = client.time()
        return BrokerFacts(False, version, seconds + microseconds / 1e6 - (asked + time.time()) / 2)


def look_at_running(settings: Settings) -> RunningFacts:
    """Ask over the broker who listens to which queue: workers to their commentator's, beat to its own."""
    from models import hints
    from serve.broker import embedded_url
    from serve.running import find

    served = find(settings.data_dir)
    url = settings.redis_url or (embedded_url(settings.data_dir) if served else "")
    page = served.url if served else ""
    version = _version_of(page) if page else ""
    if not url:
        return RunningFacts(page, version, _version("reelnotes"), False)
    app = hints.connect(url)
    app.conf.broker_transport_options = {"socket_timeout": PATIENCE_S}
    answers = app.control.inspect(timeout=ANSWER_S).active_queues() or {}
    queues = Counter(queue["name"] for listed in answers.values() for queue in listed)
    workers = {name: queues[hints.queue_of(name)] for name in settings.commentators}
    return RunningFacts(
        page, version, _version("reelnotes"), True, workers, queues[hints.SWEEP_QUEUE]
    )


def _version_of(page: str) -> str:
    with urllib.request.urlopen(f"{page}/api/health", timeout=PATIENCE_S) as answer:
        return str(json.load(answer)["version"])


def look_at_clock() -> ClockFacts:
    newest = max(path.stat().st_mtime for path in ROOT.glob("*.py"))
    now = datetime.now(UTC)
    return ClockFacts(now.isoformat(timespec="seconds"), now.timestamp() < newest - 86_400)


def look_at_gpus() -> tuple[Gpu, ...]:
    """Ask NVIDIA's driver; no driver, no GPU."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return ()
    query = "--query-gpu=name,memory.total,memory.free"
    answer = subprocess.run(
        [smi, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=30
    )
    if answer.returncode != 0:
        raise RuntimeError(f"nvidia-smi says: {(answer.stdout + answer.stderr).strip()[:200]}")
    rows = [line.rsplit(",", 2) for line in answer.stdout.splitlines() if line.strip()]
    return tuple(Gpu(name.strip(), int(total) << 20, int(free) << 20) for name, total, free in rows)


def look_at_gpu_decoding(settings: Settings) -> str | None:
    """Start a decoder on the GPU, if the settings ask for any; return why it doesn't start."""
    if not settings.gpu_decoders:
        return None
    from worker.video.gpu import GpuDecoders, NoGpuDecoder

    try:
        GpuDecoders(1).close()
    except NoGpuDecoder as reason:
        return str(reason)
    return ""


def look_at_torch() -> TorchFacts | None:
    if not _version("torch"):
        return None
    told = run_child("doctor.torch_facts", timeout_s=CHILD_S)
    gpus = tuple(Gpu(**{**gpu, "capability": tuple(gpu["capability"])}) for gpu in told["gpus"])
    return TorchFacts(told["version"], told["cuda"], gpus, told["packages"])


def run_child(module: str, *arguments: str, timeout_s: float | None = None) -> Any:
    """Run one of our programs that answers in JSON; raise RuntimeError with its last words."""
    child = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    if child.returncode == -9:
        raise RuntimeError("it was killed, most likely for want of memory")
    if child.returncode != 0:
        words = [line for line in child.stderr.splitlines() if line.strip()]
        raise RuntimeError(words[-1] if words else f"it ended with status {child.returncode}")
    return json.loads(child.stdout.splitlines()[-1])
