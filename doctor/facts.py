"""What the doctor found, as plain values. Says nothing of what is good or bad."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Python:
    version: tuple[int, int, int]
    packages: Mapping[str, str]  # name → version of what the project asks for; "" if it is missing
    unfit: Mapping[str, str] = field(default_factory=dict)  # name → versions that are asked for


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that we write into, there or not yet."""

    path: Path
    writable: bool
    free_bytes: int


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """Object storage, tried with a small file that was written, read and removed."""

    url: str  # MEDIA_URL
    trouble: str = ""  # why that failed
    next_step: str = ""  # "": its packages are missing


@dataclass(frozen=True, slots=True)
class StoreFacts:
    kind: Literal["SQLite", "Postgres"]
    standing: Literal["none", "empty", "current", "older", "newer"]
    clock_s: float | None  # the server's seconds since 1970, less ours
    version: str = ""  # of the server, or the library
    revision: str = ""  # of the schema; "" while there is none
    overdue_s: float = 0.0  # since the oldest lease ended that nobody has taken back


@dataclass(frozen=True, slots=True)
class RunningFacts:
    """Who answers over the broker; all empty where nothing runs."""

    url: str  # of the page that `serve` shows with this data folder
    version: str  # of that page
    ours: str  # the version installed here
    asked: bool  # there was a broker to ask over
    workers: Mapping[str, int] = field(default_factory=dict)  # commentator → processes that answer
    sweeps: int = 0  # beat processes that answer


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    embedded: bool
    server: str  # its version, or the embedded program's path
    clock_s: float | None


@dataclass(frozen=True, slots=True)
class ClockFacts:
    now: str  # ISO 8601, UTC
    before_installation: bool  # it shows a time before our own files were written


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    total_bytes: int
    free_bytes: int
    capability: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TorchFacts:
    version: str
    cuda: str  # of its build; "" for a CPU build
    gpus: tuple[Gpu, ...]  # that it can use
    packages: Mapping[str, str] = field(default_factory=dict)  # others of the extra, and triton


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint as its headers tell it."""

    folder: Path
    quantised: bool
    stored_bytes: int
    device_bytes: int  # of the parts that the runtime loads, as they are stored
    embedding_bytes: int  # of which is the table of token vectors
    vision_layers: int
    trouble: str = ""  # why it can't be whole
    pulled: bool = False  # by us, every hash checked


@dataclass(frozen=True, slots=True)
class WeightsFacts:
    folder: Path  # where MODEL_PATH says
    weights: Weights | None
    interrupted: bool  # a pull into it has begun
    others: tuple[str, ...]  # what else lies under DATA_DIR/models


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What transformers is to run."""

    model: str  # as TRANSFORMERS_MODEL names it
    folder: Path
    trouble: str  # why it can't comment; "" if nothing is missing
    architecture: str
    stored_bytes: int  # of its weights


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """What openai asks, and how it answered when it was asked for its networks."""

    host: str
    model: str  # that it is to be asked for
    has_key: bool
    listed: tuple[str, ...] | None  # None: it gave no list, and `reason` says why
    reason: str = ""
    is_away: bool = False
    key_refused: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """A part that could not be looked at is None, and its reason stands in `broken`."""

    command: str  # how our command line is called here
    in_image: bool  # what is installed came with a container's image, not by `make run`
    commentators: tuple[str, ...]
    unknown_commentators: tuple[str, ...]
    known_commentators: tuple[str, ...]
    model_path: str
    window_tokens: int
    decoder_bytes: int  # of a GPU's memory, that GPU_DECODERS takes
    bad_setting: str
    broken: Mapping[str, str]
    python: Python | None = None
    data: Place | None = None
    store: StoreFacts | None = None
    broker: BrokerFacts | None = None
    running: RunningFacts | None = None
    media: Place | None = None
    bucket: BucketFacts | None = None  # None: media are in a folder
    clock: ClockFacts | None = None
    gpus: tuple[Gpu, ...] | None = None  # by NVIDIA's driver
    gpu_decoding: str | None = None  # why GPU_DECODERS does nothing; "": it works; None: not set
    torch: TorchFacts | None = None  # None and not broken: not installed
    weights: WeightsFacts | None = None
    network: NetworkFacts | None = None  # looked at where transformers is chosen
    endpoint: EndpointFacts | None = None  # ... where openai is


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What loading the weights and commenting one picture gave."""

    device: str
    dtype: str
    load_s: float
    loss: float  # nats per token of SENTENCE
    random_loss: float  # the same for weights that have learned nothing
    seen_loss: float  # of CAPTION after its picture
    blank_loss: float  # of CAPTION after a grey one
    vision_layers: int  # that were run
    vision_layers_stored: int
    comment: str
    tokens: int
    tokens_per_s: float
    vision_ms: float
    prefill_ms: float
    peak_bytes: int  # of the GPU's memory, or the process's on a CPU
