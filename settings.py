"""Every setting: name, type, default, unit, meaning. The only reader of the environment.

A setting's variable is its field's name in capitals: `capture_fps` is CAPTURE_FPS.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Self


class BadSetting(ValueError):
    """An environment variable that can't be used; the text names it and says what would do."""


def _setting(default: Any, meaning: str, unit: str = "") -> Any:
    return field(default=default, metadata={"meaning": meaning, "unit": unit})


@dataclass(frozen=True, slots=True)
class Settings:
    """Built once per process and handed down."""

    # Where things are
    data_dir: Path = _setting(Path("data"), "folder for the store, the videos and the queue")
    database_url: str = _setting(
        "",
        "Postgres, as postgresql://user:password@host/name; empty: SQLite in DATA_DIR",
    )
    redis_url: str = _setting(
        "",
        "Redis or Valkey, as redis://host:6379/0; empty: `reelnotes serve` starts its own",
    )

    # The web page and the API
    web_host: str = _setting("127.0.0.1", "address to listen on; any but loopback needs PASSWORD")
    web_port: int = _setting(8000, "port; if it is in use, `serve` takes the next free one")
    password: str = _setting("", "asked of people at sign-in, and of programs as a bearer token")
    max_upload_bytes: int = _setting(20 * 2**30, "largest file accepted", "bytes")

    # The command line
    server_url: str = _setting(
        "", "server that `submit`, `status` … talk to; empty: the one of DATA_DIR"
    )

    # How videos are commented, unless a job says otherwise
    commentator: str = _setting("builtin", "who comments: builtin")
    capture_fps: Fraction = _setting(Fraction(2), "samples per second of video", "1/s")
    frames_per_inference: int = _setting(4, "frames given to one prompt")
    frame_stride: int = _setting(2, "every K-th sample goes into the window", "samples")
    window_hop: int = _setting(
        0, "samples between window starts; 0: frames x stride, so that windows adjoin", "samples"
    )
    change_threshold: float = _setting(
        0.0,
        "mean pixel difference under which a window is `unchanged` without being looked at; 0: off",
        "0-255",
    )
    max_new_tokens: int = _setting(96, "longest comment", "tokens; words for builtin")

    # How the work is shared
    worker_processes: int = _setting(1, "worker processes that `serve` starts")
    worker_threads: int = _setting(
        0, "chunks a worker comments at once; 0: as the commentator takes"
    )
    chunk_windows: int = _setting(8, "windows a worker takes at once", "windows")
    job_parallelism: int = _setting(64, "chunks of one job that are worked on at once")
    lease_seconds: int = _setting(30, "a silent worker loses its chunk after", "s")
    call_timeout_seconds: int = _setting(
        120, "a window that takes longer ends its worker process", "s"
    )
    sweep_seconds: int = _setting(5, "how often lost work is looked for", "s")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read what is set and not empty; raise BadSetting for a value that can't be used."""
        given = {
            setting.name: _parse(setting, environ[setting.name.upper()])
            for setting in fields(cls)
            if environ.get(setting.name.upper(), "") != ""
        }
        settings = cls(**given)
        settings._check()
        return settings

    def _check(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise BadSetting(f"{name.upper()} must be at least 1, not {getattr(self, name)}.")
        if self.worker_threads < 0:
            raise BadSetting(f"WORKER_THREADS must be 0 or more, not {self.worker_threads}.")
        if not 0 <= self.web_port <= 65535:
            raise BadSetting(f"WEB_PORT must be a port number up to 65535, not {self.web_port}.")
        if not self.is_loopback and not self.password:
            raise BadSetting(
                f"WEB_HOST is {self.web_host}, which others can reach: set PASSWORD as well, "
                "or listen on 127.0.0.1."
            )

    @property
    def is_loopback(self) -> bool:
        return self.web_host in ("127.0.0.1", "localhost", "::1")

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy URL of the store."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir.absolute() / 'reelnotes.db'}"
        scheme, _, rest = self.database_url.partition("://")
        return (
            f"postgresql+psycopg://{rest}"
            if scheme in ("postgres", "postgresql")
            else self.database_url
        )


_NUMBERS = {int: "a whole number", float: "a number", Fraction: "a number such as 2 or 1/3"}

_AT_LEAST_ONE = (
    "max_upload_bytes",
    "worker_processes",
    "chunk_windows",
    "job_parallelism",
    "lease_seconds",
    "call_timeout_seconds",
    "sweep_seconds",
)


def read_number(text: str, kind: type[Any]) -> Any:
    """Read a whole number, a number or a fraction; raise ValueError.

    Fractions are bounded before they are built: "1e9999999" would take minutes and all memory.
    """
    if kind is Fraction and not re.fullmatch(r"\d{1,9}(\.\d{1,9})?(/\d{1,9})?", text):
        raise ValueError(f"not a fraction: {text[:40]!r}")
    return kind(text)


def _parse(setting: "Field[Any]", text: str) -> Any:
    try:
        return read_number(text, setting.type) if setting.type in _NUMBERS else setting.type(text)  # type: ignore[operator]
    except (ValueError, ZeroDivisionError) as error:
        raise BadSetting(
            f"{setting.name.upper()} must be {_NUMBERS[setting.type]}, not {text[:40]!r}."  # type: ignore[index]
        ) from error


def read_settings() -> Settings:
    """Build the settings of this process."""
    return Settings.from_env(os.environ)
