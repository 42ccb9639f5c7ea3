"""Every setting: name, type, default, unit, meaning. The only reader of the environment.

A setting's variable is its field's name in capitals: `capture_fps` is CAPTURE_FPS. Of a secret, that
may also stand in a file: PASSWORD_FILE names the one with PASSWORD.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

SHORTEST_PASSWORD = 8  # characters, where others can reach the server


class BadSetting(ValueError):
    """An environment variable that can't be used; the text names it and says what would do."""


def _setting(default: Any, meaning: str, unit: str = "", *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"meaning": meaning, "unit": unit})


@dataclass(frozen=True, slots=True)
class Settings:
    """Built once per process and handed down."""

    # Where things are
    data_dir: Path = _setting(Path("data"), "folder for the store, the videos and the queue")
    database_url: str = _setting(
        "",
        "Postgres, as postgresql://user:password@host/name; empty: SQLite in DATA_DIR",
        secret=True,
    )
    redis_url: str = _setting(
        "",
        "Redis or Valkey, as redis://host:6379/0; empty: `reelnotes serve` starts its own",
        secret=True,
    )

    # Object storage
    media_url: str = _setting(
        "",
        "object storage for videos and stills, as s3://bucket/prefix; empty: the folder DATA_DIR/media",
    )
    media_cache_bytes: int = _setting(
        20 * 2**30, "disk on each host for videos read from MEDIA_URL", "bytes"
    )
    s3_endpoint: str = _setting(
        "", "where MEDIA_URL is, such as https://minio.example:9000; empty: Amazon S3"
    )
    s3_region: str = _setting("us-east-1", "region of the bucket; many servers don't mind")
    s3_addressing: str = _setting(
        "auto",
        "the bucket in the address's path or its host name: path, virtual, or auto: path with S3_ENDPOINT",
    )
    s3_access_key: str = _setting(
        "",
        "name of the key to MEDIA_URL; empty: as Amazon's tools find it (~/.aws, the machine's role)",
        secret=True,
    )
    s3_secret_key: str = _setting("", "the key itself", secret=True)

    # The web page and the API
    web_host: str = _setting("127.0.0.1", "address to listen on; any but loopback needs PASSWORD")
    web_port: int = _setting(8000, "port; if it is in use, `serve` takes the next free one")
    password: str = _setting(
        "", "asked of people at sign-in; programs may send it, or better a token", secret=True
    )
    token: str = _setting(
        "",
        "sent by `submit`, `status` … to a server that asks; empty: PASSWORD is sent",
        secret=True,
    )
    proxies: int = _setting(
        0, "reverse proxies before the page, whose X-Forwarded headers are believed"
    )
    keep_media_days: int = _setting(
        0,
        "videos and stills are removed so long after their last job's end, commentary stays; 0: never",
        "days",
    )
    max_upload_bytes: int = _setting(20 * 2**30, "largest file accepted", "bytes")
    playback_bytes: int = _setting(
        20 * 2**30,
        "disk for copies of videos that browsers can't play; 0: none are made",
        "bytes",
    )
    render_bytes: int = _setting(
        20 * 2**30, "disk for spoken tracks and previews, which are made on demand", "bytes"
    )
    uploads_at_once: int = _setting(8, "uploads of one person under way, where PASSWORD is set")
    uploads_per_hour: int = _setting(1000, "uploads of one person, where PASSWORD is set", "1/h")
    upload_hours: int = _setting(
        168, "an unfinished upload is kept so long after its last byte came", "h"
    )
    server_folder: str = _setting(
        "", "folder on the server from which videos may be added; it is only read; empty: none"
    )
    watch_seconds: int = _setting(
        0,
        "files that come into SERVER_FOLDER are queued when they stay as they are for so long; 0: none",
        "s",
    )
    watch_preset: str = _setting(
        "", "preset with which they are queued; empty: the settings' defaults"
    )
    fetch_urls: int = _setting(0, "1: videos may be added by web address; the server fetches them")
    fetch_hosts: str = _setting(
        "",
        "hosts that may be fetched from although they aren't public: names, addresses or networks such as 10.0.0.0/8, with commas between",
    )
    requests_per_minute: int = _setting(
        1200, "API requests of one person, where PASSWORD is set", "1/min"
    )
    webhook_hosts: str = _setting(
        "",
        "hosts that webhooks may lead to although they aren't public: names, addresses or networks such as 10.0.0.0/8, with commas between",
    )
    access_log: int = _setting(0, "1: log every request; 0: changes, refusals and failures")
    log_format: str = _setting(
        "text", "how every process writes its log: text, or json for collectors"
    )

    # What is measured
    metrics_port: int = _setting(
        0,
        "port on which beat, or a worker, tells Prometheus; under `serve` beat's, its workers have the next ones; 0: none",
    )
    metrics_host: str = _setting(
        "127.0.0.1", "address for METRICS_PORT; any but loopback needs METRICS_TOKEN"
    )
    metrics_token: str = _setting(
        "",
        "lets Prometheus read the numbers, and nothing else: METRICS_PORT asks for it, and /metrics of a page with PASSWORD takes it",
        secret=True,
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "",
        "OpenTelemetry collector that gets the traces (OTLP over HTTP), such as http://127.0.0.1:4318; needs the extra otel",
    )

    # The command line
    server_url: str = _setting(
        "", "server that `submit`, `status` … talk to; empty: the one of DATA_DIR"
    )

    # Where weights come from
    hub_url: str = _setting(
        "https://huggingface.co", "where `pull` gets weights: the hub, or a mirror of it"
    )
    hub_token: str = _setting(
        "", "sent to HUB_URL, for weights that are not given to everybody", secret=True
    )

    # How videos are commented, unless a job says otherwise
    commentator: str = _setting(
        "builtin",
        "who comments: builtin, minicpm, transformers, openai or an added one, or several with commas between; "
        "the first is new jobs' default",
    )
    model_path: str = _setting(
        "openbmb/MiniCPM-o-4_5-awq",
        "weights of minicpm: a folder, or a hub name, looked for in DATA_DIR/models",
    )
    window_tokens: int = _setting(
        2048,
        "that a window of minicpm may take, prompt and answer together; with fewer, a small card writes more at once; "
        "a default window takes up to about 580",
        "tokens",
    )
    transformers_model: str = _setting(
        "", "network of transformers: a folder, or a hub name, looked for in DATA_DIR/models"
    )
    transformers_dtype: str = _setting(
        "auto", "numbers it is run in: float32, float16, bfloat16; auto: as its files have them"
    )
    transformers_device: str = _setting(
        "", "where it is run: cpu, cuda or cuda:1; empty: on a GPU if there is one"
    )
    transformers_longest_side: int = _setting(
        768, "frames are given to its processor no larger", "pixels"
    )
    openai_url: str = _setting(
        "",
        "endpoint that openai asks, such as http://127.0.0.1:8000/v1 or https://api.openai.com/v1",
    )
    openai_model: str = _setting("", "network that OPENAI_URL is asked for, by its name there")
    openai_key: str = _setting("", "sent to OPENAI_URL, if it asks for one", secret=True)
    openai_longest_side: int = _setting(768, "frames are sent to OPENAI_URL no larger", "pixels")
    openai_jpeg_quality: int = _setting(85, "of the frames sent to OPENAI_URL", "1-95")
    openai_detail: str = _setting(
        "", "how closely OPENAI_URL is to look: low, high or auto; empty: as it does by itself"
    )
    openai_price_in: float = _setting(
        0.0, "what OPENAI_URL takes for reading, in your money; 0: nothing", "per million tokens"
    )
    openai_price_out: float = _setting(0.0, "... and for writing", "per million tokens")
    transcribe_url: str = _setting(
        "",
        "endpoint that writes down speech (/v1/audio/transcriptions), such as http://127.0.0.1:9000/v1",
    )
    transcribe_model: str = _setting(
        "",
        "its network of speech; without TRANSCRIBE_URL: a folder of faster-whisper's, used on this machine",
    )
    transcribe_key: str = _setting("", "sent to TRANSCRIBE_URL, if it asks for one", secret=True)
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
    max_slice_nums: int = _setting(
        1, "most slices of a frame that minicpm looks at one by one; 1: the frame as a whole"
    )
    temperature: float = _setting(0.0, "chance in a network's words; 0: always the likeliest")
    top_p: float = _setting(0.8, "with TEMPERATURE: share of likelihood that is chosen from")
    top_k: int = _setting(100, "with TEMPERATURE: tokens that are chosen from; 0: all", "tokens")
    repetition_penalty: float = _setting(
        1.05, "how much less likely a network says a word again in a comment; 1: no less"
    )
    seed: int = _setting(0, "with TEMPERATURE: another seed, another comment")

    summary: int = _setting(0, "1: tell the whole video in the end, with chapters; 0: not")

    transcript: int = _setting(
        0,
        "1: write down what is said in a video; 2: and tell the commentator what is said in each window; 0: not",
    )

    # How the work is shared
    worker_processes: int = _setting(
        1,
        "worker processes that `serve` starts for each commentator; minicpm, transformers: one per GPU",
    )
    worker_threads: int = _setting(
        0, "chunks a worker comments at once; 0: as the commentator takes"
    )
    gpu_decoders: int = _setting(
        0, "videos a worker decodes on its GPU at once (NVDEC), the others on the CPU; 0: all there"
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
        """Read what is set and not empty; raise BadSetting for a value that can't be used.

        A secret may stand in a file instead, as containers are given it: PASSWORD_FILE names it.
        """
        given = {
            setting.name: _parse(setting, text)
            for setting in fields(cls)
            if (text := _text(setting, environ)) != ""
        }
        if "data_dir" in given:  # a service's file of settings knows no shell
            given["data_dir"] = given["data_dir"].expanduser()
        settings = cls(**given)
        settings._check()
        return settings

    def _check(self) -> None:
        for name in _ADDRESSES:
            _check_address(name.upper(), getattr(self, name))
        if self.media_url and not re.fullmatch(_BUCKET_URL, self.media_url):
            raise BadSetting(
                "MEDIA_URL must be s3://bucket or s3://bucket/prefix, the prefix of letters, digits, "
                f"`.`, `_`, `-` and `/`, not {self.media_url[:80]!r}."
            )
        if self.s3_endpoint and not self.s3_endpoint.startswith(("http://", "https://")):
            raise BadSetting("S3_ENDPOINT must begin with http:// or https://.")
        if self.s3_addressing not in ("auto", "path", "virtual"):
            raise BadSetting(
                f"S3_ADDRESSING must be auto, path or virtual, not {self.s3_addressing[:40]!r}."
            )
        if bool(self.s3_access_key) != bool(self.s3_secret_key):
            raise BadSetting(
                "S3_ACCESS_KEY and S3_SECRET_KEY belong together: set both or neither."
            )
        if self.log_format not in ("text", "json"):
            raise BadSetting(f"LOG_FORMAT must be text or json, not {self.log_format[:40]!r}.")
        for name, (least, most) in _BETWEEN.items():
            if not least <= getattr(self, name) <= most:
                raise BadSetting(
                    f"{name.upper()} must be {least} to {most}, not {getattr(self, name)}."
                )
        if not self.commentators:
            raise BadSetting(f"COMMENTATOR must name who comments, not {self.commentator!r}.")
        self._check_metrics()
        if self.transformers_dtype not in ("auto", "float32", "float16", "bfloat16"):
            raise BadSetting(
                "TRANSFORMERS_DTYPE must be auto, float32, float16 or bfloat16, not "
                f"{self.transformers_dtype[:40]!r}."
            )
        if not re.fullmatch(r"(cpu|cuda(:\d{1,2})?)?", self.transformers_device):
            raise BadSetting(
                "TRANSFORMERS_DEVICE must be cpu, cuda, cuda:1 or such, or empty, not "
                f"{self.transformers_device[:40]!r}."
            )
        if self.openai_detail not in ("", "low", "high", "auto"):
            raise BadSetting(
                f"OPENAI_DETAIL must be low, high, auto or empty, not {self.openai_detail[:40]!r}."
            )
        self._check_ways_in()
        self._check_keys()
        if self.proxies and not self.password:
            raise BadSetting("PROXIES lets others reach this server: set PASSWORD as well.")
        if self.password != self.password.strip():
            raise BadSetting(
                "PASSWORD begins or ends with a space, which programs can't send: leave it out."
            )
        if not self.is_loopback and not self.password:
            raise BadSetting(
                f"WEB_HOST is {self.web_host}, which others can reach: set PASSWORD as well, "
                "or listen on 127.0.0.1."
            )
        if not self.is_loopback and len(self.password) < SHORTEST_PASSWORD:
            raise BadSetting(
                f"PASSWORD is too short for WEB_HOST {self.web_host}, which others can reach: take "
                f"{SHORTEST_PASSWORD} characters or more."
            )

    def _check_keys(self) -> None:
        for name in ("openai_key", "transcribe_key", "hub_token"):
            if not re.fullmatch("[!-~]*", getattr(self, name)):
                raise BadSetting(
                    f"{name.upper()} holds what no key does, a blank or a character beyond ASCII: "
                    "copy it again, without what stands around it."
                )

    def _check_ways_in(self) -> None:
        if self.server_folder and not Path(self.server_folder).is_absolute():
            raise BadSetting(
                f"SERVER_FOLDER must be a whole path such as /srv/videos, not {self.server_folder!r}."
            )
        if self.watch_seconds and not self.server_folder:
            raise BadSetting("WATCH_SECONDS needs a folder to watch: set SERVER_FOLDER as well.")

    @property
    def private_hosts(self) -> frozenset[str]:
        """Return the entries of FETCH_HOSTS, as they stand in addresses."""
        return _hosts(self.fetch_hosts)

    def _check_metrics(self) -> None:
        if self.metrics_port and self.metrics_host not in _LOOPBACK and not self.metrics_token:
            raise BadSetting(
                f"METRICS_HOST is {self.metrics_host}, which others can reach: set METRICS_TOKEN as "
                "well, or listen on 127.0.0.1."
            )
        if self.metrics_token and len(self.metrics_token) < SHORTEST_PASSWORD:
            raise BadSetting(
                f"METRICS_TOKEN is too short: take {SHORTEST_PASSWORD} characters or more."
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no log may show."""
        inner = (secret for name in _ADDRESSES for secret in _passwords(getattr(self, name)))
        own = (
            *(self.password, self.token, self.metrics_token),
            *(self.hub_token, self.openai_key, self.transcribe_key),
            *(self.s3_access_key, self.s3_secret_key),
        )
        return tuple(secret for secret in (*own, *inner) if secret)

    @property
    def commentators(self) -> tuple[str, ...]:
        """Return the names in COMMENTATOR, each once; the first is the default of new jobs."""
        names = (name.strip() for name in self.commentator.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def private_webhook_hosts(self) -> frozenset[str]:
        """Return the entries of WEBHOOK_HOSTS, as they stand in addresses."""
        return _hosts(self.webhook_hosts)

    @property
    def transcribes(self) -> bool:
        """Tell whether speech can be written down here."""
        return self.transcribe_model != ""

    @property
    def is_loopback(self) -> bool:
        return self.web_host in _LOOPBACK

    @property
    def model_folder(self) -> Path:
        """Return where the weights lie: the folder that MODEL_PATH names, or where a hub name's are kept."""
        return self._folder_of(self.model_path)

    @property
    def transformers_folder(self) -> Path:
        """Return the same for TRANSFORMERS_MODEL."""
        return self._folder_of(self.transformers_model)

    def _folder_of(self, name: str) -> Path:
        named = Path(name).expanduser()
        return named if named.is_dir() else self.data_dir / "models" / name

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

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_ADDRESSES = (
    *("database_url", "redis_url", "server_url", "hub_url", "openai_url", "s3_endpoint"),
    *("transcribe_url", "otel_exporter_otlp_endpoint"),
)
"""Settings that may hold a password."""

_BUCKET_URL = r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[A-Za-z0-9._\-]+)*/?"

_MOST_BYTES = 2**60
_YEAR_DAYS = 366
_BETWEEN = {
    "media_cache_bytes": (1, _MOST_BYTES),
    "max_upload_bytes": (1, _MOST_BYTES),
    "playback_bytes": (0, _MOST_BYTES),
    "render_bytes": (1, _MOST_BYTES),
    "openai_longest_side": (1, 100_000),
    "transformers_longest_side": (1, 100_000),
    "openai_jpeg_quality": (1, 95),
    "openai_price_in": (0, 1_000_000),
    "openai_price_out": (0, 1_000_000),
    "uploads_at_once": (1, 1_000_000),
    "uploads_per_hour": (1, 1_000_000_000),
    "upload_hours": (1, 10 * _YEAR_DAYS * 24),
    "keep_media_days": (0, 100 * _YEAR_DAYS),
    "requests_per_minute": (1, 1_000_000_000),
    "web_port": (0, 65535),
    "metrics_port": (0, 65535),
    "worker_processes": (1, 10_000),
    "worker_threads": (0, 10_000),
    "gpu_decoders": (0, 256),
    "window_tokens": (512, 32_768),
    "chunk_windows": (1, 1_000_000),
    "job_parallelism": (1, 1_000_000),
    "lease_seconds": (1, 24 * 3600),
    "call_timeout_seconds": (1, 24 * 3600),
    "sweep_seconds": (1, 24 * 3600),
    "watch_seconds": (0, 30 * 24 * 3600),
    "fetch_urls": (0, 1),
    "access_log": (0, 1),
    "proxies": (0, 100),
}
"""The least and the most: beyond, times and sizes don't fit what they are reckoned with."""


def read_number(text: str, kind: type[Any]) -> Any:
    """Read a whole number, a number or a fraction; raise ValueError.

    Fractions are bounded before they are built: "1e9999999" would take minutes and all memory.
    """
    if kind is Fraction and not re.fullmatch(r"\d{1,9}(\.\d{1,9})?(/\d{1,9})?", text):
        raise ValueError(f"not a fraction: {text[:40]!r}")
    return kind(text)


def _check_address(name: str, address: str) -> None:
    """Refuse what a library would choke on later, and then quote with a part of its password."""
    try:
        urlsplit(address).port  # noqa: B018 (it raises)
    except ValueError:
        raise BadSetting(
            f"{name} can't be read: write it as scheme://user:password@host:port/name, and special "
            "characters of the password as %2F (/), %40 (@), %3A (:), %25 (%)."
        ) from None


def _passwords(address: str) -> tuple[str, ...]:
    """Return the passwords in an address, as they stand there and as they are meant."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    written = [parts.password or "", *query.get("password", []), *query.get("sslpassword", [])]
    return tuple(dict.fromkeys(form for word in written for form in (word, unquote(word)) if form))


def _text(setting: "Field[Any]", environ: Mapping[str, str]) -> str:
    """Return what is set, in the environment or in the file that it names; "" if nothing is."""
    name = setting.name.upper()
    text, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if setting.repr or path == "":
        return text
    if text:
        raise BadSetting(f"{name} and {name}_FILE are both set: take one of them.")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{name}_FILE names {path}, which can't be read: {error}.") from error


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


def _hosts(entries: str) -> frozenset[str]:
    names = (name.strip().lower().strip("[]") for name in entries.split(","))
    return frozenset(name for name in names if name)
